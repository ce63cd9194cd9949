// Which orders the desk packs and sends.

/** @import { ShopOrder } from '../types.d.ts' */

/**
 * An order that is paid, or that is paid in cash when its parcel arrives.
 * @param {ShopOrder} order
 */
export function isSendable({ status, placement }) {
  return status === 'paid' || (status === 'placed' && placement?.method === 'cash_on_delivery');
}

/**
 * One that still waits for its parcel.
 * @param {ShopOrder} order
 */
export const isToSend = (order) => isSendable(order) && !order.fulfilment.sent_at;
