// The page of the buyer's own orders of every show: the status of each, and what is still to be paid.

import { asRefusal, post, session, signedInAs, token, UNKNOWN_OUTCOME } from './api.js';
import { accountButton, onOtherTab } from './account.js';
import { route } from './base.js';
import { LiveClient } from './client.js';
import { formatDateTime, formatMoney, languageSwitch, load, refusalText, t, titleOf, translate } from './i18n.js';
import { currentPerson } from './identity.js';
import { showUnreachable } from './lazy.js';
import { listAll } from './list.js';
import { loadShop } from './load_shop.js';
import { fingerprint, isOpen, newestFirst, orderRow, paintCountdowns } from './my_orders.js';
import { fullTitle } from './offer.js';
import { historyPart } from './order_details.js';
import { signInFromAddress } from './sign_in_link.js';
import { totalOf } from './order_quote.js';
import { placedPart } from './placed_order.js';
import { byId, el, fillIcons, onTick } from './ui.js';
import { withdrawalPart } from './withdrawal_part.js';

/** The codes of a token or a session that is of no use any more. */
const SIGN_IN_AGAIN = ['sign_in', 'token_expired', 'token_invalid', 'token_not_yet_valid', 'token_revoked'];

/** @import { BillingDocument, LinkedOrder, Order, Refusal, Stream } from './types.d.ts' */

/** How long after the end of a reservation its order is asked for, and how often. */
const LATE_MS = 1_500;
const ASK_AGAIN_MS = 5_000;
const root = byId('orders');

await Promise.all([load('buy'), load('pages')]);
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
await signInFromAddress({ isPersonal: true });
document.title = t('my_orders');
const from = new URLSearchParams(location.search).get('from');
if (from) {
  const back = byId('back', HTMLAnchorElement);
  back.href = route(`/watch?stream=${encodeURIComponent(from)}`);
  back.setAttribute('aria-label', t('order.back'));
}

const { OrderClient, Checkout, signIn } = await import('./purchase.js');
// Without a show there is no connection: everything goes over REST, and the answers bring the clock of the server.
const client = new LiveClient(null);
const orderClient = new OrderClient(client, () => checkout.showRetry());
const checkout = new Checkout({ client, orderClient, back: t('orders.back') });
/** @type {Map<string, Stream>} */
let shows = new Map();
/** @type {string | null} */
let painted = null;
let askedAt = 0;

client.on('order', paint);
onTick(() => {
  checkout.tick();
  paintCountdowns(root, client.now());
  refreshOverdue();
});
// Another tab may have paid meanwhile.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refreshOrders([...client.orders.values()].filter(isOpen));
});
const paintAccount = accountButton(byId('account', HTMLButtonElement), {
  name: () => currentPerson()?.name ?? '',
  signIn: openSignIn,
});
onOtherTab(() => location.reload());
await start();

async function start() {
  try {
    const secret = /^#order=([0-9a-f]{64})$/.exec(location.hash)?.[1];
    if (secret) return await showLinkedOrder(secret);
    if (!signedInAs()) return askToSignIn();
    const [orders, streams, shop] = await Promise.all([
      /** @type {Promise<Order[]>} */ (listAll('/orders')),
      /** @type {Promise<Stream[]>} */ (listAll('/streams')),
      loadShop(),
    ]);
    checkout.payments = shop.payments;
    // Without the form the orders are still shown, and a reload tries again.
    const loading = import('./cards.js').then(({ loadCards }) => loadCards(shop));
    checkout.cards = await loading.catch(() => null);
    checkout.emails = shop.emails;
    checkout.coupons = shop.coupons;
    checkout.countries = shop.market.countries;
    shows = new Map(streams.map((show) => [show.id, show]));
    for (const order of orders) client.applyOrder(order);
    paint();
    showAskedOrder();
  } catch (error) {
    const refusal = asRefusal(error);
    if (!SIGN_IN_AGAIN.includes(refusal.code)) return showRefusal(refusal);
    token.clear();
    session.clear();
    askToSignIn();
  }
}

/** The bank sends the buyer back to this page with the order in the address, and with parameters of the provider, which the page does not need. */
function showAskedOrder() {
  const address = new URLSearchParams(location.search);
  const order = client.orders.get(address.get('order') ?? '');
  if (!order) return;
  for (const name of [...address.keys()]) if (name !== 'lang') address.delete(name);
  history.replaceState(null, '', `${location.pathname}${address.size ? `?${address}` : ''}`);
  if (checkout.cards) void checkout.cards.comeBack(checkout, order);
  else checkout.showOrder(order);
}

function askToSignIn() {
  paintAccount();
  const props = { type: 'button', 'data-test': 'orders-signin', onclick: openSignIn };
  const way = el('button.primary', props, t('sign_in.title'));
  root.replaceChildren(el('div.notice-box', { 'data-test': 'orders-sign-in' }, el('h2', {}, t('orders.sign_in')), way));
}

async function openSignIn() {
  const own = await signIn({ about: 'orders' }).catch(showUnreachable);
  paintAccount();
  if (own) await start();
}

/**
 * A link to one order, for a guest without a session.
 * @param {string} secret
 */
async function showLinkedOrder(secret) {
  /** @type {LinkedOrder} */
  const order = await post('/order-links', { secret });
  const documents = el('div');
  paintLinkedOrder(order, secret, documents);
  // Without them the order is still shown.
  void loadLinkedDocuments(secret, documents).catch(() => {});
}

/**
 * @param {string} secret
 * @param {HTMLElement} documents
 */
async function loadLinkedDocuments(secret, documents) {
  /** @type {{ items: BillingDocument[] }} */
  const { items } = await post('/order-links/documents', { secret });
  if (!items.length) return;
  const { documentLinks } = await import('./document_links.js');
  documents.replaceChildren(el('h3', {}, t('document.title')), documentLinks(items, secret));
}

/**
 * @param {LinkedOrder} order
 * @param {string} secret
 * @param {HTMLElement} documents what the link shows of them, once they are loaded
 */
function paintLinkedOrder(order, secret, documents) {
  const amount = el('bdi', {}, formatMoney(totalOf(order), order.currency));
  root.replaceChildren(
    el(
      'section',
      { 'data-test': 'order-of-link' },
      el('h2', {}, el('bdi', {}, fullTitle(order))),
      el('p', {}, t('order.qty', { n: order.qty }), ' · ', amount),
      el('p', {}, el(`span.status.${order.status}`, {}, t(`status.${order.status}`))),
      placedPart(order),
      ...historyPart(order.history),
      documents,
      ...withdrawalPart({
        title: fullTitle(order),
        known: order.withdrawal,
        send: () => post('/order-links/withdrawal', { secret }),
        onDone: (withdrawal) => paintLinkedOrder({ ...order, withdrawal }, secret, documents),
      }),
      el('p.fine', {}, t('order.link_only')),
      el('a.button', { href: route('/orders'), onclick: leaveLink }, t('my_orders')),
    ),
  );
}

/** The address changes only behind the #, so the page is loaded again. @param {Event} event */
function leaveLink(event) {
  event.preventDefault();
  history.replaceState(null, '', location.pathname + location.search);
  location.reload();
}

/** @param {Refusal} refusal */
function showRefusal(refusal) {
  const text = UNKNOWN_OUTCOME.has(refusal.code) ? t('problem.network') : refusalText(refusal);
  const again = el('button.primary', { type: 'button', onclick: start }, t('try_again'));
  root.replaceChildren(el('div.notice-box', { role: 'alert', 'data-test': 'orders-error' }, el('h2', {}, text), again));
}

/** The newest orders come first, under the show in which they were bought. */
function paint() {
  const orders = newestFirst(client.orders.values());
  const print = fingerprint(orders);
  if (print === painted) return;
  painted = print;
  if (orders.length) root.replaceChildren(...byShow(orders).map(([stream, some]) => showSection(stream, some)));
  else root.replaceChildren(emptyBox());
  paintCountdowns(root, client.now());
}

function emptyBox() {
  return el(
    'div.notice-box',
    { 'data-test': 'orders-empty' },
    el('h2', {}, t('orders.none')),
    el('p', {}, t('orders.none_more')),
    el('a.button.primary', { href: route('/') }, t('home')),
  );
}

/**
 * @param {Order[]} orders
 * @returns {[stream: string, orders: Order[]][]}
 */
function byShow(orders) {
  /** @type {Map<string, Order[]>} */
  const groups = new Map();
  for (const order of orders) groups.set(order.stream, [...(groups.get(order.stream) ?? []), order]);
  return [...groups];
}

/**
 * @param {string} stream
 * @param {Order[]} orders
 */
function showSection(stream, orders) {
  const show = shows.get(stream);
  const when = show && el('small', {}, ` ${formatDateTime(show.started_at ?? orders[0].created_at)}`);
  return el(
    'section',
    {},
    el('h2', {}, el('bdi', {}, titleOf(show)), when),
    el(
      'ul.order-list',
      {},
      orders.map((order) => orderRow(order, () => checkout.showOrder(order))),
    ),
  );
}

/** Asks for the orders whose reservation has run out: here no connection says what became of them. */
function refreshOverdue() {
  const now = client.now();
  const late = [...client.orders.values()].filter((order) => isOpen(order) && now > order.hold_until + LATE_MS);
  if (!late.length || now < askedAt + ASK_AGAIN_MS) return;
  askedAt = now;
  refreshOrders(late);
}

/** @param {Order[]} orders */
function refreshOrders(orders) {
  for (const order of orders) orderClient.refresh(order).catch(() => {});
}
