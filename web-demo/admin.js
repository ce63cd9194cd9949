// The seller's desk: the orders of the shop and its e-mails, for those who sell in it.

import { asRefusal, get, token } from './api.js';
import { MailList } from './admin/mail_list.js';
import { OrderList } from './admin/order_list.js';
import { openSection, sectionLinks } from './admin/sections.js';
import { errorPage, messagePage } from './error_page.js';
import { languageSwitch, load, t, titleOf, translate } from './i18n.js';
import { listAll } from './list.js';
import { loadShop } from './load_shop.js';
import { signIn } from './sign_in.js';
import { signInFromAddress } from './sign_in_link.js';
import { byId, el, fillIcons } from './ui.js';

/** @import { Shop, Stream } from './types.d.ts' */

await Promise.all([load('host'), load('buy'), load('desk')]);
translate();
const section = openSection();
byId('title').textContent = t(`desk.${section}`);
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
await signInFromAddress({ isPersonal: true });
start().catch((error) => errorPage(asRefusal(error)));

async function start() {
  const shop = await loadShop();
  document.title = `${t(`desk.${section}`)} · ${titleOf(shop)}`;
  if (!token.get()) await signIn(shop, { role: 'host', about: 'host' });
  if (!token.get()) return signInPage(shop, t(shop.dev_login ? 'host.sign_in' : 'host.sign_in_link'));
  /** @type {Stream[]} */
  const shows = await listAll('/streams');
  try {
    /** @type {{ tags: string[] }} */
    const { tags } = await get('/shop/order-tags');
    byId('sections').replaceChildren(sectionLinks(section));
    if (section === 'mails') await new MailList({ root: byId('desk'), shop, shows }).start();
    else await new OrderList({ root: byId('desk'), shop, shows, tags }).start();
  } catch (error) {
    const refusal = asRefusal(error);
    if (refusal.code !== 'forbidden' && refusal.code !== 'sign_in') throw error;
    signInPage(shop, t('desk.not_seller'));
  }
}

/**
 * Without the token of somebody who sells in the shop there is nothing to show. The demo can give one.
 * @param {Shop} shop
 * @param {string} text
 */
function signInPage(shop, text) {
  const signInAsHost = async () => {
    token.clear();
    if (await signIn(shop, { role: 'host', about: 'host' })) location.reload();
  };
  const props = { type: 'button', 'data-test': 'desk-signin', onclick: signInAsHost };
  messagePage(t('desk.orders'), text, shop.dev_login && el('button.primary', props, t('sign_in.title')));
}
