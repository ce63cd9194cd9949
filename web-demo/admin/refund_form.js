// The refund of a part of an order: which units come back, the delivery, or an amount that the seller chooses.

import { post } from '../api.js';
import { newKey } from '../client.js';
import { field, price, readAll, wholeNumber } from '../host/form.js';
import { decimalsOf, formatDateTime, formatMoney, lang, refusalText, t } from '../i18n.js';
import { writeAmount } from '../number_input.js';
import { fullTitle } from '../offer.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, setText, setVisible } from '../ui.js';
import { tick } from './choice.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { Reservation, ShopOrderDetail } from '../types.d.ts' */
/** @import { Field } from '../host/form.js' */

/** The part of an amount for some of all units, rounded half up as the server does. */
const share = (/** @type {number} */ whole, /** @type {number} */ qty, /** @type {number} */ all) =>
  Number((2n * BigInt(whole) * BigInt(qty) + BigInt(all)) / (2n * BigInt(all)));

/**
 * What refunds of a line give back, also those that the bank has not carried out yet, or has sent back after the units had come.
 * @param {ShopOrderDetail} order
 * @param {Reservation} line
 */
function returnedBefore({ refunds }, line) {
  const parts = refunds
    .filter(({ has_units }) => has_units)
    .flatMap(({ lines }) => lines)
    .filter(({ reservation }) => reservation === line.id);
  const units = parts.reduce((sum, { qty }) => sum + qty, 0);
  return { units: Math.max(units, line.returned), amount: parts.reduce((sum, { amount }) => sum + amount, 0) };
}

/**
 * What the buyer gets for these units.
 * @param {ShopOrderDetail} order
 * @param {Reservation} line
 * @param {number} qty
 */
function lineShare(order, line, qty) {
  const { quote } = order;
  const quoted = quote?.lines.find(({ reservation }) => reservation === line.id);
  const goods = quoted ? quoted.amount - quoted.discount : line.amount;
  const tax = quoted && quote && !quote.tax_included ? quoted.tax : 0;
  const before = returnedBefore(order, line);
  const until = share(goods + tax, before.units + qty, line.qty);
  const rest = before.units + qty < line.qty ? until % order.refundable.step : 0;
  return qty ? Math.max(until - rest - before.amount, 0) : 0;
}

/**
 * Rounded down to what a bank can give back, and all that is left where the rest would be less than that; as the server does.
 * @param {number} amount
 * @param {number} left
 * @param {number} step
 */
function inSteps(amount, left, step) {
  const rest = left - amount;
  return rest >= 0 && rest < step ? left : amount - (amount % step);
}

/**
 * The refunds of an order, the oldest first.
 * @param {ShopOrderDetail} order
 */
export function refundList({ refunds, lines = [], currency }) {
  if (!refunds.length) return null;
  const titleOfLine = (/** @type {string} */ id) => {
    const line = lines.find((one) => one.id === id);
    return line ? fullTitle(line) : '';
  };
  const items = refunds.map(({ n, amount, status, created_at, lines: returned, reason }) =>
    el(
      'li',
      { 'data-refund': String(n) },
      el('span', {}, el('bdi', {}, formatMoney(amount, currency)), ' · ', t(`desk.refund.${status}`)),
      el('small', {}, formatDateTime(created_at)),
      returned.map(({ reservation, qty }) =>
        el('small', {}, el('bdi', {}, titleOfLine(reservation)), ' ', t('order.qty', { n: qty })),
      ),
      reason && el('small', {}, el('bdi', {}, reason)),
    ),
  );
  return el('ul.attempts', { 'data-test': 'refunds' }, items);
}

/**
 * Opens the form. `onrefunded` is called when the refund is done.
 * @param {ShopOrderDetail} order
 * @param {() => void} onrefunded
 */
export function openRefund(order, onrefunded) {
  let key = newKey();
  const unitsLeft = (/** @type {Reservation} */ line) => line.qty - returnedBefore(order, line).units;
  const lines = (order.lines ?? []).filter((line) => line.status === 'sold' && unitsLeft(line) > 0);
  /** @type {Record<string, Field<number>>} */
  const units = Object.fromEntries(
    lines.map((line) => {
      const max = unitsLeft(line);
      const label = `${fullTitle(line)} (${t('desk.refund_units', { n: max })})`;
      const one = field({
        label,
        test: `refund-units-${line.id}`,
        check: wholeNumber(0, max),
        value: 0,
        inputMode: 'numeric',
      });
      return [line.id, one];
    }),
  );
  const { amount: left, delivery: fee, whole, step, carried } = order.refundable;
  const delivery = tick({
    label: t('desk.refund_delivery', { amount: formatMoney(fee, order.currency) }),
    test: 'refund-delivery',
    checked: false,
  });
  const restock = tick({
    label: t('desk.restock'),
    test: 'refund-part-restock',
    checked: order.fulfilment.sent_at === null,
  });
  const amount = field({
    label: t('desk.refund_amount', { currency: order.currency }),
    test: 'refund-amount',
    check: (text) => {
      if (!text) return null;
      const typed = price(order.currency)(text);
      if (typed % step === 0 || typed === left) return typed;
      throw new Error(t('desk.refund_step', { amount: formatMoney(step, order.currency) }));
    },
    inputMode: 'decimal',
    hint: t('desk.refund_left', { amount: formatMoney(left, order.currency) }),
  });
  const reason = field({
    label: t('desk.refund_reason'),
    test: 'refund-reason',
    check: (text) => text,
    maxLength: 125,
  });
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'refund-alert' });
  const submit = el('button.danger.wide', { type: 'submit', 'data-test': 'refund-submit' });
  const chosen = () => lines.map((line) => ({ line, qty: Number(units[line.id].control.value) || 0 }));
  const computed = () => {
    const sum = chosen().reduce(
      (total, { line, qty }) => total + lineShare(order, line, Math.min(qty, unitsLeft(line))),
      0,
    );
    const parts = sum + (delivery.box.checked ? fee : 0);
    return parts > 0 ? inSteps(parts + carried, left, step) : 0;
  };
  const follow = () => {
    const due = computed();
    amount.control.placeholder = writeAmount(due, lang, decimalsOf(order.currency));
    setText(
      submit,
      amount.control.value ? t('desk.refund') : t('desk.refund_yes', { amount: formatMoney(due, order.currency) }),
    );
  };
  const send = async () => {
    const counts = readAll(units);
    const values = readAll({ amount, reason });
    if (!counts || !values) return;
    const body = {
      lines: Object.entries(counts)
        .filter(([, quantity]) => quantity > 0)
        .map(([reservation, quantity]) => ({ reservation, quantity })),
      delivery: delivery.box.checked,
      restock: restock.box.checked,
      ...(values.reason ? { reason: values.reason } : {}),
      ...(values.amount === null ? {} : { amount: values.amount }),
    };
    await post(`/orders/${order.id}/refunds`, body, { key });
    dialog.close();
    onrefunded();
  };
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    withBusy(submit, send, (refusal) => {
      // It has ended, so that the next try is another refund. After any other refusal it may be the same one.
      if (refusal.code === 'refund_failed') key = newKey();
      setText(alert, refusalText(refusal));
      setVisible(alert, true);
    });
  };
  const form = el(
    'form.desk-form',
    { noValidate: true, onsubmit, oninput: follow },
    lines.length > 0 && el('p.fine', {}, t('desk.refund_part_about')),
    lines.map((line) => units[line.id].node),
    fee > 0 && delivery.node,
    fee > 0 && whole < left && el('p.fine', { 'data-test': 'refund-shared' }, t('desk.refund_shared')),
    lines.length > 0 && restock.node,
    amount.node,
    reason.node,
    alert,
    submit,
  );
  const dialog = guardTyped(openSheet(form, { title: t('desk.refund_part'), test: 'refund', className: 'side' }));
  follow();
}
