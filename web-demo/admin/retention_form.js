// How long the shop keeps addresses, the chat and the log of e-mails: a form of its own. A shorter time deletes, so it asks first.

import { call } from '../api.js';
import { field, readAll, showFieldError } from '../host/form.js';
import { formatNumber, lang, refusalText, t } from '../i18n.js';
import { parseNumber } from '../number_input.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';

/** @import { KeptDays, Refusal } from '../types.d.ts' */

const DAYS_MAX = 3_650;
const NAMES = /** @type {const} */ (['address_days', 'chat_days', 'mail_days']);

/** A whole number of days, 0 forever. @param {string} text */
function days(text) {
  const parsed = parseNumber(text, lang, 0);
  if ('fault' in parsed || parsed.value < 0 || parsed.value > DAYS_MAX) {
    throw new Error(t('retention.wrong_number', { max: formatNumber(DAYS_MAX) }));
  }
  return parsed.value;
}

/** Something is deleted that was kept before. @param {number} before @param {number} after */
const isShorter = (before, after) => after > 0 && (before === 0 || after < before);

/** @param {KeptDays} before */
export function retentionForm(before) {
  let known = before;
  const number = (/** @type {(typeof NAMES)[number]} */ name) =>
    field({
      label: t(`retention.${name}`),
      hint: t(`retention.${name}_hint`),
      test: `retention-${name.replace('_', '-')}`,
      check: days,
      value: before[name],
      inputMode: 'numeric',
    });
  const fields = {
    address_days: number('address_days'),
    chat_days: number('chat_days'),
    mail_days: number('mail_days'),
  };
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'retention-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = refusalText(refusal);
    const name = String(refusal.detail?.field ?? '').replace('retention.', '');
    if (showFieldError(fields, { ...refusal, detail: { field: name } }, text)) return;
    setText(alert, text);
    setVisible(alert, true);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': 'retention-save' }, t('save'));
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    const values = readAll(fields);
    if (!values) return;
    const deletes = NAMES.some((name) => isShorter(known[name], values[name]));
    const question = { title: t('retention.sure'), text: t('retention.sure_about'), yes: t('save'), danger: true };
    if (deletes && !(await confirmDialog(question))) return;
    const send = async () => {
      /** @type {{ kept_days: KeptDays }} */
      const { kept_days } = await call('PATCH', '/shop/settings', { body: { retention: values } });
      known = kept_days;
      toast(t('settings.saved'), { kind: 'good', test: 'retention-saved' });
    };
    await withBusy(submit, send, showRefusal);
  };
  return el(
    'form.desk-form',
    { noValidate: true, onsubmit: save, 'data-test': 'retention-form' },
    el('h2', {}, t('retention.title')),
    el('p.fine', {}, t('retention.about')),
    NAMES.map((name) => fields[name].node),
    alert,
    el('div.actions', {}, submit),
  );
}
