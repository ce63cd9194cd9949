// Everything from the first press on "Buy" to the confirmed order, and the sign-in before it.
//
// Most people in a room only watch, so this half of the page loads when a reader is about to do more.

import { load } from './i18n.js';
import { style } from './ui.js';

await Promise.all([load('buy'), style('sheet', 'fields', 'checkout')]);

/** @import { Shop } from './types.d.ts' */
/** @import { Cards } from './checkout.js' */

/**
 * How the pages take money, if they do: by the card form of Stripe, or on the page of another provider.
 * @param {Shop} shop
 * @returns {Promise<Cards | null>}
 */
export async function loadCards({ payments, stripe }) {
  if (payments === 'http') {
    const { HostedPage, ...more } = await import('./hosted_page.js');
    return { ...more, makeForm: () => new HostedPage() };
  }
  if (!stripe) return null;
  const { CardForm, ...more } = await import('./card_form.js');
  return { ...more, makeForm: () => new CardForm(stripe) };
}

export { OrderClient } from './order_client.js';
export { Checkout } from './checkout.js';
export { MyOrders } from './my_orders.js';
export { signIn } from './sign_in.js';
