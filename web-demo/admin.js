// The seller's desk: the orders, customers and products of the shop, its e-mails, staff and settings, for those who may see them.

import './account.js'; // The icon of the account.
import { asRefusal, get, token } from './api.js';
import { MailList } from './admin/mail_list.js';
import { OrderList } from './admin/order_list.js';
import { openSection, showSectionLinks } from './admin/sections.js';
import { errorPage, messagePage } from './error_page.js';
import { languageSwitch, load, t, titleOf, translate } from './i18n.js';
import { listAll } from './list.js';
import { showUnreachable } from './lazy.js';
import { loadShop } from './load_shop.js';
import { signInToDemo } from './sign_in.js';
import { signInFromAddress } from './sign_in_link.js';
import { byId, el, fillIcons } from './ui.js';

/** @import { Identity, Shop, Stream } from './types.d.ts' */

const NOT_ALLOWED = {
  orders: () => t('desk.not_seller'),
  customers: () => t('customers.not_allowed'),
  products: () => t('desk.not_seller'),
  payments: () => t('desk.payments_not_allowed'),
  coupons: () => t('desk.not_seller'),
  mails: () => t('desk.not_seller'),
  staff: () => t('staff.not_allowed'),
  audit: () => t('staff.not_allowed'),
  settings: () => t('settings.not_allowed'),
};

await Promise.all([load('host'), load('audit'), load('buy'), load('desk'), load('staff'), load('products')]);
translate();
const section = openSection();
byId('title').textContent = t(`desk.${section}`);
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
await signInFromAddress({ isPersonal: true });
start().catch((error) => errorPage(asRefusal(error)));

async function start() {
  const shop = await loadShop();
  let me = await whoAmI();
  if (me.kind === 'anonymous' && shop.dev_login) {
    await signInToDemo(shop, 'host');
    me = await whoAmI();
  }
  showAccount(me);
  document.title = `${t(`desk.${section}`)} · ${titleOf(shop)}`;
  if (me.kind === 'anonymous') return signInPage(shop, me, t(shop.dev_login ? 'host.sign_in' : 'host.sign_in_link'));
  showSectionLinks(byId('sections'), section, me.role);
  try {
    await showSection(shop, me);
  } catch (error) {
    const refusal = asRefusal(error);
    if (refusal.code !== 'forbidden' && refusal.code !== 'sign_in') throw error;
    signInPage(shop, me, NOT_ALLOWED[section]());
  }
}

/** Who one is, in sight, with the menu of the account. @param {Identity} me */
function showAccount({ kind, name }) {
  if (kind === 'anonymous') return;
  const button = byId('account', HTMLButtonElement);
  const label = t('account.signed_in_as', { name: name ?? '' });
  button.setAttribute('aria-label', label);
  button.title = label;
  delete button.dataset.nobody;
  button.onclick = () => import('./account_menu.js').then((menu) => menu.openAccountMenu()).catch(showUnreachable);
}

/** @returns {Promise<Identity>} */
const whoAmI = () => get('/session');

/**
 * @param {Shop} shop
 * @param {Identity} me
 */
async function showSection(shop, me) {
  const root = byId('desk');
  if (section === 'settings') {
    const { showSettings } = await import('./admin/settings.js');
    return showSettings(root, me.role);
  }
  if (section === 'products') return showProducts(root, shop);
  if (section === 'payments') {
    const { PaymentsPage } = await import('./admin/payments_page.js');
    const [mayOpenOrders, mayRefund] = [me.role !== 'analyst', ['host', 'admin', 'owner'].includes(me.role)];
    return new PaymentsPage({ root, mayOpenOrders, mayRefund }).start();
  }
  /** @type {Stream[]} */
  const shows = await listAll('/streams');
  if (section === 'staff') {
    const { StaffPage } = await import('./admin/staff.js');
    return new StaffPage({ root, me, shows }).start();
  }
  if (section === 'audit') {
    const { AuditPage } = await import('./admin/audit_page.js');
    return new AuditPage({ root, shows }).start();
  }
  if (section === 'customers') {
    const { CustomerList } = await import('./admin/customers.js');
    return new CustomerList({ root, shop, shows, role: me.role }).start();
  }
  if (section === 'coupons') {
    const { CouponList } = await import('./admin/coupon_list.js');
    return new CouponList({ root, shop, shows, role: me.role }).start();
  }
  if (section === 'mails') return new MailList({ root, shop, shows }).start();
  /** @type {{ tags: string[] }} */
  const { tags } = await get('/shop/order-tags');
  return new OrderList({ root, shop, shows, tags }).start();
}

/**
 * The catalogue, or one product of it.
 * @param {HTMLElement} root
 * @param {Shop} shop
 */
async function showProducts(root, shop) {
  const asked = new URLSearchParams(location.search);
  const [id, imported] = [asked.get('product'), asked.get('import')];
  if (imported) {
    const { ImportList, ImportPage } = await import('./admin/import_page.js');
    return imported === 'new' ? new ImportList({ root }).start() : new ImportPage({ root, id: imported }).start();
  }
  const bulk = asked.get('bulk');
  if (bulk === 'grid') {
    const { BulkPage } = await import('./admin/bulk_page.js');
    return new BulkPage({ root, shop }).start();
  }
  if (bulk === 'count') {
    const { StockTakePage } = await import('./admin/stock_take_page.js');
    return new StockTakePage({ root }).start();
  }
  if (!id) {
    const { ProductList } = await import('./admin/product_list.js');
    return new ProductList({ root }).start();
  }
  const { ProductPage } = await import('./admin/product_page.js');
  return new ProductPage({ root, shop, id }).start();
}

/**
 * Without the identity of somebody who works here there is nothing to show.
 * @param {Shop} shop
 * @param {Identity} me
 * @param {string} text
 */
function signInPage(shop, me, text) {
  const isPasskeyNeeded = me.passkey === 'needed';
  const signInAgain = async () => {
    token.clear();
    const { provePasskey, signInByEmail } = await import('./email_sign_in.js');
    if (isPasskeyNeeded) return (await provePasskey(t('passkey.step'))) && location.reload();
    const isSignedIn = shop.dev_login
      ? await signInToDemo(shop, 'host')
      : await signInByEmail({ title: t('sign_in.title'), about: t('join.prove_own') });
    if (isSignedIn) location.reload();
  };
  const props = { type: 'button', 'data-test': 'desk-signin', onclick: signInAgain };
  const mayTry = shop.dev_login || me.email_sign_in || me.passkeys || Boolean(me.oidc);
  const label = t(isPasskeyNeeded ? 'passkey.use' : 'sign_in.title');
  messagePage(
    t(`desk.${section}`),
    isPasskeyNeeded ? t('passkey.step') : text,
    mayTry && el('button.primary', props, label),
  );
}
