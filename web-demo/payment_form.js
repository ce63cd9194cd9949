// The form of a held order: the delivery address, the way to pay, the total, and the buttons to pay or to cancel. A shop that
// takes no payments shows why there is nothing to pay, and the button to cancel.

import { AddressForm } from './address.js';
import { session, token } from './api.js';
import { formatMoney, refusalText, t } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { fullTitle } from './offer.js';
import { linesOf } from './order_lines.js';
import { quoteTable, totalOf } from './order_quote.js';
import { MANUAL_METHODS } from './placed_order.js';
import { el, setText, setVisible } from './ui.js';

/** @import { Address, Order, OrderQuote, Refusal } from './types.d.ts' */
/** @import { Checkout, PayLater } from './checkout.js' */

/** Banks refuse to ask their customers inside the page of somebody else. */
const isFramed = window.top !== window;
/** The payment tokens of the test provider that the checkout offers. */
const TEST_PAYMENTS = ['ok', 'declined', 'slow', 'capture_fails'];

export class PaymentForm {
  /**
   * @param {Order} order
   * @param {{
   *   checkout: Checkout,
   *   onpay: (address: Address, payment: string | (() => Promise<string>)) => Promise<void>,
   *   oncancel: () => void,
   * }} options
   */
  constructor(order, { checkout, onpay, oncancel }) {
    const { cards } = checkout;
    this.checkout = checkout;
    this.payments = checkout.payments;
    /** The card form, which stays in its place, or the way to the page of the provider. */
    this.cards = cards;
    this.card = cards && !isFramed ? cards.makeForm(cards.shop, this) : null;
    /** The choice of the card form. */
    this.way = this.card?.way ?? '';
    /** The page of the shop in a tab of its own has a card form, this one has not. */
    this.isCardElsewhere = Boolean(cards) && isFramed;
    /** @type {Order | null} As it was painted last. */
    this.order = null;
    /** @type {OrderQuote | undefined} */
    this.quote = undefined;
    this.due = 0;
    this.form = el('form.pay', { noValidate: true, onsubmit: (event) => this.submit(event) });
    this.onpay = onpay;
    this.oncancel = oncancel;
    this.payment = this.way || TEST_PAYMENTS[0];
    this.isPaying = false;
    this.onchoice = () => {};
    this.address = new AddressForm(order.currency, checkout.emails, checkout.countries);
    this.payButton = el('button.primary.wide', { type: 'submit', 'data-test': 'pay' });
    this.coupon = el('div');
    this.place = el('p.payment-place', { role: 'status', 'data-test': 'payment-place', hidden: true });
  }

  /**
   * The form as it is now. What the buyer typed is kept.
   * @param {Order} order as it is now
   * @param {boolean} isPaying
   * @param {{ failure?: Refusal, quote?: OrderQuote } & PayLater} known `failure`: why the last attempt failed; `quote`: what it costs
   */
  render(order, isPaying, { failure, quote, methods, atOnce }) {
    const { address } = this;
    const due = totalOf(order, quote);
    const amount = formatMoney(due, order.currency);
    this.order = order;
    this.quote = quote;
    this.due = due;
    this.isPaying = isPaying;
    if (!isPaying) this.place.hidden = true;
    address.root.disabled = isPaying;
    /** @type {string[]} */
    const ways = methods.map(({ method }) => method);
    if (this.card) ways.unshift(this.way);
    if (this.payments !== 'test' && due > 0 && !ways.some((way) => way === this.payment)) {
      this.payment = ways[0] ?? TEST_PAYMENTS[0];
    }
    if (MANUAL_METHODS.includes(this.payment) && !ways.some((way) => way === this.payment)) {
      this.payment = TEST_PAYMENTS[0];
    }
    const payText = () =>
      MANUAL_METHODS.includes(this.payment) ? t('order.place_it', { amount }) : t('order.pay', { amount });
    this.payButton = el(
      'button.primary.wide',
      { type: 'submit', 'data-test': 'pay', disabled: isPaying },
      isPaying ? t('order.capturing') : payText(),
    );
    this.onchoice = () => {
      setText(this.payButton, payText());
      if (this.card) setVisible(this.card.root, this.payment === this.way && due > 0);
    };
    if (this.card && due > 0) this.card.show(due, order.currency);
    const cancel = el(
      'button.ghost.wide',
      {
        type: 'button',
        'data-test': 'order-cancel',
        disabled: isPaying,
        onclick: this.oncancel,
      },
      t('order.cancel'),
    );
    const total = quoteTable(order, quote);
    const alert = failure && el('p.alert', { role: 'alert', 'data-test': 'pay-error' }, refusalText(failure));
    const line = due > 0 && linesOf(order).find(({ offer }) => atOnce.includes(offer));
    const whyNow =
      line && el('p.fine', { 'data-test': 'paid-at-once' }, t('payment.at_once', { title: fullTitle(line) }));
    // What costs nothing needs no provider.
    if (this.payments !== 'test' && due > 0 && !ways.length) {
      // The operator gave no publishable key, or another site frames the page.
      const reason = this.payments ? t('payment.elsewhere') : t('error.payments_off');
      const text = this.isCardElsewhere
        ? el('a', { href: location.href, target: '_blank', 'data-test': 'pay-own-tab' }, t('payment.own_tab'))
        : reason;
      const why = el('p.test-payments', { role: 'note', 'data-test': 'payments-off' }, text);
      return el('div.pay', {}, why, whyNow, total, alert, cancel);
    }
    const express = this.card && 'express' in this.card ? this.card.express : null;
    const parts = [
      this.payments === 'test' &&
        el('p.test-payments', { role: 'note', 'data-test': 'test-payments' }, t('payment.banner')),
      express?.root,
      address.root,
      due > 0 && (this.payments === 'test' || methods.length > 0) && this.choices(isPaying, methods),
      whyNow,
      this.card?.root,
      this.coupon,
      total,
      policySlot(),
      // Always in sight, and why it failed with it.
      el('div.pay-bar', {}, alert, this.payButton),
      cancel,
    ];
    if (this.cards) this.cards.replaceAround(this.form, parts);
    else this.form.replaceChildren(...el('div', {}, parts).childNodes);
    if (this.card) this.card.root.inert = isPaying;
    if (express) {
      setVisible(express.root, due > 0);
      express.root.inert = isPaying;
    }
    if (this.checkout.coupons) import('./coupon_field.js').then(({ show }) => show(this, order), showUnreachable);
    this.onchoice();
    if (isPaying) setText(this.payButton, t('order.capturing'));
    return this.form;
  }

  /** @param {Event} event */
  submit(event) {
    event.preventDefault();
    const checked = this.address.checked();
    const { card } = this;
    if (!checked) return;
    if (!card || this.payment !== this.way) return void this.onpay(checked, this.payment);
    // What costs nothing needs no card.
    if (!this.due) return void this.onpay(checked, TEST_PAYMENTS[0]);
    const checking = card.check();
    // The payment handles the refusal. When the address is refused first, nothing waits for it.
    checking.catch(() => {});
    void this.onpay(checked, () => card.token(checked.name, checking));
  }

  /** Why the last attempt to pay the order failed. */
  failure() {
    return this.order && this.checkout.failures.get(this.order.id);
  }

  /**
   * @param {boolean} isPaying
   * @param {NonNullable<Order['manual_methods']>} methods
   */
  choices(isPaying, methods) {
    const trials = this.payments === 'test' ? TEST_PAYMENTS : this.card ? [this.way] : [];
    const needsEmail = methods.length > 0 && !token.get() && Boolean(session.get()?.sub.startsWith('guest:'));
    return el(
      'fieldset',
      { disabled: isPaying },
      el('legend', {}, t(methods.length ? 'payment.how' : 'payment.title')),
      el(
        'div.choices',
        {},
        trials.map((name) => this.choice(name, t(`payment.${name}.more`))),
        methods.map(({ method, days }) => this.choice(method, t(`payment.${method}.more`, { days }))),
      ),
      needsEmail && el('p.fine', { 'data-test': 'payment-needs-email' }, t('payment.needs_email')),
    );
  }

  /**
   * @param {string} name
   * @param {string} more
   */
  choice(name, more) {
    const input = el('input', {
      type: 'radio',
      name: 'payment',
      value: name,
      checked: name === this.payment,
      'data-test': `payment-${name}`,
      onchange: () => {
        this.payment = name;
        this.onchoice();
      },
    });
    const label = el('span', {}, el('b', {}, t(`payment.${name}`)), el('small', {}, more));
    return el('label.choice', {}, input, label);
  }

  /**
   * The payment waits until the provider takes it.
   * @param {number} place 1 is the next
   */
  showPlace(place) {
    const isNews = this.place.hidden;
    this.place.hidden = !this.isPaying;
    setText(this.place, t('order.payment_place', { n: place }));
    if (isNews) this.place.scrollIntoView({ block: 'nearest' });
  }

  /** A reservation that has run out cannot be paid. @param {number} rest milliseconds left */
  tick(rest) {
    if (!this.isPaying) this.payButton.disabled = rest <= 0;
  }
}

/** The place of the links to the policies. They are loaded when somebody pays, not before the button to buy works. */
function policySlot() {
  const slot = el('span', { hidden: true });
  import('./policy_links.js').then(({ policyNote }) => slot.replaceWith(policyNote() ?? ''), showUnreachable);
  return slot;
}
