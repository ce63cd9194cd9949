// The host console: it signs the host in, shows the list of shows or the console of one show, and joins its parts.
//
// Everything that a host does goes out by REST, so that each refusal comes back as a sentence. Everything that happens
// comes in over the same socket that viewers have: the host sees what viewers see.

import { asRefusal, get, token } from './api.js';
import { Console } from './host/console.js';
import { acceptInvite, replaceByInvite, takeInviteFromAddress } from './host/invite.js';
import { showList } from './host/show_list.js';
import { load, t, titleOf, translate } from './i18n.js';
import { errorPage, messagePage } from './error_page.js';
import { loadShop } from './load_shop.js';
import { signInToDemo } from './sign_in.js';
import { signInFromAddress } from './sign_in_link.js';
import { byId, el, fillIcons } from './ui.js';

/** @import { Identity, Shop, Stream } from './types.d.ts' */

await Promise.all([load('host'), load('audit'), load('buy'), load('show')]);
translate();
fillIcons();
const invite = takeInviteFromAddress();
await signInFromAddress({ isPersonal: true });
start().catch((error) => errorPage(asRefusal(error)));

async function start() {
  const id = new URLSearchParams(location.search).get('stream');
  const [shop, stream] = await Promise.all([
    loadShop(),
    id ? /** @type {Promise<Stream>} */ (get(`/streams/${encodeURIComponent(id)}`)) : null,
  ]);
  document.title = `${t('host.title')} · ${titleOf(shop)}`;
  if (invite && token.get()) replaceByInvite(invite);
  else if (invite) await acceptInvite(invite);
  if (invite && !token.get()) return signInPage(shop, t('team.not_accepted'));
  // Staff come by a session, which is a cookie; the others by a token.
  const isKnown = async () => token.get() || (await whoAmI()).kind !== 'anonymous';
  if (!(await isKnown())) await signInToDemo(shop, 'host');
  if (!(await isKnown())) return signInPage(shop, t(shop.dev_login ? 'host.sign_in' : 'host.sign_in_link'));
  if (!stream) return showList(byId('shows'), shop);
  new Console({ shop, stream, onnotstaff: () => signInPage(shop, t('host.not_staff')) });
}

/** @returns {Promise<Identity>} */
const whoAmI = () => get('/session');

/**
 * Without the token of a team member there is nothing to run. The demo can give one.
 * @param {Shop} shop
 * @param {string} text
 */
function signInPage(shop, text) {
  byId('console').hidden = true;
  const signInAsHost = async () => {
    token.clear();
    if (await signInToDemo(shop, 'host')) location.reload();
  };
  const props = { type: 'button', 'data-test': 'host-signin', onclick: signInAsHost };
  messagePage(t('host.title'), text, shop.dev_login && el('button.primary', props, t('sign_in.title')));
}
