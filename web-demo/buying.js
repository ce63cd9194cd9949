// Everything from the first tap on "Buy" to the seal on a paid order, and the sign-in before it.
//
// Most people in a room only watch, so this half of the page loads when somebody is about to do more.

import { load } from './i18n.js';
import { style } from './ui.js';

await Promise.all([load('buy'), style('sheet')]);

export { Buyer } from './buyer.js';
export { Checkout } from './checkout.js';
export { ProductSheet } from './product.js';
export { Mine } from './mine.js';
export { sheet } from './sheet.js';
export { signIn } from './signin.js';
