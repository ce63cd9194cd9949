// What happens in the show, newest first: viewers who join, every purchase, low stock; and what the host should look at now.
//
// The chat merges purchases and may shorten names, as the shop chose. Here each purchase has a line with the name of its buyer, those
// from before the page was opened too: they are read from the orders of the show. Who may not read orders sees the events of the chat.

import { asRefusal, get } from '../api.js';
import { route } from '../base.js';
import { formatNumber, formatTime, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { el } from '../ui.js';
import { isTeamOfShop, outranks } from './rank.js';

/** @import { LiveClient, Offer, Order } from '../types.d.ts' */
/** @typedef {Order & { buyer_name: string }} Purchase */

const LINES_MAX = 500;
const PAGE = 100;
/** During a rush the orders are read together. */
const READ_MS = 1_500;
const COUNT_MS = 10_000;
const FALL_MS = 120_000;
const FALL_SHARE = 0.2;
/** In a smaller audience, one viewer who leaves is already a fall. */
const AUDIENCE_MIN = 10;
const LOW_SHARE = 0.1;

export class Activity {
  /**
   * @param {{ node: HTMLElement, stream: string, client: LiveClient, offerOf: (id: string) => Offer | undefined }} options
   */
  constructor({ node, stream, client, offerOf }) {
    this.client = client;
    this.stream = stream;
    this.offerOf = offerOf;
    const label = t('activity.title');
    this.list = el('ul.activity-list', { 'data-test': 'activity', tabindex: '0', 'aria-label': label });
    this.none = el('p.empty', {}, t('activity.none'));
    const all = isTeamOfShop() && el('a.button.slim.ghost', { href: route('/admin') }, t('activity.all_orders'));
    node.append(
      el('header', {}, el('h2', {}, label), all || ''),
      this.none,
      el('div', { role: 'log', 'aria-label': label }, this.list),
    );
    /** The offers whose stock is low. @type {Set<string>} */
    this.low = new Set();
    /** The audience of the last two minutes. @type {{ at: number, viewers: number }[]} */
    this.audience = [];
    /** @type {number | null} */
    this.failedPayments = null;
    this.isBrokerDown = false;
    /** The orders that have a line. @type {Set<string>} */
    this.listed = new Set();
    this.mayReadOrders = true;
    this.isReading = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    client.on('hello', () => {
      // The role may change with the next connection.
      this.mayReadOrders = outranks(client.you?.role, 'analyst');
      this.readLater(0);
    });
    client.on('event', (event, { replay }) => {
      if (replay || event.type !== 'purchased') return;
      if (this.mayReadOrders) this.readLater(READ_MS);
      else this.addPurchase(event.name, event.qty, this.titleOf(event.offer), event.at);
    });
    client.on('state', (changed) => {
      for (const id of changed) {
        const offer = client.state.offers.get(id);
        if (offer) this.checkStock(offer);
      }
      if (changed.has('delayed')) this.checkBroker();
    });
    setInterval(() => this.countViewers(), COUNT_MS);
  }

  /** @param {string} id */
  titleOf(id) {
    const offer = this.client.state.offers.get(id) ?? this.offerOf(id);
    return offer ? fullTitle(offer) : '';
  }

  /**
   * @param {string} text
   * @param {'order' | 'join' | 'alert'} kind
   */
  add(text, kind, at = this.client.now()) {
    this.none.hidden = true;
    const time = el('time.num', {}, formatTime(at));
    this.list.prepend(el(`li.activity-${kind}`, { 'data-test': `activity-${kind}` }, time, el('span', {}, text)));
    while (this.list.children.length > LINES_MAX) this.list.lastChild?.remove();
  }

  /**
   * @param {string} name
   * @param {number} qty
   * @param {string} offer
   * @param {number} at
   */
  addPurchase(name, qty, offer, at) {
    this.add(t('activity.bought', { name: name || t('event.someone'), qty: formatNumber(qty), offer }), 'order', at);
  }

  /** @param {number} ms */
  readLater(ms) {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.readOrders();
    }, ms);
  }

  /** Adds the paid orders that have no line yet. */
  async readOrders() {
    if (this.isReading || !this.mayReadOrders) return;
    this.isReading = true;
    try {
      for (const order of await this.newOrders()) {
        this.listed.add(order.id);
        this.addPurchase(order.buyer_name, order.qty, fullTitle(order), order.paid_at ?? order.created_at);
      }
    } catch (error) {
      // What cannot be read now is read with the next purchase.
      if (asRefusal(error).code === 'forbidden') this.mayReadOrders = false;
    } finally {
      this.isReading = false;
    }
  }

  /** The paid orders that have no line yet, oldest first: pages are read until one has nothing new. */
  async newOrders() {
    /** @type {Purchase[]} */
    const fresh = [];
    let after = '';
    do {
      /** @type {{ items: Purchase[], next: string | null }} */
      const { items, next } = await get(`/streams/${this.stream}/orders?status=paid&limit=${PAGE}${after}`);
      const unknown = items.filter(({ id }) => !this.listed.has(id));
      fresh.push(...unknown);
      if (!next || (items.length > 0 && !unknown.length)) break;
      after = `&after=${encodeURIComponent(next)}`;
    } while (fresh.length < LINES_MAX);
    return fresh.sort((a, b) => (a.paid_at ?? 0) - (b.paid_at ?? 0));
  }

  /** Every ten seconds: how many viewers joined, and whether the audience fell by a fifth within two minutes. */
  countViewers() {
    if (this.client.status !== 'live') return;
    const now = this.client.now();
    const { viewers } = this.client.state;
    const before = this.audience.at(-1)?.viewers;
    if (before !== undefined && viewers > before) this.add(t('activity.joined', { n: viewers - before }), 'join');
    this.audience = [...this.audience.filter(({ at }) => now - at < FALL_MS), { at: now, viewers }];
    const most = Math.max(...this.audience.map((sample) => sample.viewers));
    if (most < AUDIENCE_MIN || viewers > most * (1 - FALL_SHARE)) return;
    this.add(t('activity.fall', { share: formatNumber(Math.round((1 - viewers / most) * 100)) }), 'alert');
    this.audience = [{ at: now, viewers }]; // Each fall is reported once.
  }

  /** @param {Offer} offer */
  checkStock(offer) {
    const isLow = offer.status === 'open' && offer.left > 0 && offer.left < offer.quantity * LOW_SHARE;
    if (!isLow) return void this.low.delete(offer.id);
    if (!this.low.has(offer.id)) this.add(t('activity.low', { offer: fullTitle(offer), n: offer.left }), 'alert');
    this.low.add(offer.id);
  }

  checkBroker() {
    const isDown = Boolean(this.client.state.delayed);
    if (isDown === this.isBrokerDown) return;
    this.isBrokerDown = isDown;
    this.add(t(isDown ? 'activity.broker_down' : 'activity.broker_up'), isDown ? 'alert' : 'join');
  }

  /**
   * Reports payments that failed since the last report.
   * @param {{ payments_failed: number }} report
   */
  checkPayments({ payments_failed }) {
    const before = this.failedPayments;
    this.failedPayments = payments_failed;
    if (before !== null && payments_failed > before) {
      this.add(t('activity.failed', { n: payments_failed - before }), 'alert');
    }
  }
}
