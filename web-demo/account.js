// The account button: who one is, in sight on every page. It opens the sign-in, or the menu of the account.
//
// A session of the shop is a cookie, which no script can read. Who it belongs to is kept beside it, for all tabs of this
// browser: another tab that signs in or out changes this one too.

import { session, signedInAs, token } from './api.js';
import { t } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { el, icon, ICONS, setText } from './ui.js';

/** @import { LiveClient } from './types.d.ts' */

ICONS.person = 'M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4.5 20c0-3.9 3.4-5.8 7.5-5.8s7.5 1.9 7.5 5.8';

/**
 * @param {HTMLButtonElement} button
 * @param {{ name: () => string, signIn: () => unknown }} options `name` is the name of the reader, as far as the page knows it
 */
export function accountButton(button, { name, signIn }) {
  // Where there is no room for the name, the icon stands alone.
  const text = el('span', { dir: 'auto' });
  button.append(icon('person'), text);
  const paint = () => {
    const isSignedIn = Boolean(signedInAs());
    const label = isSignedIn ? name() : t('sign_in.title');
    setText(text, label);
    button.setAttribute('aria-label', isSignedIn ? t('account.signed_in_as', { name: label }) : label);
    button.dataset.signedIn = String(isSignedIn);
    button.hidden = !label;
    if (isSignedIn) button.setAttribute('aria-haspopup', 'dialog');
    else button.removeAttribute('aria-haspopup');
  };
  button.addEventListener('click', () => {
    if (!signedInAs()) return signIn();
    return import('./account_menu.js').then((menu) => menu.openAccountMenu()).catch(showUnreachable);
  });
  paint();
  return paint;
}

/**
 * Calls `onchange` when another tab signed in or out. A tab that has a token is somebody else, and stays so.
 * @param {(isNewPerson: boolean) => void} onchange `isNewPerson`: nobody was signed in before
 */
export function onOtherTab(onchange) {
  let before = session.get()?.sub ?? null;
  addEventListener('storage', ({ key }) => {
    if (key !== session.slot && key !== null) return;
    const [was, now] = [before, session.get()?.sub ?? null];
    before = now;
    if (was !== now && !token.get()) onchange(was === null);
  });
}

/**
 * Follows what the server says of this connection: the session may have ended, or be one that this page did not know of.
 * @param {LiveClient} client
 */
export function followServer({ you }) {
  if (token.get() || !you) return;
  const known = session.get();
  if (you.role === 'anonymous') session.clear();
  else if (known?.sub !== you.id || known.name !== you.name) session.set({ ...known, sub: you.id, name: you.name });
}
