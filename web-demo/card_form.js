// The card form of Stripe: its script comes from Stripe's own address, because the number of a card must not reach this shop. The form
// stays where it is while the checkout is painted again: a frame that is moved forgets what was typed.

import { t } from './i18n.js';
import { Problem } from './api.js';
import { el, setText, setVisible } from './ui.js';

/** @import { Shop } from './types.d.ts' */

/**
 * What this page uses of Stripe.js.
 * @typedef {{ error?: { message?: string } }} StripeAnswer
 * @typedef {{
 *   create: (kind: 'payment', options: object) => { mount: (node: HTMLElement) => void, on: (event: string, done: (event: any) => void) => void },
 *   update: (options: object) => void,
 *   submit: () => Promise<StripeAnswer>,
 * }} StripeElements
 * @typedef {{
 *   elements: (options: object) => StripeElements,
 *   createConfirmationToken: (options: object) => Promise<StripeAnswer & { confirmationToken?: { id: string } }>,
 * }} Stripe
 */

/** @type {Promise<(key: string, options: object) => Stripe> | null} */
let loading = null;

/**
 * Loads the script once. After a failure the next form tries again.
 * @param {string} url
 */
function loadScript(url) {
  loading ??= new Promise((done, fail) => {
    // The policy of the page allows no other address of a script.
    const { trustedTypes } = /** @type {any} */ (globalThis);
    const policy = trustedTypes?.createPolicy('card-form', { createScriptURL: () => url });
    const script = document.createElement('script');
    script.src = policy ? policy.createScriptURL('') : url;
    script.onload = () => done(/** @type {any} */ (globalThis).Stripe);
    script.onerror = () => fail(new Problem('card_form_unreachable'));
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
function amountForStripe(amount, currency) {
  if (currency === 'MGA') return Math.round(amount / 100);
  return ['ISK', 'UGX'].includes(currency) ? amount * 100 : amount;
}

export class CardForm {
  /** @param {NonNullable<Shop['stripe']>} stripe */
  constructor({ publishable_key, script }) {
    this.key = publishable_key;
    this.script = script;
    this.frame = el('div', { 'data-test': 'card-frame' });
    this.again = el(
      'button.slim',
      { type: 'button', hidden: true, 'data-test': 'card-again', onclick: () => void this.start() },
      t('try_again'),
    );
    this.status = el('p.fine', { role: 'status', 'data-test': 'card-status' }, t('card.loading'));
    this.root = el('div.card-form', { 'data-test': 'card-form', 'data-keep': '' }, this.status, this.again, this.frame);
    /** @type {{ amount: number, currency: string } | null} */
    this.due = null;
    /** @type {Stripe | null} */
    this.stripe = null;
    /** @type {StripeElements | null} */
    this.elements = null;
    this.isReady = false;
  }

  /**
   * Shows the form for this amount; a change of the amount keeps what was typed.
   * @param {number} amount
   * @param {string} currency
   */
  show(amount, currency) {
    const due = { amount: amountForStripe(amount, currency), currency: currency.toLowerCase() };
    const isChanged = this.due !== null && this.due.amount !== due.amount;
    const isFirst = this.due === null;
    this.due = due;
    if (isFirst) void this.start();
    else if (isChanged) this.elements?.update({ amount: due.amount });
  }

  async start() {
    setVisible(this.again, false);
    setText(this.status, t('card.loading'));
    setVisible(this.status, true);
    try {
      const make = await loadScript(this.script);
      this.stripe = make(this.key, { locale: document.documentElement.lang });
      this.elements = this.stripe.elements({ mode: 'payment', captureMethod: 'manual', ...this.due });
      const element = this.elements.create('payment', { layout: 'tabs' });
      element.on('ready', () => {
        this.isReady = true;
        setVisible(this.status, false);
      });
      element.on('loaderror', () => this.fail());
      element.mount(this.frame);
    } catch {
      this.fail();
    }
  }

  fail() {
    setText(this.status, t('error.card_form_unreachable'));
    setVisible(this.status, true);
    setVisible(this.again, true);
  }

  /**
   * What the buyer typed, as a token that pays once.
   * @param {string} name of the buyer
   * @returns {Promise<string>}
   */
  async token(name) {
    if (!this.stripe || !this.elements || !this.isReady) throw new Problem('card_form_unreachable');
    const checked = await this.elements.submit();
    // The form says beside the field what is wrong.
    if (checked.error) throw new Problem('card_incomplete');
    const params = { payment_method_data: { billing_details: { name } } };
    const made = await this.stripe.createConfirmationToken({ elements: this.elements, params });
    if (!made.confirmationToken) throw new Problem('card_incomplete');
    return made.confirmationToken.id;
  }
}
