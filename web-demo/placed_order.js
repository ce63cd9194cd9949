// A placed order: how, where and until when it is paid, as its buyer reads it.

import { formatDateTime, formatMoney, t } from './i18n.js';
import { orderNumber } from './order_lines.js';
import { totalOf } from './order_quote.js';
import { el } from './ui.js';

/** @import { Child, Order } from './types.d.ts' */

/** The ways to pay without a payment provider. */
export const MANUAL_METHODS = ['cash_on_delivery', 'bank_transfer'];

/**
 * What the buyer of a placed order has to do; null: the order is not placed.
 * @param {Order} order
 * @returns {HTMLElement | null}
 */
export function placedPart(order) {
  const { placement, bank_details } = order;
  if (order.status !== 'placed' || !placement) return null;
  const amount = formatMoney(totalOf(order), order.currency);
  if (placement.method === 'cash_on_delivery') {
    return el('section.placed-how', { 'data-test': 'placed' }, el('p', {}, t('placed.cash', { amount })));
  }
  /** @type {(label: string, ...value: Child[]) => HTMLElement[]} */
  const row = (label, ...value) => [el('dt', {}, label), el('dd', {}, ...value)];
  return el(
    'section.placed-how',
    { 'data-test': 'placed' },
    el('p', {}, t('placed.transfer')),
    el(
      'dl',
      {},
      row(t('placed.amount'), el('bdi.num', {}, amount)),
      row(t('placed.due'), formatDateTime(placement.due_at)),
      row(t('placed.reference'), el('bdi.num', { dir: 'ltr', 'data-test': 'placed-reference' }, orderNumber(order))),
      row(
        t('placed.pay_to'),
        el('span.bank-details', { dir: 'auto', 'data-test': 'bank-details' }, bank_details ?? ''),
      ),
    ),
  );
}
