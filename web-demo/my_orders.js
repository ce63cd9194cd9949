// One's own orders: the list under "My orders", and the reminder over the card while a reservation is held.

import { formatDuration, formatMoney, formatTime, t } from './i18n.js';
import { linesOf, orderTitle } from './order_lines.js';
import { totalOf } from './order_quote.js';
import { el, picture, queryAll, setText, setVisible } from './ui.js';

/** @import { LiveClient, Order } from './types.d.ts' */
/** @import { OrderClient } from './order_client.js' */

/**
 * Whether an order is still open: its reservation is held, or its payment is in progress.
 * @param {Order} order
 */
export const isOpen = (order) => order.status === 'held' || order.status === 'capturing';

/** @param {Iterable<Order>} orders */
export const newestFirst = (orders) => [...orders].sort((a, b) => b.created_at - a.created_at);

/** Changes when one of the orders changes. @param {Order[]} orders */
export const fingerprint = (orders) => orders.map((order) => `${order.id}${order.version}`).join();

/**
 * The row of one order.
 * @param {Order} order
 * @param {(order: Order) => void} onorder
 */
export function orderRow(order, onorder) {
  const rest = order.status === 'held' && el('bdi.countdown', { dir: 'ltr', 'data-until': order.hold_until });
  const place =
    order.place && linesOf(order).length === 1 ? el('small', {}, t('order.place_short', { n: order.place })) : null;
  return el(
    'li',
    {},
    el(
      'button.order-row',
      {
        type: 'button',
        'data-test': `order-${order.id}`,
        onclick: () => onorder(order),
      },
      picture(order.image, order),
      el(
        'span.row-text',
        {},
        el('bdi.row-title', {}, orderTitle(order)),
        el(
          'small',
          {},
          t('order.qty', { n: order.qty }),
          ' · ',
          el('bdi', {}, formatMoney(totalOf(order), order.currency)),
          ' · ',
          formatTime(order.created_at),
        ),
        el('span.row-line', {}, el(`span.status.${order.status}`, {}, t(`status.${order.status}`)), rest, place),
      ),
      isOpen(order) && el('span.go', {}, t('order.pay_short')),
    ),
  );
}

/**
 * Repaints the countdowns of the rows.
 * @param {HTMLElement} root
 * @param {number} now
 */
export function paintCountdowns(root, now) {
  for (const node of queryAll('[data-until]', root)) {
    setText(node, formatDuration(Number(node.dataset.until) - now));
  }
}

export class MyOrders {
  /**
   * @param {{
   *   client: LiveClient,
   *   list: HTMLElement,
   *   empty: HTMLElement,
   *   chip: HTMLElement,
   *   onorder: (order: Order) => void,
   * }} options `chip` is the reminder over the card
   */
  constructor({ client, list, empty, chip, onorder }) {
    this.client = client;
    this.list = list;
    this.empty = empty;
    this.chip = chip;
    this.onorder = onorder;
    /** @type {string | null} */
    this.painted = null;
    this.chipText = el('span');
    this.chipClock = el('bdi', { dir: 'ltr' });
    chip.replaceChildren(this.chipText, this.chipClock);
    chip.addEventListener('click', () => {
      const order = this.nextToExpire();
      if (order) onorder(order);
    });
  }

  /**
   * After time away: loads the orders that were still open.
   * @param {OrderClient} orderClient
   */
  refresh(orderClient) {
    for (const order of this.client.orders.values()) if (isOpen(order)) orderClient.refresh(order).catch(() => {});
  }

  /** The open order of this show whose reservation expires first. */
  nextToExpire() {
    const { orders, stream } = this.client;
    const open = [...orders.values()].filter((order) => order.stream === stream && isOpen(order));
    return open.sort((a, b) => a.hold_until - b.hold_until)[0];
  }

  /**
   * @param {number} now
   * @param {boolean} isCovered a sheet shows the order, so the reminder is not needed
   */
  paint(now, isCovered) {
    const orders = newestFirst(this.client.orders.values());
    const print = fingerprint(orders);
    if (print !== this.painted) {
      this.painted = print;
      this.list.replaceChildren(...orders.map((order) => orderRow(order, this.onorder)));
      setVisible(this.empty, orders.length === 0);
    }
    paintCountdowns(this.list, now);
    this.paintChip(isCovered ? undefined : this.nextToExpire(), now);
  }

  /**
   * @param {Order | undefined} order
   * @param {number} now
   */
  paintChip(order, now) {
    setVisible(this.chip, Boolean(order));
    if (!order) return;
    const isPaying = order.status === 'capturing';
    setText(this.chipText, isPaying ? t('order.capturing') : t('order.held_chip', { n: order.place }));
    setText(this.chipClock, isPaying ? '' : formatDuration(order.hold_until - now));
  }
}
