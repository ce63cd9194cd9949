// The parcel of an order: the other orders of its buyer in the same show, which can be sent with it in one go.

import { asRefusal, get, post } from '../api.js';
import { refusalText, t } from '../i18n.js';
import { orderTitle } from '../order_lines.js';
import { el } from '../ui.js';
import { isToSend } from './sendable.js';

/** @import { Fulfilment, ShopOrder } from '../types.d.ts' */

/** More orders than one parcel can have are sent in several. */
const ORDERS_MAX = 50;

/**
 * Sends orders of one buyer in one show as one parcel, with one e-mail.
 * @param {string[]} orders
 * @param {{ carrier?: string | null, tracking?: string | null }} [consignment]
 * @returns {Promise<Map<string, Fulfilment>>}
 */
export async function sendParcel(orders, consignment = {}) {
  /** @type {{ orders: { order: string, fulfilment: Fulfilment }[] }} */
  const sent = await post('/shop/parcels', { orders, ...consignment });
  return new Map(sent.orders.map(({ order, fulfilment }) => [order, fulfilment]));
}

/**
 * The orders of the same buyer in the same show that are still to be sent, without this one.
 * @param {ShopOrder} order
 */
async function ordersToSendWith(order) {
  const query = new URLSearchParams({ stream: order.stream, buyer: order.buyer, limit: '100' });
  /** @type {{ items: ShopOrder[] }} */
  const page = await get(`/shop/orders?${query}`);
  const others = page.items.filter((other) => other.id !== order.id && isToSend(other));
  return others.slice(0, ORDERS_MAX - 1);
}

/**
 * Offers to send the other orders with this one. Without others it stays empty.
 * @param {ShopOrder} order
 * @param {(button: HTMLButtonElement, orders: string[]) => void} onsend
 */
export function parcelPart(order, onsend) {
  const root = el('div.parcel', { 'data-test': 'parcel', hidden: true });
  if (!isToSend(order)) return root;
  const show = (/** @type {ShopOrder[]} */ others) => {
    if (!others.length) return;
    const boxes = others.map((other) => ({
      id: other.id,
      box: el('input', { type: 'checkbox', checked: true, 'data-test': `with-${other.id}` }),
      title: orderTitle(other),
      qty: other.qty,
    }));
    const button = el(
      'button.slim.primary',
      {
        type: 'button',
        'data-test': 'send-parcel',
        onclick: () => onsend(button, [order.id, ...boxes.filter(({ box }) => box.checked).map(({ id }) => id)]),
      },
      t('desk.send_parcel'),
    );
    root.replaceChildren(
      el('p', {}, t('desk.parcel_of', { n: others.length })),
      ...boxes.map(({ box, title, qty }) =>
        el('label.tick', {}, box, el('span', {}, el('bdi', {}, title), ' ', t('order.qty', { n: qty }))),
      ),
      button,
    );
    root.hidden = false;
  };
  ordersToSendWith(order)
    .then(show)
    .catch((error) => {
      root.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
      root.hidden = false;
    });
  return root;
}
