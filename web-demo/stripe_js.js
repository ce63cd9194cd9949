// The script of Stripe: how it is loaded, what the pages use of it, and the unit in which it counts.

import { Problem } from './api.js';

/**
 * What the pages use of Stripe.js.
 * @typedef {{ error?: { message?: string } }} StripeAnswer
 * @typedef {{
 *   mount: (node: HTMLElement) => void,
 *   unmount: () => void,
 *   on: (event: string, done: (event: any) => void) => void,
 * }} StripeElement
 * @typedef {{
 *   create: (kind: 'payment' | 'expressCheckout', options: object) => StripeElement,
 *   update: (options: object) => void,
 *   submit: () => Promise<StripeAnswer>,
 * }} StripeElements
 * @typedef {{
 *   elements: (options: object) => StripeElements,
 *   createConfirmationToken: (options: object) => Promise<StripeAnswer & { confirmationToken?: { id: string } }>,
 * }} Stripe
 * @typedef {{ amount: number, currency: string }} Due in the unit of Stripe
 */

/** The longest that a form may take to load, and to make a token. */
export const LOAD_MS = 20_000;
export const TOKEN_MS = 30_000;

/** @type {Promise<(key: string, options: object) => Stripe> | null} */
let loading = null;

let isAllowed = false;

/**
 * The page takes no text as the address of a script (Trusted Types). The script of Stripe loads parts of itself, so addresses of its
 * own host and of hosts below it are taken from now on; all others are still refused.
 * @param {URL} script
 */
function allowScriptsOf(script) {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  if (!trustedTypes || isAllowed) return;
  isAllowed = true;
  trustedTypes.createPolicy('default', {
    createScriptURL: (/** @type {string} */ address) => {
      const { protocol, host } = new URL(address, location.href);
      const isOfProvider = host === script.host || host.endsWith(`.${script.host}`);
      return protocol === script.protocol && isOfProvider ? address : null;
    },
  });
}

/**
 * @template T
 * @param {Promise<T>} work
 * @param {number} ms
 * @param {string} [code] of the refusal when it takes longer
 * @returns {Promise<T>}
 */
export function within(work, ms, code = 'card_form_unreachable') {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Problem(code)), ms);
    work.then(done, fail).finally(() => clearTimeout(timer));
  });
}

/**
 * Loads the script once. After a failure the next form tries again.
 * @param {string} url
 */
export function loadScript(url) {
  loading ??= new Promise((done, fail) => {
    allowScriptsOf(new URL(url));
    const script = document.createElement('script');
    script.src = url;
    const missing = () => fail(new Problem('card_form_unreachable'));
    script.onload = () => {
      const { Stripe } = /** @type {any} */ (globalThis);
      if (Stripe) done(Stripe);
      else missing();
    };
    script.onerror = missing;
    document.head.append(script);
  });
  loading.catch(() => (loading = null));
  return loading;
}

/**
 * The unit in which Stripe counts: in a few currencies it is not that of ISO 4217.
 * @param {number} amount
 * @param {string} currency
 */
export function amountForStripe(amount, currency) {
  if (currency === 'MGA') return Math.round(amount / 100);
  return ['ISK', 'UGX'].includes(currency) ? amount * 100 : amount;
}
