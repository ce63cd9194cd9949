// What the checkout sheet shows at each stage: reserving, refused, unknown, and the order.

import { HoldClock, orderSummary, outcome, spinner, statusLine } from './checkout_parts.js';
import { refusalText, t } from './i18n.js';
import { canBuy, phaseOf } from './offer.js';
import { isOpen } from './my_orders.js';
import { quoteTable } from './order_quote.js';
import { PaymentForm } from './payment_form.js';
import { placedPart } from './placed_order.js';
import { el, setText, setVisible } from './ui.js';

/** @import { Child, Order } from './types.d.ts' */
/** @import { Checkout } from './checkout.js' */

export class CheckoutContent {
  /** @param {Checkout} checkout */
  constructor(checkout) {
    this.checkout = checkout;
    /** Order id → its form, which keeps what was typed. @type {Map<string, PaymentForm>} */
    this.forms = new Map();
    /** @type {HoldClock | null} */
    this.holdClock = null;
    /** @type {HTMLElement | null} */
    this.status = null;
    /** @type {HTMLButtonElement | null} */
    this.again = null;
  }

  /** @returns {Child} */
  render() {
    const { order } = this.checkout;
    this.holdClock = this.status = this.again = null;
    if (this.checkout.stage === 'placing') {
      this.status = statusLine(t(this.checkout.isInDoubt ? 'order.checking' : 'order.placing'), 'placing', 'status');
      return [spinner(), this.status];
    }
    if (this.checkout.stage === 'refused') return this.refusedContent();
    if (this.checkout.stage === 'unknown') return this.unknownContent();
    return order && this.orderContent(order);
  }

  refusedContent() {
    // What fills the limit may be an own order that is not paid yet, made in another tab.
    const ownOrders = [...this.checkout.client.orders.values()];
    const own = ownOrders.find((order) => order.offer === this.checkout.offer?.id && isOpen(order));
    const view = own && this.checkout.refusal.code === 'buyer_limit' && this.viewButton(own);
    return [
      statusLine(refusalText(this.checkout.refusal), this.checkout.refusal.code, 'alert'),
      el('div.actions', {}, view, this.doneButton(view ? 'ghost' : 'primary')),
    ];
  }

  /** @param {Order} order */
  viewButton(order) {
    const props = { type: 'button', 'data-test': 'order-mine', onclick: () => this.checkout.showOrder(order) };
    return el('button.primary.wide', props, t('order.show_mine'));
  }

  unknownContent() {
    const pending = this.checkout.orderClient.pendingPurchase();
    const check = pending && (() => this.checkout.resume(pending));
    const button = check
      ? el('button.primary', { type: 'button', 'data-test': 'order-check', onclick: check }, t('order.check'))
      : this.doneButton();
    return [statusLine(t('order.unknown'), 'unknown', 'alert'), el('div.actions', {}, button)];
  }

  /**
   * The details stand last and are filled later: what comes late must not move a button from under a thumb.
   * @param {Order} order
   * @returns {Child}
   */
  orderContent(order) {
    const summary = orderSummary(order);
    if (order.status === 'held') {
      this.holdClock = new HoldClock(order);
      const isPaying = this.checkout.busy.has(order.id);
      const quote = this.checkout.quotes.get(order.id);
      const pay = this.formOf(order);
      const later = this.checkout.later.get(order.id) ?? { methods: [], atOnce: [] };
      const form = pay.render(order, isPaying, { failure: this.checkout.failures.get(order.id), quote, ...later });
      return [this.holdClock.root, pay.place, summary, this.togetherButton(order, isPaying), form];
    }
    if (order.status === 'capturing') {
      return [spinner(), statusLine(t('order.capturing'), 'capturing', 'status'), summary];
    }
    return [
      outcome(order, this.checkout.failures.get(order.id)),
      placedPart(order),
      summary,
      order.quote && quoteTable(order),
      this.finalButtons(order),
      this.checkout.details.root,
      order.status === 'paid' && cheerSlot(),
    ];
  }

  /**
   * A buyer with several reservations in this show can pay them together.
   * @param {Order} order
   * @param {boolean} isBusy
   */
  togetherButton(order, isBusy) {
    const others = this.checkout.othersToPay(order);
    if (!others.length) return null;
    const onclick = () => this.checkout.putTogether(order);
    const props = { type: 'button', 'data-test': 'order-together', disabled: isBusy, onclick };
    return el('button.wide.together', props, t('order.together', { n: others.length }));
  }

  /** @param {Order} order */
  formOf(order) {
    let form = this.forms.get(order.id);
    if (!form) {
      form = new PaymentForm(order, {
        checkout: this.checkout,
        onpay: (address, payment) => this.checkout.pay(order, address, payment),
        oncancel: () => this.checkout.act(order, () => this.checkout.orderClient.cancel(order)),
      });
      this.forms.set(order.id, form);
    }
    return form;
  }

  /**
   * The way back, and after an expired reservation a button to buy again, as soon as there are units.
   * @param {Order} order
   */
  finalButtons(order) {
    const { onagain } = this.checkout;
    if (onagain && !['placed', 'paid', 'refunded'].includes(order.status)) {
      const buyAgain = () => {
        const offer = this.checkout.client.state.offers.get(order.offer);
        if (offer) onagain(offer);
      };
      const props = { type: 'button', 'data-test': 'order-again', hidden: true, onclick: buyAgain };
      this.again = el('button.wide', props, t('try_again'));
    }
    return el('div.actions', {}, this.doneButton(), this.again);
  }

  /** @param {'primary' | 'ghost'} [look] */
  doneButton(look = 'primary') {
    const goBack = () => {
      this.checkout.dialog?.close();
      this.checkout.onback();
    };
    const props = { type: 'button', 'data-test': 'order-done', onclick: goBack };
    return el(`button.${look}.wide`, props, this.checkout.back);
  }

  /** The answer was lost, and the request is retried. */
  showRetry() {
    if (this.status) setText(this.status, t('order.checking'));
  }

  /**
   * @param {Order} order
   * @param {number} now
   */
  tick(order, now) {
    const offer = this.checkout.client.state.offers.get(order.offer);
    if (this.again) setVisible(this.again, offer !== undefined && canBuy(phaseOf(offer, now)));
    if (!this.holdClock || order.status !== 'held') return;
    this.holdClock.paint(order.hold_until - now);
    this.forms.get(order.id)?.tick(order.hold_until - now);
  }
}

/** The choice of a sound comes last and later: it moves no button. */
function cheerSlot() {
  const slot = el('div');
  import('./cheer.js').then(
    ({ cheerChoice }) => slot.replaceChildren(cheerChoice()),
    () => {},
  );
  return slot;
}
