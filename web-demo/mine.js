// One's own orders: the list under "Mine", and the reminder over the card while something is held.

import { clock, money, t, timeOfDay } from './i18n.js';
import { fullTitle } from './offer.js';
import { el, picture, put, show } from './ui.js';

/** Still to be decided: a hold that runs, or a payment under way. */
export const active = (order) => order.status === 'held' || order.status === 'capturing';

export class Mine {
  constructor({ client, list, empty, chip, onorder }) {
    Object.assign(this, { client, list, empty, chip, onorder });
    this.chipText = el('span');
    this.chipClock = el('bdi', { dir: 'ltr' });
    chip.replaceChildren(this.chipText, this.chipClock);
    chip.addEventListener('click', () => { const order = this.held(); if (order) onorder(order); });
  }

  /** After time away: what became of the orders that were still open. */
  refresh(buyer) {
    for (const order of this.client.orders.values()) if (active(order)) buyer.refresh(order).catch(() => {});
  }

  /** The hold that ends first. */
  held() {
    const orders = [...this.client.orders.values()].filter((order) => order.stream === this.client.stream && active(order));
    return orders.sort((a, b) => a.hold_until - b.hold_until)[0];
  }

  paint(now, covered) {
    const orders = [...this.client.orders.values()].sort((a, b) => b.created_at - a.created_at);
    const print = orders.map((order) => `${order.id}${order.version}`).join();
    if (print !== this.printed) {
      this.printed = print;
      this.list.replaceChildren(...orders.map((order) => this.row(order)));
      show(this.empty, orders.length === 0);
    }
    for (const node of this.list.querySelectorAll('[data-until]')) put(node, this.rest(Number(node.dataset.until)));
    this.paintChip(covered ? null : this.held(), now);
  }

  paintChip(order, now) {
    show(this.chip, Boolean(order));
    if (!order) return;
    put(this.chipText, order.status === 'capturing' ? t('order.capturing') : t('order.held_chip', { n: order.place }));
    put(this.chipClock, order.status === 'held' ? clock(order.hold_until - now) : '');
  }

  rest(until) {
    return clock(until - this.client.now());
  }

  /** An order of the list. */
  row(order) {
    const until = order.status === 'held' && el('bdi.countdown', { dir: 'ltr' });
    if (until) until.dataset.until = order.hold_until;
    return el('li', {}, el('button.order-row', { type: 'button', 'data-test': `order-${order.id}`, onclick: () => this.onorder(order) },
      picture(order.image),
      el('span.row-text', {}, el('bdi.row-title', {}, fullTitle(order)),
        el('small', {}, t('order.qty', { n: order.qty }), ' · ', el('bdi', {}, money(order.amount, order.currency)), ' · ', timeOfDay(order.created_at)),
        el('span.row-line', {}, el(`span.status.${order.status}`, {}, t(`status.${order.status}`)), until, order.place ? el('small', {}, t('order.place_short', { n: order.place })) : null)),
      active(order) && el('span.go', {}, t('order.finish'))));
  }
}
