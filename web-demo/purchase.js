// Everything from the first press on "Buy" to the confirmed order, and the sign-in before it.
//
// Most people in a room only watch, so this half of the page loads when a reader is about to do more.

import { load } from './i18n.js';
import { style } from './ui.js';

await Promise.all([load('buy'), style('sheet', 'fields', 'checkout')]);

export { OrderClient } from './order_client.js';
export { Checkout } from './checkout.js';
export { MyOrders } from './my_orders.js';
export { signIn } from './sign_in.js';
