// Signing in by a code that is sent by e-mail: for the staff at the desk, and once more before what cannot be undone.

import { asRefusal, get, post } from './api.js';
import { lang, load, refusalText, t } from './i18n.js';
import { emailAddress } from './admin/email_address.js';
import { field, readAll, required, showFieldError } from './host/form.js';
import { openSheet, withBusy } from './sheet.js';
import { el, setText, setVisible } from './ui.js';

/** @import { Identity } from './types.d.ts' */
/** @import { Field } from './host/form.js' */

const NAME_MAX = 40;

/**
 * Asks for the code that is sent to an address, in a sheet. Resolves to true when the reader has signed in.
 * @param {{ email?: string, title: string, about: string }} options `email`: the address that must be proved
 * @returns {Promise<boolean>}
 */
export async function signInByEmail({ email, title, about }) {
  await Promise.all([load('host'), load('staff')]);
  return new Promise((resolve) => {
    let isDone = false;
    const body = el('div.sheet-steps');
    const dialog = openSheet(body, { title, test: 'email-signin', className: 'small', onclose: () => resolve(isDone) });
    const finish = () => {
      isDone = true;
      dialog.close();
    };
    addressStep({ body, email, about, finish });
  });
}

/** Signs in again as the same account. Resolves to false when the reader gave up. */
export async function proveAgain() {
  await load('staff');
  /** @type {Identity} */
  const { email } = await get('/session');
  if (!email) return false;
  return signInByEmail({ email, title: t('sign_in.title'), about: t('error.sign_in_again') });
}

/**
 * A form in the sheet.
 * @param {{ body: HTMLElement, about: string, fields: Record<string, Field<any>>, button: string, test: string,
 *   work: () => Promise<void> | null }} options
 */
function showForm({ body, about, fields, button, test, work }) {
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'email-alert' });
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': test }, button);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    withBusy(
      submit,
      () => work() ?? undefined,
      (refusal) => {
        const text = refusalText(refusal);
        if (showFieldError(fields, refusal, text)) return;
        setText(alert, text);
        setVisible(alert, true);
      },
    );
  };
  const nodes = Object.values(fields).map((one) => one.node);
  body.replaceChildren(el('form', { noValidate: true, onsubmit: send }, el('p', {}, about), nodes, alert, submit));
  Object.values(fields)[0]?.control.focus();
}

/** @param {{ body: HTMLElement, email?: string, about: string, finish: () => void }} options */
function addressStep({ body, email, about, finish }) {
  const address = field({
    label: t('staff.email'),
    test: 'email-address',
    check: emailAddress,
    type: 'email',
    autocomplete: 'email',
    dir: 'ltr',
    value: email ?? '',
    readOnly: Boolean(email),
  });
  const work = () => {
    const values = readAll({ email: address });
    if (!values) return null;
    return post('/session/email', { email: values.email, lang }).then((/** @type {any} */ { id }) =>
      codeStep({ body, id, email: values.email, finish }),
    );
  };
  showForm({ body, about, fields: { email: address }, button: t('join.send'), test: 'email-send', work });
}

/** @param {{ body: HTMLElement, id: string, email: string, finish: () => void }} options */
function codeStep({ body, id, email, finish }) {
  const code = field({
    label: t('join.code'),
    test: 'email-code',
    check: sixDigits,
    inputMode: 'numeric',
    autocomplete: 'one-time-code',
    maxLength: 12,
    dir: 'ltr',
  });
  const name = field({ label: t('join.name'), test: 'email-name', check: required, maxLength: NAME_MAX });
  name.node.hidden = true;
  const work = () => {
    const typed = readAll(name.node.hidden ? { code } : { code, name });
    if (!typed) return null;
    return post('/session/email/verify', { id, ...typed }).then(finish, (error) => {
      // Only a new account needs one.
      if (asRefusal(error).code !== 'name_needed') throw error;
      name.node.hidden = false;
      name.control.focus();
    });
  };
  const fields = { code, name };
  showForm({ body, about: t('join.sent', { email }), fields, button: t('sign_in.submit'), test: 'email-submit', work });
}

/**
 * Six digits, in whatever digits they were typed.
 * @param {string} text
 */
export function sixDigits(text) {
  const digits = text.replace(/[\s-]/g, '').replace(/[٠-٩۰-۹]/g, (digit) => String((digit.codePointAt(0) ?? 0) & 0xf));
  if (!/^\d{6}$/.test(digits)) throw new Error(t('join.code_wrong'));
  return digits;
}
