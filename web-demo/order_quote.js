// What an order costs: its goods, the delivery, the tax and the total, as the server computed it.

import { formatMoney, t } from './i18n.js';
import { el } from './ui.js';

/** @import { Order, OrderQuote } from './types.d.ts' */

/**
 * What the buyer pays or paid. An order without a quote costs the sum of its lines.
 * @param {Order} order
 * @param {OrderQuote} [quote] that of a held order, if it is known
 */
export const totalOf = (order, quote = order.quote) => quote?.total ?? order.amount;

/**
 * The parts of the total, with their labels; none where the total is the sum of the lines and there is nothing to say about tax.
 * @param {OrderQuote | undefined} quote
 * @returns {[label: string, amount: string][]}
 */
export function quoteRows(quote) {
  if (!quote || (quote.total === quote.goods && !quote.tax && !quote.joins && !quote.discount)) return [];
  /** @param {number} amount */
  const money = (amount) => formatMoney(amount, quote.currency);
  /** @type {[string, string][]} */
  const rows = [[t('quote.goods'), money(quote.goods)]];
  if (quote.discount) rows.push([t('quote.discount'), money(-quote.discount)]);
  if (quote.joins) rows.push([t('quote.delivery_joined'), money(0)]);
  else if (quote.delivery) rows.push([t('quote.delivery'), money(quote.delivery)]);
  if (quote.tax && !quote.tax_included) rows.push([t('quote.tax_added'), money(quote.tax)]);
  return rows;
}

/**
 * The tax that the total contains; null where none is included.
 * @param {OrderQuote | undefined} quote
 */
export function includedTax(quote) {
  if (!quote?.tax || !quote.tax_included) return null;
  return t('quote.tax_included', { amount: formatMoney(quote.tax, quote.currency) });
}

/**
 * The total of an order under its parts.
 * @param {Order} order
 * @param {OrderQuote} [quote]
 */
export function quoteTable(order, quote = order.quote) {
  const parts = quoteRows(quote).map(([label, amount]) =>
    el('p.quote-part', {}, el('span', {}, label), el('bdi.num', {}, amount)),
  );
  const tax = includedTax(quote);
  return el(
    'div.order-quote',
    { 'data-test': 'order-quote' },
    parts,
    el(
      'p.total',
      {},
      el('span', {}, t('order.total')),
      el('bdi.price', { 'data-test': 'order-total' }, formatMoney(totalOf(order, quote), order.currency)),
    ),
    tax && el('p.quote-tax', {}, tax),
  );
}
