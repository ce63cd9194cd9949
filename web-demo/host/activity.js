// What happens in the show, newest first: viewers who join, purchases, low stock; and what the host should look at now.

import { formatNumber, formatTime, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { el } from '../ui.js';

/** @import { LiveClient, Offer } from '../types.d.ts' */

const LINES_MAX = 60;
const COUNT_MS = 10_000;
const FALL_MS = 120_000;
const FALL_SHARE = 0.2;
/** In a smaller audience, one viewer who leaves is already a fall. */
const AUDIENCE_MIN = 10;
const LOW_SHARE = 0.1;

export class Activity {
  /**
   * @param {{ node: HTMLElement, client: LiveClient, offerOf: (id: string) => Offer | undefined }} options
   */
  constructor({ node, client, offerOf }) {
    this.client = client;
    this.offerOf = offerOf;
    const label = t('activity.title');
    this.list = el('ul.activity-list', { 'data-test': 'activity', tabindex: '0', 'aria-label': label });
    this.none = el('p.empty', {}, t('activity.none'));
    node.append(el('h2', {}, label), this.none, el('div', { role: 'log', 'aria-label': label }, this.list));
    /** The offers whose stock is low. @type {Set<string>} */
    this.low = new Set();
    /** The audience of the last two minutes. @type {{ at: number, viewers: number }[]} */
    this.audience = [];
    /** @type {number | null} */
    this.failedPayments = null;
    this.isBrokerDown = false;
    client.on('event', (event, { replay }) => {
      if (replay || event.type !== 'purchased') return;
      const { qty, offer } = event;
      const name = event.name || t('event.someone');
      this.add(t('activity.bought', { name, qty: formatNumber(qty), offer: this.titleOf(offer) }), 'order');
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
  add(text, kind) {
    this.none.hidden = true;
    const time = el('time.num', {}, formatTime(this.client.now()));
    this.list.prepend(el(`li.activity-${kind}`, { 'data-test': `activity-${kind}` }, time, el('span', {}, text)));
    while (this.list.children.length > LINES_MAX) this.list.lastChild?.remove();
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
