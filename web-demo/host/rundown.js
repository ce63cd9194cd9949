// The run-down: every offer of the show, drafts too, and what a host can do with each.
//
// Drafts come by REST, because they are not in the room; the others come by the socket as well, and of two accounts
// of the same offer the newer version stands.

import { del, post, put as putRest } from '../api.js';
import { compareVersions } from '../client.js';
import { money, t } from '../i18n.js';
import { list } from '../list.js';
import { fullTitle, phaseOf } from '../offer.js';
import { busy, confirmDialog } from '../sheet.js';
import { show, speak } from '../ui.js';
import { draggable } from './drag.js';
import { askNumber, askTime } from './form.js';
import { Row } from './row.js';

const REFRESH_MS = 15_000;

export class Rundown {
  constructor({ list: node, empty, search, client, stream, tell }) {
    Object.assign(this, { node, empty, search, client, stream, tell });
    this.offers = new Map();
    this.rows = new Map();
    draggable(node, { moved: (id, before) => this.place(id, before), step: (id, by) => this.step(id, by) });
    search.addEventListener('input', () => this.paint());
    search.addEventListener('keydown', (event) => { if (event.key === 'Escape') { search.value = ''; this.paint(); } });
    setInterval(() => { if (!document.hidden) this.load(); }, REFRESH_MS);
  }

  async load() {
    try {
      for (const offer of await list(`/streams/${this.stream.id}/offers`)) this.note(offer);
      this.loaded = true;
      this.paint();
    } catch (problem) {
      if (!this.loaded) this.tell(problem);
    } finally {
      document.body.dataset.ready = true; // shown at once and in its place, or told why not
    }
  }

  note(offer) {
    const known = this.offers.get(offer.id);
    if (!known || compareVersions(offer.v, known.v) >= 0) this.offers.set(offer.id, offer);
  }

  get pinned() {
    return this.client.state.pin?.offer ?? null;
  }

  ordered() {
    const now = this.client.now();
    const over = (offer) => (phaseOf(offer, now) === 'ended' ? 1 : 0);
    const place = (offer) => this.wanted?.get(offer.id) ?? offer.position;
    return [...this.offers.values()].sort((a, b) => over(a) - over(b) || place(a) - place(b) || (a.id < b.id ? -1 : 1));
  }

  // ---- the order ----

  /** Everything that can be moved, in its order. */
  movable() {
    return this.ordered().filter((offer) => offer.status !== 'closed').map((offer) => offer.id);
  }

  /** One step up or down among the rows that are shown; said aloud, and the focus stays. */
  step(id, by) {
    const shown = this.movable().filter((one) => !this.rows.get(one).root.hidden);
    const at = shown.indexOf(id);
    const to = at + by;
    if (at < 0 || to < 0 || to >= shown.length) return speak(t('host.moved', { offer: fullTitle(this.offers.get(id)), n: at + 1, of: shown.length }));
    return this.place(id, by < 0 ? shown[to] : shown[to + 1] ?? null);
  }

  /** Before that one, or last. It stands there at once; should the server refuse, it goes back. */
  place(id, before) {
    const order = this.movable().filter((one) => one !== id);
    const at = before === null ? order.length : order.indexOf(before);
    order.splice(at, 0, id);
    this.wanted = new Map(order.map((one, index) => [one, index + 1]));
    const focused = document.activeElement;
    this.paint();
    if (this.rows.get(id).root.contains(focused)) focused.focus();
    speak(t('host.moved', { offer: fullTitle(this.offers.get(id)), n: at + 1, of: order.length }));
    return this.sendOrder();
  }

  /** One at a time; what was moved meanwhile goes out after it. */
  async sendOrder() {
    this.unsent = true;
    if (this.sending) return;
    this.sending = true;
    let second = false;
    try {
      while (this.unsent) {
        this.unsent = false;
        try {
          const { items } = await putRest(`/streams/${this.stream.id}/rundown`, { offers: this.movable() });
          for (const offer of items) this.note(offer);
          second = false;
        } catch (problem) {
          // Another host may have added or ended one that is not known here yet.
          if (problem.code !== 'bad_request' || second) throw problem;
          second = this.unsent = true;
          await this.load();
        }
      }
    } catch (problem) {
      this.tell(problem);
      await this.load();
    } finally {
      this.sending = false;
      this.wanted = null;
      this.paint();
    }
  }

  // ---- what a host does ----

  /** Every verb the same way: refused in words, and the answer counts at once without waiting for the room. */
  async act(button, verb) {
    await busy(button, async () => {
      const answer = await verb();
      if (answer?.id && answer.status) this.note(answer);
      this.paint();
    }, this.tell);
  }

  pin(offer, button) {
    return this.act(button, () => putRest(`/streams/${this.stream.id}/pin`, { offer: offer.id }));
  }

  unpin(button) {
    return this.pinned ? this.act(button, () => del(`/streams/${this.stream.id}/pin`)) : undefined;
  }

  /** The next piece in the order of the run-down that can be shown. */
  pinNext() {
    const now = this.client.now();
    const able = this.ordered().filter((offer) => ['soon', 'live', 'low', 'paused', 'sold_out_for_now'].includes(phaseOf(offer, now)));
    if (!able.length) return undefined;
    const at = able.findIndex((offer) => offer.id === this.pinned);
    return this.pin(able[(at + 1) % able.length]);
  }

  /** Who sees what is about to happen. */
  seen(text) {
    return `${text} ${t('host.seen_by', { n: this.client.state.viewers })}`;
  }

  /** A sale that begins asks once, unless the form it comes from was the question; one that goes on does not. */
  async open(offer, button, { sure = offer.status !== 'draft' } = {}) {
    const price = money(offer.price, offer.currency);
    const text = t(`host.open_${offer.kind}`, { offer: fullTitle(offer), price, n: offer.quantity, s: offer.countdown_s, m: Math.round((offer.duration_s ?? 0) / 60) });
    const yes = sure || await confirmDialog({ title: t('host.start_sale'), text: this.seen(text), yes: t('host.open') });
    return yes ? this.act(button, () => post(`/offers/${offer.id}/open`)) : undefined;
  }

  async pause(offer, button) {
    const yes = await confirmDialog({ title: t('host.pause'), text: this.seen(t('host.pause_sure', { offer: fullTitle(offer) })), yes: t('host.pause') });
    return yes ? this.act(button, () => post(`/offers/${offer.id}/pause`)) : undefined;
  }

  /** When a draft begins by itself; empty: when the host starts it. */
  async plan(offer, button) {
    const answer = await askTime({ title: t('host.plan'), text: fullTitle(offer), value: offer.starts_at, now: () => this.client.now() });
    return answer ? this.act(button, () => putRest(`/offers/${offer.id}/plan`, answer)) : undefined;
  }

  extend(offer, button) {
    return this.act(button, () => post(`/offers/${offer.id}/extend`, { seconds: 60 }));
  }

  async close(offer, button) {
    const yes = offer.status === 'draft' || await confirmDialog({ title: t('host.stop'), text: this.seen(t('host.close_sure', { offer: fullTitle(offer), n: offer.left })), yes: t('host.stop'), danger: true });
    return yes ? this.act(button, () => post(`/offers/${offer.id}/close`)) : undefined;
  }

  async restock(offer, button) {
    const add = await askNumber({ title: t('host.restock'), text: fullTitle(offer), label: t('host.units'), min: 1, max: 100_000, test: 'restock' });
    return add ? this.act(button, () => post(`/offers/${offer.id}/restock`, { add })) : undefined;
  }

  // ---- painting ----

  paint() {
    const now = this.client.now();
    const offers = this.ordered();
    const words = this.search.value.trim().toLowerCase();
    offers.forEach((offer, index) => {
      if (!this.rows.has(offer.id)) this.rows.set(offer.id, new Row(offer, this));
      const row = this.rows.get(offer.id);
      if (this.node.children[index] !== row.root) this.node.insertBefore(row.root, this.node.children[index] ?? null);
      row.paint(offer, now, offer.id === this.pinned, index);
      show(row.root, !words || JSON.stringify([offer.title, offer.titles, offer.variant_name, offer.variant_names]).toLowerCase().includes(words));
    });
    show(this.empty, this.loaded && offers.length === 0);
  }
}
