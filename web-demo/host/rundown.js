// The run-down: every offer of the show, drafts too, and what a host can do with each.
//
// Drafts come by REST, because they are not in the room; the others come by the socket as well, and of two accounts
// of the same offer the newer version stands.

import { del, post, put as putRest } from '../api.js';
import { compareVersions } from '../client.js';
import { clock, money, number, t } from '../i18n.js';
import { list } from '../list.js';
import { countdownOf, fullTitle, phaseOf } from '../offer.js';
import { busy, confirmDialog } from '../sheet.js';
import { el, icon, picture, put, show } from '../ui.js';
import { askNumber } from './form.js';

const REFRESH_MS = 15_000;

export class Rundown {
  constructor({ list: node, empty, client, stream, tell }) {
    Object.assign(this, { node, empty, client, stream, tell });
    this.offers = new Map();
    this.rows = new Map();
    setInterval(() => { if (!document.hidden) this.load(); }, REFRESH_MS);
  }

  async load() {
    try {
      for (const offer of await list(`/streams/${this.stream.id}/offers`)) this.note(offer);
      this.loaded = true;
      this.paint();
    } catch (problem) {
      if (!this.loaded) this.tell(problem);
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
    return [...this.offers.values()].sort((a, b) => over(a) - over(b) || (a.id < b.id ? -1 : 1));
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

  open(offer, button) {
    return this.act(button, () => post(`/offers/${offer.id}/open`));
  }

  pause(offer, button) {
    return this.act(button, () => post(`/offers/${offer.id}/pause`));
  }

  extend(offer, button) {
    return this.act(button, () => post(`/offers/${offer.id}/extend`, { seconds: 60 }));
  }

  async close(offer, button) {
    const yes = offer.status === 'draft' || await confirmDialog({ title: t('host.close'), text: t('host.close_sure', { offer: fullTitle(offer), n: offer.left }), yes: t('host.close'), danger: true });
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
    offers.forEach((offer, index) => {
      if (!this.rows.has(offer.id)) this.rows.set(offer.id, new Row(offer, this));
      const row = this.rows.get(offer.id);
      if (this.node.children[index] !== row.root) this.node.insertBefore(row.root, this.node.children[index] ?? null);
      row.paint(offer, now, offer.id === this.pinned, index);
    });
    show(this.empty, this.loaded && offers.length === 0);
  }
}

class Row {
  constructor({ id }, rundown) {
    const button = (name, sign, act, look = 'slim') => {
      const node = el(`button.${look}`, { type: 'button', 'data-test': `${name}-${id}`, onclick: () => act.call(rundown, this.offer, node) }, sign && icon(sign), t(`host.${name}`));
      return node;
    };
    this.number = el('span.row-number');
    this.image = el('span.row-image');
    this.title = el('bdi.row-title');
    this.facts = el('small.row-facts');
    this.stock = el('small.row-left', { 'data-test': `left-${id}` });
    this.status = el('span.status', { 'data-test': `status-${id}` });
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.buttons = {
      pin: button('pin', 'pin', rundown.pin, 'slim.primary'), unpin: button('unpin', 'pin', (_, node) => rundown.unpin(node)),
      open: button('open', 'play', rundown.open, 'slim.primary'), pause: button('pause', 'pause', rundown.pause),
      restock: button('restock', 'plus', rundown.restock), close: button('close', null, rundown.close, 'slim.ghost'),
    };
    this.root = el('li.rundown-row', { 'data-test': `row-${id}` },
      el('div.row-head', {}, this.number, this.image, el('div.row-text', {}, this.title, this.facts, el('span.row-line', {}, this.status, this.countdown, this.stock))),
      el('div.row-actions', {}, Object.values(this.buttons)));
  }

  paint(offer, now, pinned, index) {
    const phase = phaseOf(offer, now);
    if (offer !== this.offer) {
      if (!this.offer || offer.image !== this.offer.image) this.image.replaceChildren(picture(offer.image));
      put(this.title, fullTitle(offer));
      this.facts.replaceChildren(el('bdi', {}, money(offer.price, offer.currency)), ' · ', t(`host.kind_${offer.kind}`), ' · ', t('host.per_buyer_short', { n: offer.per_buyer }));
      this.offer = offer;
    }
    put(this.number, number(index + 1));
    put(this.stock, t('host.stock', { left: offer.left, n: offer.quantity }));
    put(this.status, pinned ? t('host.pinned') : t(`phase.${phase}`));
    this.root.dataset.phase = phase;
    this.root.dataset.pinned = pinned;
    const rest = countdownOf(offer, now);
    show(this.countdown, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    const running = ['soon', 'live', 'low', 'sold_out', 'sold_out_for_now'].includes(phase);
    const { pin, unpin, open, pause, restock, close } = this.buttons;
    show(pin, (running || phase === 'paused') && !pinned);
    show(unpin, pinned);
    show(open, phase === 'draft' || phase === 'paused');
    open.lastChild.textContent = t(phase === 'paused' ? 'host.resume' : 'host.open');
    show(pause, phase === 'live' || phase === 'low');
    show(restock, running || phase === 'paused');
    show(close, phase !== 'ended');
    close.lastChild.textContent = t(phase === 'draft' ? 'host.discard' : 'host.close');
  }
}
