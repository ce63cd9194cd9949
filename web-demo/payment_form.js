// The form of a held order: the delivery address, the way to pay, the total, and the buttons to pay or to cancel. A shop that
// takes no payments shows why there is nothing to pay, and the button to cancel.

import { AddressForm } from './address.js';
import { formatMoney, refusalText, t } from './i18n.js';
import { quoteTable, totalOf } from './order_quote.js';
import { policyNote } from './policy_links.js';
import { el, setText } from './ui.js';

/** @import { Address, Order, OrderQuote, Refusal, Shop } from './types.d.ts' */

/** The payment tokens of the test provider that the checkout offers. */
const TEST_PAYMENTS = ['ok', 'declined', 'slow', 'capture_fails'];

export class PaymentForm {
  /**
   * @param {Order} order
   * @param {{
   *   payments: Shop['payments'],
   *   emails: boolean,
   *   onpay: (address: Address, payment: string) => void,
   *   oncancel: () => void,
   * }} options
   */
  constructor(order, { payments, emails, onpay, oncancel }) {
    this.payments = payments;
    this.onpay = onpay;
    this.oncancel = oncancel;
    this.payment = TEST_PAYMENTS[0];
    this.isPaying = false;
    this.address = new AddressForm(order.currency, emails);
    this.payButton = el('button.primary.wide', { type: 'submit', 'data-test': 'pay' });
    this.place = el('p.payment-place', { role: 'status', 'data-test': 'payment-place', hidden: true });
  }

  /**
   * The form as it is now. What the buyer typed is kept.
   * @param {Order} order as it is now
   * @param {boolean} isPaying
   * @param {Refusal | undefined} failure why the last attempt failed
   * @param {OrderQuote | undefined} quote what it costs, once that is known
   */
  render(order, isPaying, failure, quote) {
    const { address } = this;
    const due = totalOf(order, quote);
    const amount = formatMoney(due, order.currency);
    this.isPaying = isPaying;
    if (!isPaying) this.place.hidden = true;
    address.root.disabled = isPaying;
    this.payButton = el(
      'button.primary.wide',
      { type: 'submit', 'data-test': 'pay', disabled: isPaying },
      isPaying ? t('order.capturing') : t('order.pay', { amount }),
    );
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
    // What costs nothing needs no provider.
    if (this.payments !== 'test' && due > 0) {
      // These pages have no form for the cards of Stripe.
      const reason = this.payments ? t('payment.elsewhere') : t('error.payments_off');
      const why = el('p.test-payments', { role: 'note', 'data-test': 'payments-off' }, reason);
      return el('div.pay', {}, why, total, alert, cancel);
    }
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const checked = address.checked();
      if (checked) this.onpay(checked, this.payment);
    };
    return el(
      'form.pay',
      { noValidate: true, onsubmit: submit },
      this.payments === 'test' &&
        el('p.test-payments', { role: 'note', 'data-test': 'test-payments' }, t('payment.banner')),
      address.root,
      this.payments === 'test' && this.choices(isPaying),
      total,
      policyNote(),
      alert,
      this.payButton,
      cancel,
    );
  }

  /** @param {boolean} isPaying */
  choices(isPaying) {
    const choices = TEST_PAYMENTS.map((token) => this.choice(token));
    return el('fieldset', { disabled: isPaying }, el('legend', {}, t('payment.title')), el('div.choices', {}, choices));
  }

  /** @param {string} token */
  choice(token) {
    const input = el('input', {
      type: 'radio',
      name: 'payment',
      value: token,
      checked: token === this.payment,
      'data-test': `payment-${token}`,
      onchange: () => {
        this.payment = token;
      },
    });
    const label = el('span', {}, el('b', {}, t(`payment.${token}`)), el('small', {}, t(`payment.${token}.more`)));
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
