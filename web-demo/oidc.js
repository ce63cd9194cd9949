// Signing in with the identity provider of the shop: its button, and the way back to where the reader was.

import { post } from './api.js';
import { route } from './base.js';
import { refusalText, t } from './i18n.js';
import { withBusy } from './sheet.js';
import { el } from './ui.js';

/** @import { Identity } from './types.d.ts' */

const BACK = 'livesouk.sign_in_back';

/**
 * The button that leads to the identity provider; none where there is no provider. In a frame of another site no provider shows its page.
 * @param {Identity} who
 * @returns {HTMLElement[]}
 */
export function oidcButton({ oidc }) {
  if (!oidc || window.top !== window) return [];
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'signin-oidc-alert' });
  const go = async () => {
    alert.hidden = true;
    /** @type {{ url: string }} */
    const { url } = await post('/session/oidc', {});
    sessionStorage.setItem(BACK, location.href);
    location.assign(url);
    // The button stays busy until the page is left.
    await new Promise(() => {});
  };
  const button = el(
    'button.wide',
    {
      type: 'button',
      'data-test': 'signin-oidc',
      onclick: () =>
        withBusy(button, go, (refusal) => {
          alert.textContent = refusalText(refusal);
          alert.hidden = false;
        }),
    },
    t('oidc.button', { name: oidc }),
  );
  return [alert, button];
}

/** The page of this shop from which the reader went to the identity provider. */
export function cameFrom() {
  const back = stored();
  return back?.startsWith(`${location.origin}/`) ? back : route('/');
}

function stored() {
  try {
    return sessionStorage.getItem(BACK);
  } catch {
    return null;
  }
}
