// The page to which the identity provider sends the browser back. It finishes the sign-in and goes to where the reader came from.

import { asRefusal, post } from './api.js';
import { errorPage, messagePage } from './error_page.js';
import { lang, languageSwitch, load, refusalText, t, translate } from './i18n.js';
import { begin } from './email_sign_in.js';
import { cameFrom } from './oidc.js';
import { byId, el, fillIcons } from './ui.js';

/** @import { Identity } from './types.d.ts' */

const given = new URLSearchParams(location.search);
// Neither a reload nor the history of the browser has the code.
history.replaceState(null, '', location.pathname);

await Promise.all([load('buy'), load('pages')]);
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
document.title = t('sign_in.title');
finish().catch((error) => errorPage(asRefusal(error)));

async function finish() {
  const [code, state, iss] = ['code', 'state', 'iss'].map((name) => given.get(name) ?? undefined);
  if (!code || !state) return say(t(given.has('error') ? 'oidc.given_up' : 'oidc.nothing'));
  try {
    /** @type {Identity} */
    const who = await post('/session/oidc/finish', { code, state, iss, lang });
    await begin(who);
    location.replace(cameFrom());
  } catch (error) {
    const refusal = asRefusal(error);
    if (!refusal.code.startsWith('oidc_') && refusal.code !== 'cookies_blocked') throw error;
    say(refusalText(refusal));
  }
}

/** @param {string} text */
function say(text) {
  const back = el('a.button.primary', { href: cameFrom(), 'data-test': 'sign-in-back' }, t('oidc.back'));
  messagePage(t('sign_in.title'), text, back);
}
