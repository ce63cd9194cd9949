// The settings of cash on delivery and bank transfer, a form of its own.

import { call } from '../api.js';
import { field, readAll, showFieldError } from '../host/form.js';
import { formatNumber, lang, refusalText, t } from '../i18n.js';
import { parseNumber } from '../number_input.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { tick } from './choice.js';
import { textArea } from './text_area.js';

/** @import { ManualPayments, Refusal } from '../types.d.ts' */

const DETAILS_MAX = 1_440;

/**
 * A whole number from 1 to `max`.
 * @param {number} max
 */
const upTo = (max) => (/** @type {string} */ text) => {
  const parsed = parseNumber(text, lang, 0);
  if ('fault' in parsed || parsed.value < 1 || parsed.value > max) {
    throw new Error(t('manual.wrong_number', { max: formatNumber(max) }));
  }
  return parsed.value;
};

/** @param {ManualPayments} before */
export function manualPaymentForm(before) {
  const number = (/** @type {string} */ label, /** @type {string} */ test, /** @type {number} */ value, max = 90) =>
    field({ label: t(label), test, check: upTo(max), value, inputMode: 'numeric' });
  const cash = tick({ label: t('manual.cash_on_delivery'), test: 'manual-cash', checked: before.cash_on_delivery });
  const transfer = tick({ label: t('manual.bank_transfer'), test: 'manual-transfer', checked: before.bank_transfer });
  const flash = tick({ label: t('manual.for_flash_sales'), test: 'manual-flash', checked: before.for_flash_sales });
  const fields = {
    cash_days: number('manual.cash_days', 'manual-cash-days', before.cash_days),
    transfer_days: number('manual.transfer_days', 'manual-transfer-days', before.transfer_days),
    bank_details: textArea({
      label: t('manual.bank_details'),
      test: 'manual-bank-details',
      value: before.bank_details,
      max: DETAILS_MAX,
      rows: 4,
      hint: t('manual.bank_details_hint'),
    }),
    open_orders_max: number('manual.open_orders_max', 'manual-open-orders', before.open_orders_max, 100),
  };
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'manual-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = refusalText(refusal);
    const name = String(refusal.detail?.field ?? '').replace('manual_payments.', '');
    if (showFieldError(fields, { ...refusal, detail: { field: name } }, text)) return;
    setText(alert, text);
    setVisible(alert, true);
  };
  const follow = () => {
    setVisible(fields.cash_days.node, cash.box.checked);
    for (const name of /** @type {const} */ (['transfer_days', 'bank_details'])) {
      setVisible(fields[name].node, transfer.box.checked);
    }
    const isAny = cash.box.checked || transfer.box.checked;
    setVisible(fields.open_orders_max.node, isAny);
    setVisible(flash.node, isAny);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': 'manual-save' }, t('save'));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    const values = readAll(fields);
    if (!values) return;
    if (transfer.box.checked && !values.bank_details.trim()) {
      fields.bank_details.showError(t('manual.bank_details_missing'));
      fields.bank_details.control.focus();
      return;
    }
    const form = {
      ...values,
      cash_on_delivery: cash.box.checked,
      bank_transfer: transfer.box.checked,
      for_flash_sales: flash.box.checked,
    };
    const send = async () => {
      await call('PATCH', '/shop/settings', { body: { manual_payments: form } });
      toast(t('settings.saved'), { kind: 'good', test: 'manual-saved' });
    };
    withBusy(submit, send, showRefusal);
  };
  follow();
  return el(
    'form.desk-form',
    { noValidate: true, onsubmit: save, onchange: follow, 'data-test': 'manual-form' },
    el('h2', {}, t('manual.title')),
    el('p.fine', {}, t('manual.about')),
    cash.node,
    fields.cash_days.node,
    transfer.node,
    fields.transfer_days.node,
    fields.bank_details.node,
    fields.open_orders_max.node,
    flash.node,
    alert,
    el('div.actions', {}, submit),
  );
}
