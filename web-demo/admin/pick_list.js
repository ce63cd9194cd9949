// Pick lists on paper: what to take from the shelves, by item or by buyer.

import { formatDateTime, formatNumber, t, titleOf } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { linesOf, orderNumber } from '../order_lines.js';
import { openSheet } from '../sheet.js';
import { el } from '../ui.js';
import { printPage } from './print.js';

/** @import { Shop, ShopOrder } from '../types.d.ts' */

/** A square to tick on paper. */
const box = () => el('td.tick-box', {}, '☐');

/**
 * The units of each item, the most first.
 * @param {ShopOrder[]} orders
 */
export function itemsOf(orders) {
  /** @type {Map<string, { title: string, qty: number, orders: number }>} */
  const items = new Map();
  for (const order of orders) {
    for (const line of linesOf(order)) {
      const title = fullTitle(line);
      const item = items.get(title) ?? { title, qty: 0, orders: 0 };
      items.set(title, { title, qty: item.qty + line.qty, orders: item.orders + 1 });
    }
  }
  return [...items.values()].sort((a, b) => b.qty - a.qty || a.title.localeCompare(b.title));
}

/**
 * The orders of each buyer in each show: what goes into one parcel.
 * @param {ShopOrder[]} orders
 * @returns {ShopOrder[][]}
 */
export function parcelsOf(orders) {
  /** @type {Map<string, ShopOrder[]>} */
  const parcels = new Map();
  for (const order of orders) {
    const key = JSON.stringify([order.buyer, order.stream]);
    parcels.set(key, [...(parcels.get(key) ?? []), order]);
  }
  return [...parcels.values()];
}

/**
 * Asks which list to print.
 * @param {ShopOrder[]} orders
 * @param {Shop} shop
 */
export function openPickList(orders, shop) {
  const choice = (/** @type {string} */ name, /** @type {() => void} */ print) => {
    const onclick = () => {
      dialog.close();
      print();
    };
    const props = { type: 'button', disabled: orders.length === 0, 'data-test': `pick-${name}`, onclick };
    return el('button.wide', props, t(`desk.pick.${name}`));
  };
  const body = el(
    'div.order-sheet',
    {},
    el('p', {}, orders.length ? t('desk.n_orders', { n: orders.length }) : t('desk.nothing_to_pick')),
    choice('item', () => printByItem(orders, shop)),
    choice('buyer', () => printByBuyer(orders, shop)),
  );
  const dialog = openSheet(body, { title: t('desk.pick_list'), test: 'pick-list' });
}

/**
 * @param {ShopOrder[]} orders
 * @param {Shop} shop
 */
export function printByItem(orders, shop) {
  const rows = itemsOf(orders).map(({ title, qty }) =>
    el('tr', {}, box(), el('td', {}, el('bdi', {}, title)), el('td.num', {}, formatNumber(qty))),
  );
  printPage(...head(orders, shop), table(rows));
}

/**
 * @param {ShopOrder[]} orders
 * @param {Shop} shop
 */
export function printByBuyer(orders, shop) {
  const parcels = parcelsOf(orders).map((parcel) =>
    el(
      'section.pick-parcel',
      {},
      el('h3', {}, el('bdi', {}, parcel[0].buyer_name || t('desk.erased_name'))),
      table(
        parcel.flatMap((order) =>
          linesOf(order).map((line) =>
            el(
              'tr',
              {},
              box(),
              el(
                'td',
                {},
                el('bdi', {}, fullTitle(line)),
                ' ',
                el('small', {}, el('bdi.num', { dir: 'ltr' }, orderNumber(order))),
              ),
              el('td.num', {}, formatNumber(line.qty)),
            ),
          ),
        ),
      ),
    ),
  );
  printPage(...head(orders, shop), ...parcels);
}

/**
 * @param {ShopOrder[]} orders
 * @param {Shop} shop
 */
function head(orders, shop) {
  return [
    el('h1', {}, titleOf(shop)),
    el('h2', {}, t('desk.pick_list')),
    el('p', {}, t('desk.n_orders', { n: orders.length }), ' · ', formatDateTime(Date.now())),
  ];
}

/** @param {HTMLElement[]} rows */
function table(rows) {
  const titles = ['', t('desk.item'), t('desk.quantity')];
  return el(
    'table',
    {},
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        titles.map((title) => el('th', { scope: 'col' }, title)),
      ),
    ),
    el('tbody', {}, rows),
  );
}
