// The sign-in. A viewer signs in on the shop's own pages, as a guest or by e-mail; a shop with its own accounts gives the page a
// token instead. For the team, the demo has a small dialog that asks for a name.

import { post, signedInAs, token } from './api.js';
import { refusalText, t } from './i18n.js';
import { become } from './identity.js';
import { openSheet, withBusy } from './sheet.js';
import { el } from './ui.js';

/** @import { Refusal, Role, Shop } from './types.d.ts' */

const NAME = 'livesouk.name';
const NAME_MAX = 40;

/**
 * A dialog that asks for a name. Resolves when it is closed.
 * @param {{
 *   title: string,
 *   about: string,
 *   label: string,
 *   button: string,
 *   name: string,
 *   tests: { dialog: string, field: string, submit: string, alert: string },
 *   accept: (name: string) => Promise<void>,
 * }} options
 * @returns {Promise<void>}
 */
export function askName({ title, about, label, button, name, tests, accept }) {
  return new Promise((resolve) => {
    const input = el('input', {
      type: 'text',
      id: tests.field,
      maxLength: NAME_MAX,
      required: true,
      autocomplete: 'nickname',
      dir: 'auto',
      value: name,
      'data-test': tests.field,
    });
    const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': tests.alert });
    const submit = el('button.primary.wide', { type: 'submit', 'data-test': tests.submit }, button);
    const form = el('form', {}, el('p', {}, about), el('label', { for: tests.field }, label), input, alert, submit);
    const dialog = openSheet(form, { title, test: tests.dialog, className: 'small', onclose: () => resolve() });
    /** @param {Refusal} refusal */
    const showRefusal = (refusal) => {
      alert.textContent = refusalText(refusal);
      alert.hidden = false;
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const chosen = input.value.trim();
      if (!chosen) return input.focus();
      withBusy(submit, () => accept(chosen).then(() => dialog.close()), showRefusal);
    });
    input.focus();
  });
}

/**
 * Asks a viewer to sign in. Resolves to whom the reader is then, or to null when the sheet was closed.
 * @param {{ about?: 'buy' | 'orders' | 'stock_alert' }} [options]
 */
export async function signIn({ about } = {}) {
  return signedInAs() ?? (await import('./sign_in_sheet.js')).signInSheet({ about });
}

/**
 * Signs a member of the team in to a demo. Resolves to the token, or to null when the reader closed the dialog or the shop is no demo.
 * @param {Shop} shop
 * @param {Role} role
 */
export async function signInToDemo(shop, role) {
  if (token.get() || !shop.dev_login) return token.get();
  await askName({
    title: t('sign_in.title'),
    about: t('sign_in.why_host'),
    label: t('sign_in.name'),
    button: t('sign_in.submit'),
    name: localStorage.getItem(NAME) ?? '',
    tests: { dialog: 'signin', field: 'signin-name', submit: 'signin-submit', alert: 'signin-alert' },
    accept: async (name) => {
      /** @type {{ token: string }} */
      const answer = await post('/dev/tokens', { name, role });
      become(answer.token);
      localStorage.setItem(NAME, name);
    },
  });
  return token.get();
}
