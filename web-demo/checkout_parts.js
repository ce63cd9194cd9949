// The parts of the checkout sheet: the status line, the clock of the reservation, the summary, and how the order ended.

import { formatDuration, formatMoney, formatTime, t } from './i18n.js';
import { lineList, linesOf, numberBefore, orderTitle } from './order_lines.js';
import { el, icon, picture, setText } from './ui.js';

/** @import { Order, Refusal } from './types.d.ts' */

/** The last minute of a reservation is marked. */
const SOON_MS = 60_000;

export const spinner = () => el('div.spinner', { 'aria-hidden': 'true' });

/**
 * @param {string} text
 * @param {string} status
 * @param {'alert' | 'status'} [role]
 */
export function statusLine(text, status, role) {
  const node = el('p', { 'data-test': 'order-status', 'data-status': status, role }, text);
  node.classList.toggle('big', role !== 'status');
  return node;
}

/** How long the units are still reserved. */
export class HoldClock {
  /** @param {Order} order */
  constructor(order) {
    this.whole = Math.max(1, order.hold_until - order.created_at);
    this.clock = el('bdi.hold-clock', { dir: 'ltr', 'data-test': 'hold-clock' });
    this.bar = el('i');
    this.line = el('p.hold-line', {}, t('order.held_for'), ' ', this.clock);
    this.root = el(
      'div.hold',
      {},
      el('span.for-reader', { 'data-test': 'order-status', 'data-status': 'held' }, t('order.held')),
      // With several lines, each has a place of its own.
      linesOf(order).length === 1 &&
        el('p.place', { 'data-test': 'order-place' }, t('order.place', { n: order.place })),
      this.line,
      el('span.hold-bar', { 'aria-hidden': 'true' }, this.bar),
    );
  }

  /** @param {number} rest */
  paint(rest) {
    setText(this.clock, formatDuration(rest));
    this.bar.style.inlineSize = `${Math.max(0, Math.min(100, (rest / this.whole) * 100))}%`;
    this.line.dataset.soon = String(rest < SOON_MS);
  }
}

/** @param {Order} order */
export function orderSummary(order) {
  const bought = order.created_at ? ` · ${formatTime(order.created_at)}` : '';
  const summary = el(
    'div.summary',
    {},
    picture(order.image, order),
    el(
      'span.summary-text',
      {},
      el('bdi', {}, orderTitle(order)),
      el('small', {}, numberBefore(order), t('order.qty', { n: order.qty }), bought),
    ),
    el('bdi.price', { 'data-test': 'order-amount' }, formatMoney(order.amount, order.currency)),
  );
  return [summary, lineList(order)];
}

/**
 * How an order ended.
 * @param {Order} order
 * @param {Refusal | undefined} failure why the last attempt to pay failed
 */
export function outcome(order, failure) {
  const [sign, title, more] = outcomeTexts(order, failure);
  const place = order.status === 'paid' || order.status === 'placed' ? { 'data-test': 'order-place' } : {};
  return el(
    `div.verdict.${order.status}`,
    {},
    el('span.seal', {}, icon(sign)),
    statusLine(title, order.status),
    more && el('p', place, more),
  );
}

/**
 * @param {Order} order
 * @param {Refusal | undefined} failure
 */
function outcomeTexts(order, failure) {
  const hasFailed = order.reason === 'capture_failed' || failure?.code === 'capture_failed';
  switch (order.status) {
    case 'placed':
      return ['check', t('order.placed'), linesOf(order).length === 1 ? t('order.place', { n: order.place }) : ''];
    case 'paid':
      return ['check', t('order.paid'), linesOf(order).length === 1 ? t('order.place', { n: order.place }) : ''];
    case 'expired':
      return ['clock', t('order.expired'), t('order.expired_more')];
    case 'cancelled':
      if (order.reason === 'card_limit') return ['close', t('order.cancelled'), t('error.card_limit')];
      if (order.reason === 'shop_cancel') return ['close', t('order.cancelled_by_shop'), t('order.cancelled_more')];
      if (order.reason === 'not_paid_in_time') {
        // Cash is paid when the parcel arrives: the shop did not send it.
        const isCash = order.placement?.method === 'cash_on_delivery';
        return isCash
          ? ['close', t('order.not_sent_in_time'), t('order.no_charge')]
          : ['close', t('order.not_paid_in_time'), t('order.cancelled_more')];
      }
      return ['close', t(hasFailed ? 'order.capture_failed' : 'order.cancelled'), t('order.no_charge')];
    case 'refunded':
      return ['back', t('order.refunded'), ''];
    default:
      return ['bag', order.status, ''];
  }
}
