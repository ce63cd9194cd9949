// The page of the bank that asks a buyer who pays by card (3-D Secure), or the page of the provider where buyers pay: the way there, and the
// way back.

import { isOpen } from './my_orders.js';

/** @import { Order, Refusal } from './types.d.ts' */
/** @import { Checkout } from './checkout.js' */

/** After this time on the same page the way to the bank has failed. */
const LEAVING_MS = 15_000;
/** How often the sheet looks at an order whose buyer comes back in another browser. */
const LOOK_MS = 2_000;
const LOOKS_MAX = 15;

/** The orders whose buyer is just back. One who has not paid there must not be sent away again at once. @type {Set<string>} */
const returned = new Set();

/**
 * Goes to the page of the bank, which sends the buyer back. The sheet stays busy until then, or until the buyer is back on this page in
 * another way.
 * @param {Checkout} checkout
 * @param {Order} order
 * @param {Refusal} refusal
 */
export function goToBank(checkout, order, { detail }) {
  const address = String(detail?.action_url ?? '');
  if (!/^https?:/.test(address) || returned.has(order.id)) return false;
  const free = () => {
    if (!checkout.busy.delete(order.id)) return;
    if (checkout.isShown && checkout.stage === 'order') checkout.paint();
    checkout.orderClient.refresh(order).catch(() => {});
  };
  addEventListener('pageshow', free, { once: true });
  setTimeout(free, LEAVING_MS);
  location.assign(address);
  return true;
}

/**
 * The buyer comes back from the bank: the payment that waits for its answer goes on. One that is not finished, or that began in another
 * browser, is looked at until the server knows the answer.
 * @param {Checkout} checkout
 * @param {Order} order
 */
export async function comeBack(checkout, order) {
  const underWay = checkout.orderClient.underWay(order);
  checkout.showOrder(order);
  void fillAddress(checkout, order).catch(() => {}); // Then the buyer types it again.
  if (underWay) {
    if (!isOpen(order)) return;
    returned.add(order.id);
    await checkout.goOn(order, underWay);
    returned.delete(order.id);
    if (checkout.failures.get(order.id)?.code !== 'needs_action') return;
  }
  for (let look = 0; look < LOOKS_MAX && isOpen(order); look++) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    order = (await checkout.orderClient.refresh(order).catch(() => null)) ?? order;
  }
}

/**
 * The address that the buyer gave before. What somebody types meanwhile stays.
 * @param {Checkout} checkout
 * @param {Order} order
 */
async function fillAddress(checkout, order) {
  const { address } = await checkout.orderClient.refresh(order);
  const form = checkout.content.formOf(order).address;
  if (address && !form.fields.line1.value) form.fill(address);
}
