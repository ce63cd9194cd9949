// The form of a held order: the delivery address, the way to pay, the total, and the buttons to pay or to cancel.

import { AddressForm } from './address.js';
import { formatMoney, refusalText, t } from './i18n.js';
import { el } from './ui.js';

/** @import { Address, Order, Refusal } from './types.d.ts' */

/** The payment tokens of the test provider that the checkout offers. */
const TEST_PAYMENTS = ['ok', 'declined', 'slow', 'capture_fails'];

export class PaymentForm {
  /**
   * @param {Order} order
   * @param {{ onpay: (address: Address, payment: string) => void, oncancel: () => void }} options
   */
  constructor(order, { onpay, oncancel }) {
    this.order = order;
    this.onpay = onpay;
    this.oncancel = oncancel;
    this.payment = TEST_PAYMENTS[0];
    this.isPaying = false;
    this.address = new AddressForm(order.currency);
    this.payButton = el('button.primary.wide', { type: 'submit', 'data-test': 'pay' });
  }

  /**
   * The form as it is now. What the buyer typed is kept.
   * @param {boolean} isPaying
   * @param {Refusal | undefined} failure why the last attempt failed
   */
  render(isPaying, failure) {
    const { order, address } = this;
    const amount = formatMoney(order.amount, order.currency);
    this.isPaying = isPaying;
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
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const checked = address.checked();
      if (checked) this.onpay(checked, this.payment);
    };
    return el(
      'form.pay',
      { noValidate: true, onsubmit: submit },
      address.root,
      el(
        'fieldset',
        { disabled: isPaying },
        el('legend', {}, t('payment.title')),
        el(
          'div.choices',
          {},
          TEST_PAYMENTS.map((token) => this.choice(token)),
        ),
      ),
      el('p.total', {}, el('span', {}, t('order.total')), el('bdi.price', {}, amount)),
      failure && el('p.alert', { role: 'alert', 'data-test': 'pay-error' }, refusalText(failure)),
      this.payButton,
      cancel,
    );
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

  /** A reservation that has run out cannot be paid. @param {number} rest milliseconds left */
  tick(rest) {
    if (!this.isPaying) this.payButton.disabled = rest <= 0;
  }
}
