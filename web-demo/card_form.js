// The card form of Stripe: its script comes from Stripe's own address, because the number of a card must not reach this shop. The form
// stays where it is while the checkout is painted again: a frame that is moved forgets what was typed.

import { load, t } from './i18n.js';
import { Problem } from './api.js';
import { ExpressButtons } from './express_buttons.js';
import { SavedChoice } from './saved_cards.js';
import { amountForStripe, LOAD_MS, loadScript, TOKEN_MS, within } from './stripe_js.js';
import { el, setText, setVisible } from './ui.js';

export { comeBack, goToBank } from './bank_page.js';
export { replaceAround } from './replace_around.js';

await load('card');

/** @import { PaymentForm } from './payment_form.js' */
/** @import { Due, Stripe, StripeElement, StripeElements } from './stripe_js.js' */
/** @import { Shop } from './types.d.ts' */

/** The buyer may have a code to type. */
const SUBMIT_MS = 180_000;

/**
 * @param {Shop} shop
 * @param {PaymentForm} form
 */
export const makeForm = ({ stripe }, form) => new CardForm(/** @type {NonNullable<Shop['stripe']>} */ (stripe), form);

class CardForm {
  /**
   * @param {NonNullable<Shop['stripe']>} stripe
   * @param {PaymentForm} form
   */
  constructor({ publishable_key, script }, form) {
    this.express = new ExpressButtons(form);
    this.way = 'card';
    this.key = publishable_key;
    this.script = script;
    this.frame = el('div', { 'data-test': 'card-frame' });
    this.again = el(
      'button.slim',
      { type: 'button', hidden: true, 'data-test': 'card-again', onclick: () => void this.start() },
      t('try_again'),
    );
    this.status = el('p.fine', { role: 'status', 'data-test': 'card-status' }, t('card.loading'));
    this.saved = new SavedChoice((isNew) => void this.choose(isNew));
    this.saved.tick.addEventListener('change', () => this.updateSaving());
    /** What belongs to a card that is typed. */
    this.typed = el('div', {}, this.status, this.again, this.frame, this.saved.saving);
    this.root = el('div.card-form', { 'data-test': 'card-form', 'data-keep': '' }, this.saved.root, this.typed);
    /** @type {Due | null} */
    this.due = null;
    /** @type {Stripe | null} */
    this.stripe = null;
    /** @type {StripeElements | null} */
    this.elements = null;
    /** @type {StripeElement | null} */
    this.element = null;
    this.isReady = false;
    this.isStarted = false;
    /** A saved card was used, and the order is still to be paid: the card may be gone. */
    this.hasTriedSaved = false;
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
    if (isFirst || this.hasTriedSaved) void this.begin();
    if (isChanged) {
      this.elements?.update({ amount: due.amount });
      this.express.update(due);
    }
    // The sheet was closed and is opened again: a frame that was taken out of the page has lost its inside.
    if (this.stripe && !this.root.isConnected) queueMicrotask(() => this.mountAgain());
  }

  mountAgain() {
    this.isReady = false;
    this.element?.unmount();
    this.element?.mount(this.frame);
    this.express.mountAgain();
  }

  /** A saved card needs no form, so Stripe is not asked for one. */
  async begin() {
    this.hasTriedSaved = false;
    await this.saved.load();
    await this.choose(this.saved.chosen === null);
  }

  /** @param {boolean} isNew the buyer types a card */
  async choose(isNew) {
    setVisible(this.typed, isNew);
    if (isNew && !this.isStarted) await this.start();
  }

  /** The form says what it agrees to when the card is saved. */
  updateSaving() {
    this.elements?.update({ setupFutureUsage: this.saved.saves ? 'on_session' : null });
  }

  async start() {
    this.isStarted = true;
    setVisible(this.again, false);
    setText(this.status, t('card.loading'));
    setVisible(this.status, true);
    try {
      const make = await within(loadScript(this.script), LOAD_MS);
      this.stripe = make(this.key, { locale: document.documentElement.lang });
      const due = /** @type {Due} */ (this.due);
      this.express.start(this.stripe, due);
      this.elements = this.stripe.elements({ mode: 'payment', captureMethod: 'manual', ...due });
      this.updateSaving();
      // The wallets are the express buttons.
      const wallets = { applePay: 'never', googlePay: 'never' };
      this.element = this.elements.create('payment', { layout: 'tabs', wallets });
      this.element.on('ready', () => {
        this.isReady = true;
        setVisible(this.status, false);
        setVisible(this.again, false);
      });
      this.element.on('loaderror', () => this.fail());
      this.element.mount(this.frame);
      setTimeout(() => this.isReady || this.fail(), LOAD_MS);
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
   * Checks what the buyer typed. It must begin while the press of the button is handled: windows of a payment method open only then.
   * @returns {Promise<void>} rejected with a refusal; the form says beside the field what is wrong
   */
  async check() {
    if (this.saved.chosen !== null) return;
    if (!this.elements || !this.isReady) throw new Problem('card_form_unreachable');
    const checked = await within(this.elements.submit(), SUBMIT_MS);
    if (checked.error) throw new Problem('card_incomplete');
  }

  /**
   * What the order is paid with, for `OrderClient.pay`: what the buyer typed, as a token that pays once, or a saved card.
   * @param {string} name of the buyer
   * @param {Promise<void>} checking what `check` gave
   * @returns {Promise<string>}
   */
  async token(name, checking) {
    // As they are now: the list may change while the buyer waits.
    const { chosen, saves } = this.saved;
    await checking;
    this.hasTriedSaved = chosen !== null;
    if (chosen !== null) return JSON.stringify({ payment_method: chosen });
    const { stripe, elements } = this;
    if (!stripe || !elements) throw new Problem('card_form_unreachable');
    const params = { payment_method_data: { billing_details: { name } } };
    const made = await within(stripe.createConfirmationToken({ elements, params }), TOKEN_MS);
    if (!made.confirmationToken) throw new Problem('card_incomplete');
    const token = made.confirmationToken.id;
    return saves ? JSON.stringify({ token, save_card: true }) : token;
  }
}
