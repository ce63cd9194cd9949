// The end of a dispute that the server could not read at the payment provider: somebody who saw it there says how it ended.

import { put } from '../api.js';
import { field, readAll, required, showFieldError } from '../host/form.js';
import { guardTyped } from '../host/unsaved.js';
import { formatMoney, refusalText, t } from '../i18n.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { choice } from './choice.js';

/** @import { Dispute } from '../types.d.ts' */

/** @type {NonNullable<Dispute['result']>[]} */
const RESULTS = ['won', 'lost', 'withdrawn'];
/** The server has the same limit. */
const NOTE_MAX = 200;

/**
 * Opens the form. `onclosed` is called when the dispute is closed.
 * @param {Dispute} dispute
 * @param {string} provider its name for people
 * @param {() => unknown} onclosed
 */
export function openDisputeForm(dispute, provider, onclosed) {
  const { order, reference, amount, currency } = dispute;
  const facts = { provider, amount: formatMoney(amount, currency) };
  const result = choice({
    label: t('payments.close_result'),
    test: 'dispute-result',
    value: dispute.result ?? '',
    needed: t('payments.close_needed'),
    options: [['', t('payments.close_choose')], ...RESULTS.map((one) => optionOf(one))],
  });
  const note = field({
    label: t('payments.close_note'),
    test: 'dispute-note',
    hint: t('payments.close_note_hint'),
    maxLength: NOTE_MAX,
    autocomplete: 'off',
    check: required,
  });
  const fields = { result, note };
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'dispute-alert' });
  const submit = el(
    'button.primary.wide',
    { type: 'submit', 'data-test': 'dispute-submit' },
    t(dispute.result ? 'payments.change_yes' : 'payments.close'),
  );
  const send = async () => {
    const values = readAll(fields);
    if (!values) return;
    await put(`/orders/${order}/dispute`, { reference, ...values });
    dialog.close();
    toast(t('payments.closed_done'));
    onclosed();
  };
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    withBusy(submit, send, (refusal) => {
      if (showFieldError(fields, refusal, refusalText(refusal))) return;
      // Somebody else was faster, or the provider has answered after all: the list says so.
      setText(alert, refusal.code === 'wrong_status' ? t('payments.close_changed') : refusalText(refusal));
      setVisible(alert, true);
    });
  };
  const form = el(
    'form.desk-form',
    { noValidate: true, onsubmit },
    el('p', {}, t('payments.close_text', facts)),
    result.node,
    note.node,
    alert,
    submit,
  );
  const title = t(dispute.result ? 'payments.change' : 'payments.close');
  const dialog = guardTyped(openSheet(form, { title, test: 'dispute-sheet', className: 'side' }));
}

/** @param {NonNullable<Dispute['result']>} result @returns {[value: string, text: string]} */
const optionOf = (result) => [result, t(`payments.close_${result}`)];
