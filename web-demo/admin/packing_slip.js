// The packing slip: what is in the parcel and where it goes. It is shown only on paper.

import { addressLines } from '../address.js';
import { formatDateTime, formatMoney, t, titleOf } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { linesOf, orderNumber } from '../order_lines.js';
import { totalOf } from '../order_quote.js';
import { el } from '../ui.js';
import { printPage } from './print.js';

/** @import { Shop, ShopOrderDetail } from '../types.d.ts' */

/**
 * What the carrier collects: the one amount on the slip.
 * @param {ShopOrderDetail} order
 */
function collect(order) {
  if (order.status !== 'placed' || order.placement?.method !== 'cash_on_delivery') return '';
  const amount = formatMoney(totalOf(order), order.currency);
  return el('p', {}, el('strong', {}, t('desk.collect', { amount })));
}

/**
 * Opens the print dialog of the browser with the slip of an order. It has no prices: a parcel may be a gift.
 * @param {ShopOrderDetail} order
 * @param {Shop} shop
 */
export function printSlip(order, shop) {
  printPage(
    el('h1', {}, titleOf(shop)),
    el('h2', {}, t('desk.slip')),
    el(
      'section',
      {},
      el('h3', {}, t('desk.ship_to')),
      order.address ? addressLines(order.address) : el('p', {}, t('desk.no_address')),
    ),
    el(
      'table',
      {},
      el('thead', {}, el('tr', {}, el('th', {}, t('desk.item')), el('th', {}, t('desk.quantity')))),
      el(
        'tbody',
        {},
        linesOf(order).map((line) =>
          el('tr', {}, el('td', {}, el('bdi', {}, fullTitle(line))), el('td.num', {}, String(line.qty))),
        ),
      ),
    ),
    el(
      'p',
      {},
      t('desk.order'),
      ' ',
      el('bdi.num', { dir: 'ltr' }, orderNumber(order)),
      ' · ',
      formatDateTime(order.created_at),
    ),
    collect(order),
  );
}
