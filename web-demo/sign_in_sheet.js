// The sign-in of buyers on the shop's own pages: as a guest under a name, or with an account by a code by e-mail.

import { get, post, signedInAs } from './api.js';
import { begin, codeStep, emailForm, form, nameField, or, storeName } from './email_sign_in.js';
import { t } from './i18n.js';
import { signedIn } from './identity.js';
import { oidcButton } from './oidc.js';
import { openSheet } from './sheet.js';
import { el } from './ui.js';

/** @import { Identity } from './types.d.ts' */
/** @typedef {'buy' | 'buyers' | 'orders' | 'stock_alert'} About what the reader was about to do */

/**
 * Asks the reader to sign in. Resolves when the sheet is closed, to whom the reader is then; null: nobody.
 * @param {{ about?: About, onlyByEmail?: boolean }} [options] `onlyByEmail`: a guest wants an account
 * @returns {Promise<string | null>}
 */
export async function signInSheet({ about, onlyByEmail = false } = {}) {
  /** @type {Identity} */
  const who = await get('/session');
  if (who.kind !== 'anonymous' && !onlyByEmail) {
    // Another tab signed in, or this one forgot.
    signedIn(who);
    return signedInAs();
  }
  return new Promise((resolve) => {
    const plain = onlyByEmail ? 'account.by_email_why' : 'sign_in.why';
    const why = about ? `sign_in.why_${about}` : plain;
    const body = el('div.sign-in');
    const done = () => dialog.close();
    const first = () => {
      /** @param {import('./email_sign_in.js').Sent} sent */
      const next = (sent) => codeStep(body, sent, { done, back: first });
      body.replaceChildren(
        el('p', {}, t(why)),
        ...(onlyByEmail ? [] : [guestForm(done)]),
        ...((who.email_sign_in || who.oidc) && !onlyByEmail ? [or('sign_in.or')] : []),
        ...oidcButton(who),
        ...(who.email_sign_in ? [emailForm({ about: t('sign_in.email_about'), next })] : []),
        ...(onlyByEmail && !who.email_sign_in ? [el('p', {}, t('error.email_off'))] : []),
      );
      body.querySelector('input')?.focus();
    };
    const dialog = openSheet(body, {
      title: t(onlyByEmail ? 'account.by_email' : 'sign_in.title'),
      test: 'signin',
      className: 'small',
      onclose: () => resolve(onlyByEmail && !hasChanged(who) ? null : signedInAs()),
    });
    first();
  });
}

/** @param {Identity} before */
const hasChanged = (before) => signedInAs() !== before.user;

/** @param {() => void} done */
function guestForm(done) {
  const { input, parts } = nameField();
  const button = el('button.primary.wide', { type: 'submit', 'data-test': 'signin-submit' }, t('sign_in.guest_submit'));
  const send = async () => {
    const name = input.value.trim();
    if (!name) return input.focus();
    await begin(await post('/session/guest', { name }));
    storeName(name);
    return done();
  };
  return form({ test: 'signin', fields: parts, button, send });
}
