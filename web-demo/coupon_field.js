// The coupon of an order in the checkout: a line that opens a field for the code, and the coupon that the order has, with what it saves.
// It is loaded only by shops that have a coupon.

import { put } from './api.js';
import { formatMoney, load, refusalText, t } from './i18n.js';
import { withBusy } from './sheet.js';
import { el, speak, style } from './ui.js';

/** @import { Order, OrderDetail, OrderQuote, QuoteCoupon, Refusal } from './types.d.ts' */
/** @import { PaymentForm } from './payment_form.js' */

await Promise.all([load('coupon'), style('coupon')]);

let fields = 0;

/**
 * Fills the place of the coupon in the form of a held order. What the buyer types stays while nothing has changed.
 * @param {PaymentForm} form
 * @param {Order} order
 */
export function show(form, order) {
  const quote = form.checkout.quotes.get(order.id);
  const state = JSON.stringify([quote?.coupon, quote?.discount, form.isPaying]);
  const slot = form.coupon;
  if (!quote || slot.dataset.state === state) return;
  // A payment that failed leaves the field as it was.
  const typed = slot.querySelector('input')?.value ?? '';
  slot.dataset.state = state;
  slot.className = 'coupon';
  if (quote.coupon) slot.replaceChildren(...shownCoupon(form, order, quote, quote.coupon));
  else if (typed) slot.replaceChildren(codeForm(form, order, typed));
  else slot.replaceChildren(opener(form, order));
}

/**
 * @param {PaymentForm} form
 * @param {Order} order
 */
function opener(form, order) {
  const open = () => {
    const field = codeForm(form, order, '');
    form.coupon.replaceChildren(field);
    field.querySelector('input')?.focus();
  };
  const props = { type: 'button', disabled: form.isPaying, 'data-test': 'coupon-open', onclick: open };
  return el('button.coupon-open', props, t('coupon.have'));
}

/**
 * A group, not a form: it stands inside the form that pays.
 * @param {PaymentForm} form
 * @param {Order} order
 * @param {string} typed
 */
function codeForm(form, order, typed) {
  const id = `coupon-${++fields}`;
  const alert = el('p.field-error', { id: `${id}-error`, role: 'alert', hidden: true, 'data-test': 'coupon-error' });
  const input = el('input', {
    id,
    value: typed,
    maxLength: 40,
    autocomplete: 'off',
    autocapitalize: 'characters',
    spellcheck: false,
    dir: 'auto',
    disabled: form.isPaying,
    'data-test': 'coupon-code',
    oninput: () => showRefusal(null),
    onkeydown: (event) => {
      if (event.key !== 'Enter') return;
      // Enter applies the code; it must not pay.
      event.preventDefault();
      send();
    },
  });
  input.setAttribute('aria-describedby', alert.id);
  const props = { type: 'button', disabled: form.isPaying, 'data-test': 'coupon-apply', onclick: () => send() };
  const button = el('button', props, t('coupon.apply'));
  /** @param {Refusal | null} refusal */
  const showRefusal = (refusal) => {
    alert.hidden = !refusal;
    alert.textContent = refusal ? reasonOf(refusal, order) : '';
    if (refusal) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  };
  const send = () => {
    const code = input.value.trim();
    if (!code) return input.focus();
    showRefusal(null);
    return withBusy(
      button,
      () => change(form, order, code),
      (refusal) => {
        showRefusal(refusal);
        input.focus();
      },
    );
  };
  return el(
    'div.coupon-form',
    { role: 'group', 'data-test': 'coupon-form' },
    el('label', { for: id }, t('coupon.code')),
    el('div.coupon-line', {}, input, button),
    alert,
  );
}

/**
 * @param {PaymentForm} form
 * @param {Order} order
 * @param {OrderQuote} quote
 * @param {QuoteCoupon} coupon
 */
function shownCoupon(form, order, quote, coupon) {
  const alert = el('p.field-error', { role: 'alert', hidden: true, 'data-test': 'coupon-error' });
  const remove = () =>
    withBusy(
      button,
      () => change(form, order, null),
      (refusal) => {
        alert.hidden = false;
        alert.textContent = refusalText(refusal);
      },
    );
  const label = t('coupon.remove_code', { code: coupon.code });
  const props = { type: 'button', disabled: form.isPaying, 'aria-label': label, 'data-test': 'coupon-remove' };
  const button = el('button.slim', { ...props, onclick: remove }, t('coupon.remove'));
  const problem = coupon.problem && reasonOf({ code: coupon.problem, detail: { minimum: coupon.minimum } }, order);
  const state = problem
    ? el('p.field-error', { 'data-test': 'coupon-problem' }, problem)
    : el(
        'p',
        { 'data-test': 'coupon-saved' },
        t('coupon.saved', { amount: formatMoney(quote.discount, order.currency) }),
      );
  const code = el('bdi.coupon-code', { dir: 'auto', 'data-test': 'coupon-shown' }, coupon.code);
  return [el('div.coupon-shown', {}, el('div', {}, code, state), button), alert];
}

/**
 * @param {PaymentForm} form
 * @param {Order} order
 * @param {string | null} code null takes the coupon away
 */
async function change(form, order, code) {
  const { checkout } = form;
  /** @type {OrderDetail} */
  const changed = await put(`/orders/${order.id}`, { coupon: code });
  checkout.client.applyOrder(changed);
  const quote = checkout.learnQuote(changed);
  // A purchase by itself became a line of the open order.
  if (changed.id !== order.id) checkout.showOrder(changed);
  if (code && quote?.discount) speak(t('coupon.saved', { amount: formatMoney(quote.discount, order.currency) }));
  checkout.focusSuccessor(code ? 'coupon-remove' : 'coupon-open');
}

/**
 * Why a coupon does not count, with the sum that it needs.
 * @param {Refusal} refusal
 * @param {Order} order
 */
function reasonOf(refusal, order) {
  const minimum = Number(refusal.detail?.minimum ?? 0);
  if (refusal.code !== 'coupon_minimum' || !minimum) return refusalText(refusal);
  return t('coupon.minimum', { amount: formatMoney(minimum, order.currency) });
}
