// The express buttons of Stripe above the checkout form (Apple Pay, Google Pay, Link). They are there only where the browser of the buyer
// has such a wallet, and take no room otherwise. The parcel goes to the address of the form: a wallet is asked for none.

import { Problem } from './api.js';
import { refusalText, t } from './i18n.js';
import { fullTitle } from './offer.js';
import { linesOf } from './order_lines.js';
import { amountForStripe, TOKEN_MS, within } from './stripe_js.js';
import { el } from './ui.js';

/** @import { PaymentForm } from './payment_form.js' */
/** @import { Due, Stripe, StripeElement, StripeElements } from './stripe_js.js' */
/** @import { Order, OrderQuote } from './types.d.ts' */

/**
 * What a press of a button and the consent in the wallet say.
 * @typedef {{ resolve: (details: object) => void, reject: () => void }} Press
 * @typedef {{ paymentFailed: (payload: { reason: 'fail', message?: string }) => void }} Consent
 */

const OPTIONS = {
  // Others lead to pages of their own, and not all of them can wait until the order has won its units.
  paymentMethods: {
    applePay: 'auto',
    googlePay: 'auto',
    link: 'auto',
    amazonPay: 'never',
    klarna: 'never',
    paypal: 'never',
  },
  buttonType: { applePay: 'plain', googlePay: 'plain' },
  buttonHeight: 48,
  layout: { maxColumns: 2, maxRows: 1, overflow: 'auto' },
};

export class ExpressButtons {
  /** @param {PaymentForm} form */
  constructor(form) {
    this.form = form;
    this.frame = el('div', { 'data-test': 'express-frame' });
    this.root = el(
      'div.express',
      {
        role: 'group',
        'aria-label': t('card.express'),
        'data-test': 'express',
        'data-keep': '',
        'data-shown': 'false',
      },
      this.frame,
      el('p.fine', {}, t('card.express_address')),
    );
    /** @type {Stripe | null} */
    this.stripe = null;
    /** @type {StripeElements | null} A group of its own: what is typed into the card form does not count here. */
    this.elements = null;
    /** @type {StripeElement | null} */
    this.element = null;
  }

  /**
   * @param {Stripe} stripe
   * @param {Due} due
   */
  start(stripe, due) {
    if (this.element) return;
    this.stripe = stripe;
    this.elements = stripe.elements({ mode: 'payment', captureMethod: 'manual', ...due });
    this.element = this.elements.create('expressCheckout', OPTIONS);
    this.element.on('ready', ({ availablePaymentMethods: wallets }) => {
      this.root.dataset.shown = String(Boolean(wallets) && Object.values(wallets).some(Boolean));
    });
    // The card form is there all the same.
    this.element.on('loaderror', () => (this.root.dataset.shown = 'false'));
    this.element.on('click', (press) => this.press(press));
    this.element.on('confirm', (consent) => void this.pay(consent));
    this.element.mount(this.frame);
  }

  /** @param {Due} due */
  update({ amount }) {
    this.elements?.update({ amount });
  }

  /** A frame that was taken out of the page has lost its inside. */
  mountAgain() {
    this.root.dataset.shown = 'false';
    this.element?.unmount();
    this.element?.mount(this.frame);
  }

  /**
   * A wallet opens only for an order that can be paid, with an address that is complete: the form says what is missing. Stripe wants the
   * answer within a second, so nobody is asked.
   * @param {Press} press
   */
  press({ resolve, reject }) {
    const { form } = this;
    if (!form.order || form.isPaying || form.payButton.disabled || !form.address.checked()) return reject();
    resolve(walletLines(form.order, form.quote, form.due));
  }

  /**
   * The buyer has agreed in the wallet. From here on everything is as with a card: the order gets its address, a price that has risen is
   * shown before anything is taken, and the token pays once.
   * @param {Consent} consent
   */
  async pay(consent) {
    const { form } = this;
    const submitting = within(this.submit(), TOKEN_MS, 'wallet_failed');
    // The payment handles the refusal; one that does not get so far needs none.
    submitting.catch(() => {});
    let isUsed = false;
    const token = () => {
      isUsed = true;
      return this.token(submitting);
    };
    const address = form.address.checked();
    if (address) await form.onpay(address, token);
    const failure = form.failure();
    // Else the wallet would wait, or show a payment that was not made.
    if (!isUsed || failure) {
      consent.paymentFailed({ reason: 'fail', ...(failure && { message: refusalText(failure) }) });
    }
  }

  async submit() {
    const answer = await this.elements?.submit();
    if (!answer || answer.error) throw new Problem('wallet_failed');
  }

  /** @param {Promise<void>} submitting */
  async token(submitting) {
    await submitting;
    const { stripe, elements } = this;
    if (!stripe || !elements) throw new Problem('wallet_failed');
    const made = await within(stripe.createConfirmationToken({ elements }), TOKEN_MS, 'wallet_failed');
    if (!made.confirmationToken) throw new Problem('wallet_failed');
    return made.confirmationToken.id;
  }
}

/**
 * What the wallet lists above its total. Stripe refuses lines that are more than the amount, so they are left out if they do not add up.
 * @param {Order} order
 * @param {OrderQuote | undefined} quote
 * @param {number} due
 */
function walletLines(order, quote, due) {
  const { currency } = order;
  /** @type {[name: string, amount: number][]} */
  const lines = linesOf(order).map((line) => [`${fullTitle(line)} × ${line.qty}`, line.amount]);
  if (quote?.discount) lines.push([t('quote.discount'), -quote.discount]);
  if (quote?.delivery) lines.push([t('quote.delivery'), quote.delivery]);
  if (quote?.tax && !quote.tax_included) lines.push([t('quote.tax_added'), quote.tax]);
  const lineItems = lines.map(([name, amount]) => ({ name, amount: amountForStripe(amount, currency) }));
  const sum = lineItems.reduce((whole, { amount }) => whole + amount, 0);
  return sum === amountForStripe(due, currency) ? { lineItems } : {};
}
