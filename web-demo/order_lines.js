// The lines of an order: which of them count, and how they are named.

import { formatMoney, t } from './i18n.js';
import { fullTitle } from './offer.js';
import { el } from './ui.js';

/** @import { Order, Reservation } from './client.d.ts' */

/** @param {{ status: string }} line */
const hasEnded = ({ status }) => status === 'expired' || status === 'cancelled';

/**
 * The lines that count: those that ended do not, unless all of them did. The reply to a purchase has no lines; it is its own.
 * @param {Order} order
 * @returns {(Order | Reservation)[]}
 */
export function linesOf(order) {
  const lines = order.lines ?? [];
  const counted = lines.filter((line) => !hasEnded(line));
  if (counted.length) return counted;
  return lines.length ? lines : [order];
}

/**
 * The lines that are gone from an order of which others are left.
 * @param {Order} order
 */
export const goneLines = (order) => (hasEnded(order) ? [] : (order.lines ?? []).filter(hasEnded));

/**
 * The title of an order in one line: of its first line, and how many others there are.
 * @param {Order} order
 */
export function orderTitle(order) {
  const [first, ...others] = linesOf(order);
  return others.length ? t('order.and_more', { title: fullTitle(first), n: others.length }) : fullTitle(first);
}

/**
 * `#1042`, or the id of an order without a number.
 * @param {Order} order
 */
export const orderNumber = ({ id, number }) => (number ? `#${number}` : id);

/**
 * The number with the point after it, where more text follows; nothing for an order without a number. The point stands outside of the
 * number, which reads from left to right in every language.
 * @param {Order} order
 */
export const numberBefore = ({ number }) => (number ? [el('bdi', { dir: 'ltr' }, `#${number}`), ' · '] : null);

/**
 * The list of what is in an order with several lines; nothing for one line, which its summary names.
 * @param {Order} order
 */
export function lineList(order) {
  const lines = linesOf(order);
  const gone = goneLines(order);
  if (lines.length + gone.length < 2) return null;
  /** @param {Order | Reservation} line */
  const row = (line, isGone = false) =>
    el(
      'li',
      { 'data-line': line.id, 'data-gone': String(isGone) },
      el('bdi', {}, fullTitle(line)),
      ' ',
      el('small', {}, t('order.qty', { n: line.qty })),
      el('bdi.num', {}, isGone ? t(`status.${line.status}`) : formatMoney(line.amount, line.currency)),
    );
  return el(
    'ul.order-lines',
    { 'data-test': 'order-lines' },
    lines.map((line) => row(line)),
    gone.map((line) => row(line, true)),
  );
}
