// The demo's sign-in: a small dialog that asks for a name. Shops with accounts of their own hand the page a token.

import { post, token } from './api.js';
import { refusal, t } from './i18n.js';
import { busy, sheet } from './sheet.js';
import { el } from './ui.js';

const NAME = 'livesouk.name';
const NAME_MAX = 40;

/** Resolves with the token, or null when the visitor thought better of it or the shop has no such door. */
export function signIn(shop, { role = 'viewer', about } = {}) {
  if (token.get()) return Promise.resolve(token.get());
  if (!shop?.dev_login) return Promise.resolve(null);
  return new Promise((resolve) => {
    let answer = null;
    const input = el('input', { type: 'text', maxLength: NAME_MAX, required: true, autocomplete: 'nickname', dir: 'auto', value: localStorage.getItem(NAME) ?? '', 'data-test': 'signin-name', id: 'signin-name' });
    const alert = el('p.alert', { role: 'alert', hidden: true });
    const button = el('button.primary.wide', { type: 'submit', 'data-test': 'signin-submit' }, t('signin.go'));
    const form = el('form', {}, el('p', {}, t(about ? `signin.why_${about}` : 'signin.why')), el('label', { for: 'signin-name' }, t('signin.name')), input, alert, button);
    const dialog = sheet(form, { title: t('signin.title'), test: 'signin', className: 'small', onclose: () => resolve(answer) });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) return input.focus();
      return busy(button, async () => {
        answer = (await post('/dev/tokens', { name, role })).token;
        token.set(answer);
        localStorage.setItem(NAME, name);
        dialog.close();
      }, (problem) => { alert.textContent = refusal(problem); alert.hidden = false; });
    });
    input.focus();
  });
}
