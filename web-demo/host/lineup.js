// The line-up: every offer of the show, drafts too, and what a host can do with each.
//
// Drafts come by REST, because they are not in the room. The other offers come over the socket as well; of two views of
// the same offer the newer version counts.

import { asRefusal, del, post, put } from '../api.js';
import { compareVersions } from '../client.js';
import { formatMoney, locale, t } from '../i18n.js';
import { listAll } from '../list.js';
import { fullTitle, phaseOf } from '../offer.js';
import { finder } from '../search_text.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { timeSpan } from '../time_span.js';
import { setVisible } from '../ui.js';
import { addOnce } from './add_once.js';
import { askNumber, askTime, pinChoice } from './dialogs.js';
import { LineupOrder } from './lineup_order.js';
import { LineupRow } from './lineup_row.js';
import { askPayLater, takesLater } from './pay_later.js';
import { keepSaleChoices } from './sale_choices.js';

/** @import { LiveClient, Offer, Phase, Refusal, Shop, Stream } from '../types.d.ts' */
/** @typedef {HTMLButtonElement | null} Button */

const RELOAD_MS = 15_000;
const EXTEND_S = 60;
const RESTOCK_MAX = 100_000;
/** @type {Phase[]} */
const CAN_BE_PINNED = ['soon', 'live', 'low', 'paused', 'sold_out_for_now'];

export class Lineup {
  /**
   * @param {{
   *   list: HTMLElement,
   *   empty: HTMLElement,
   *   search: HTMLInputElement,
   *   client: LiveClient,
   *   stream: Stream,
   *   shop: Shop,
   *   onrefused: (refusal: Refusal) => void,
   * }} options
   */
  constructor({ list, empty, search, client, stream, shop, onrefused }) {
    this.list = list;
    this.empty = empty;
    this.search = search;
    this.client = client;
    this.path = `/streams/${stream.id}`;
    this.takesLater = takesLater(shop);
    this.onrefused = onrefused;
    this.isLoaded = false;
    /** @type {Map<string, Offer>} */
    this.offers = new Map();
    /** @type {Map<string, LineupRow>} */
    this.rows = new Map();
    this.order = new LineupOrder(this);
    search.addEventListener('input', () => this.paint());
    search.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      search.value = '';
      this.paint();
    });
    setInterval(() => {
      if (!document.hidden) this.load();
    }, RELOAD_MS);
  }

  async load() {
    try {
      /** @type {Offer[]} */
      const offers = await listAll(`${this.path}/offers`);
      for (const offer of offers) this.apply(offer);
      this.isLoaded = true;
      this.paint();
    } catch (error) {
      if (!this.isLoaded) this.onrefused(asRefusal(error));
    } finally {
      document.body.dataset.ready = 'true'; // The console is shown with its offers, or with the reason why not.
    }
  }

  /** @param {Offer} offer */
  apply(offer) {
    const known = this.offers.get(offer.id);
    if (!known || compareVersions(offer.v, known.v) >= 0) this.offers.set(offer.id, offer);
  }

  get pinned() {
    return this.client.state.pin?.offer ?? null;
  }

  /** The offers in their order; those that have ended come last. */
  ordered() {
    const now = this.client.now();
    /** @param {Offer} offer */
    const isOver = (offer) => Number(phaseOf(offer, now) === 'ended');
    /** @param {Offer} offer */
    const position = (offer) => this.order.wanted?.get(offer.id) ?? offer.position;
    return [...this.offers.values()].sort(
      (a, b) => isOver(a) - isOver(b) || position(a) - position(b) || (a.id < b.id ? -1 : 1),
    );
  }

  // ---- What a host does ----

  /**
   * Runs a verb. A refusal is shown, and the answer counts at once, without waiting for the room.
   * @param {Button | undefined} button
   * @param {() => Promise<Offer | null>} verb
   */
  async act(button, verb) {
    await withBusy(
      button,
      async () => {
        const answer = await verb();
        if (answer?.id && answer.status) this.apply(answer);
        this.paint();
      },
      this.onrefused,
    );
  }

  /**
   * @param {Offer} offer
   * @param {Button} [button]
   */
  pin(offer, button) {
    return this.act(button, () => put(`${this.path}/pin`, { offer: offer.id }));
  }

  /** @param {Button} [button] */
  async unpin(button) {
    if (this.pinned) await this.act(button, () => del(`${this.path}/pin`));
  }

  /** The next offer of the line-up that can be shown. @returns {Offer | undefined} */
  nextOffer() {
    const now = this.client.now();
    const able = this.ordered().filter((offer) => CAN_BE_PINNED.includes(phaseOf(offer, now)));
    const index = able.findIndex((offer) => offer.id === this.pinned);
    return able[(index + 1) % able.length];
  }

  async pinNext() {
    const next = this.nextOffer();
    if (next) await this.pin(next);
  }

  /**
   * A text, and how many viewers see what is about to happen.
   * @param {string} text
   */
  withAudience(text) {
    return `${text} ${t('host.seen_by', { n: this.client.state.viewers })}`;
  }

  /**
   * Opens an offer. The start of a sale asks once, unless the offer form was the question; a paused sale just resumes.
   * A sale that starts is pinned, unless the host chose otherwise; a refused start pins nothing.
   * @param {Offer} offer
   * @param {Button} button
   * @param {{ isSure?: boolean, isPinned?: boolean }} [options] of the offer form, which asked both questions
   */
  async open(offer, button, { isSure = offer.status !== 'draft', isPinned = false } = {}) {
    const pin = pinChoice();
    const text = t(`host.open_${offer.kind}`, {
      offer: fullTitle(offer),
      price: formatMoney(offer.price, offer.currency),
      n: offer.quantity,
      countdown: timeSpan(locale, offer.countdown_s ?? 0),
      length: timeSpan(locale, offer.duration_s ?? 0),
    });
    const question = {
      title: t('host.start_sale'),
      text: this.withAudience(text),
      yes: t('host.open'),
      more: pin.node,
    };
    if (!isSure && !(await confirmDialog(question))) return;
    if (!isSure) keepSaleChoices({ pin: pin.isChosen() });
    let isOpen = false;
    await this.act(button, async () => {
      const answer = await post(`/offers/${offer.id}/open`);
      isOpen = true;
      return answer;
    });
    if (isOpen && (isSure ? isPinned : pin.isChosen())) await this.pin(offer);
  }

  /**
   * @param {Offer} offer
   * @param {Button} button
   */
  async pause(offer, button) {
    const text = this.withAudience(t('host.pause_sure', { offer: fullTitle(offer) }));
    const yes = await confirmDialog({ title: t('host.pause'), text, yes: t('host.pause') });
    if (yes) await this.act(button, () => post(`/offers/${offer.id}/pause`));
  }

  /**
   * Sets when a draft begins by itself, or removes this time.
   * @param {Offer} offer
   * @param {Button} button
   */
  async schedule(offer, button) {
    const now = () => this.client.now();
    const answer = await askTime({ title: t('host.schedule'), text: fullTitle(offer), value: offer.starts_at, now });
    if (answer) await this.act(button, () => put(`/offers/${offer.id}/schedule`, answer));
  }

  /**
   * @param {Offer} offer
   * @param {Button} button
   */
  extend(offer, button) {
    return this.act(button, () => addOnce(`/offers/${offer.id}/extend`, { seconds: EXTEND_S }));
  }

  /**
   * @param {Offer} offer
   * @param {Button} button
   */
  async close(offer, button) {
    const text = this.withAudience(t('host.close_sure', { offer: fullTitle(offer), n: offer.left }));
    const question = { title: t('host.stop'), text, yes: t('host.stop'), danger: true };
    const yes = offer.status === 'draft' || (await confirmDialog(question));
    if (yes) await this.act(button, () => post(`/offers/${offer.id}/close`));
  }

  /**
   * @param {Offer} offer
   * @param {Button} button
   */
  async restock(offer, button) {
    const add = await askNumber({
      title: t('host.restock_pool'),
      text: fullTitle(offer),
      label: t('host.units'),
      min: 1,
      max: RESTOCK_MAX,
      test: 'restock',
    });
    if (add) await this.act(button, () => addOnce(`/offers/${offer.id}/restock`, { add }));
  }

  /**
   * Says whether buyers can pay an offer later, also while it is on sale.
   * @param {Offer} offer
   * @param {Button} button
   */
  async payLater(offer, button) {
    const answer = await askPayLater(offer, fullTitle(offer));
    if (answer) await this.act(button, () => put(`/offers/${offer.id}/pay-later`, answer));
  }

  // ---- Painting ----

  /**
   * Scrolls a new offer into view.
   * @param {string} id
   */
  reveal(id) {
    this.paint();
    this.rows.get(id)?.root.scrollIntoView({ block: 'nearest' });
  }

  paint() {
    const now = this.client.now();
    const offers = this.ordered();
    const isFound = finder(this.search.value);
    offers.forEach((offer, index) => {
      const row = this.rows.get(offer.id) ?? new LineupRow(offer, this);
      this.rows.set(offer.id, row);
      const place = this.list.children[index] ?? null;
      if (place !== row.root) this.list.insertBefore(row.root, place);
      row.paint(offer, now, offer.id === this.pinned, index);
      const { title, titles, variant_name, variant_names } = offer;
      const texts = [title, variant_name, ...Object.values(titles), ...Object.values(variant_names)];
      setVisible(row.root, isFound(texts.join(' ')));
    });
    setVisible(this.empty, this.isLoaded && offers.length === 0);
  }
}
