// The order confirmation on paper: what was bought, what it cost, and where it goes.

import { addressLines } from '../address.js';
import { formatDateTime, formatMoney, formatNumber, t, titleOf } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { linesOf, orderNumber } from '../order_lines.js';
import { includedTax, quoteRows, totalOf } from '../order_quote.js';
import { el } from '../ui.js';
import { printPage } from './print.js';

/** @import { Shop, ShopOrderDetail } from '../types.d.ts' */

/**
 * @param {ShopOrderDetail} order
 * @param {Shop} shop
 */
export function printConfirmation(order, shop) {
  const money = (/** @type {number} */ amount) => el('bdi.num', {}, formatMoney(amount, order.currency));
  const head = [t('desk.item'), t('desk.quantity'), t('desk.unit_price'), t('desk.sum')];
  const rows = linesOf(order).map((line) => [
    el('bdi', {}, fullTitle(line)),
    formatNumber(line.qty),
    money(line.amount / line.qty),
    money(line.amount),
  ]);
  const parts = quoteRows(order.quote);
  const tax = includedTax(order.quote);
  const number = el('bdi.num', { dir: 'ltr' }, orderNumber(order));
  printPage(
    el('h1', {}, titleOf(shop)),
    el('h2', {}, t('desk.confirmation')),
    el('p', {}, t('desk.order'), ' ', number, ' · ', formatDateTime(order.created_at)),
    el('p', {}, order.paid_at ? `${t('history.paid')}: ${formatDateTime(order.paid_at)}` : t('desk.not_paid')),
    order.status === 'refunded' && el('p', {}, el('strong', {}, t('status.refunded'))),
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          head.map((text) => el('th', { scope: 'col' }, text)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) =>
          el(
            'tr',
            {},
            row.map((cell) => el('td', {}, cell)),
          ),
        ),
      ),
      el(
        'tfoot',
        {},
        parts.map(([label, amount]) =>
          el('tr', {}, el('th', { scope: 'row', colSpan: 3 }, label), el('td', {}, el('bdi.num', {}, amount))),
        ),
        el('tr', {}, el('th', { scope: 'row', colSpan: 3 }, t('order.total')), el('td', {}, money(totalOf(order)))),
      ),
    ),
    tax && el('p', {}, tax),
    el(
      'section',
      {},
      el('h3', {}, t('desk.ship_to')),
      order.address ? addressLines(order.address) : el('p', {}, t('desk.no_address')),
    ),
  );
}
