// My orders, of every show: what became of each, and what is still to be paid.

import { get, takeTokenFromAddress, token, UNKNOWN } from './api.js';
import { LiveClient } from './client.js';
import { dateTime, languageSwitch, load, refusal, t, titleOf, translate } from './i18n.js';
import { list } from './list.js';
import { el, everySecond, fillIcons, put } from './ui.js';

const LATE_MS = 1_500;
const ASK_MS = 5_000;
const root = document.getElementById('orders');

await load('buy');
translate();
fillIcons();
languageSwitch(document.getElementById('lang'));
takeTokenFromAddress();
document.title = t('orders.mine');
const from = new URLSearchParams(location.search).get('from');
if (from) {
  const back = document.getElementById('back');
  back.href = `/watch?stream=${encodeURIComponent(from)}`;
  back.setAttribute('aria-label', t('order.back'));
}

const [{ Buyer, Checkout, Mine, signIn }, { active }] = await Promise.all([import('./buying.js'), import('./mine.js')]);
// No link to a show: everything goes over REST, and the clock is the one the answers bring.
const client = new LiveClient(null);
const buyer = new Buyer(client, () => checkout.checking());
const checkout = new Checkout({ client, buyer, back: t('orders.back') });
const rows = new Mine({ client, list: el('ul'), empty: el('p'), chip: el('button'), onorder: (order) => checkout.view(order) });
let shows = new Map();
let printed = null;
let askedAt = 0;

client.on('order', paint);
everySecond(() => { checkout.tick(); clocks(); overdue(); });
// Another tab may have paid meanwhile.
document.addEventListener('visibilitychange', () => { if (!document.hidden) rows.refresh(buyer); });
await start();

async function start() {
  try {
    if (!token.get()) return await askWho();
    const [orders, streams] = await Promise.all([list('/orders'), list('/streams')]);
    shows = new Map(streams.map((show) => [show.id, show]));
    for (const order of orders) client.noteOrder(order);
    paint();
  } catch (problem) {
    if (!['token_expired', 'token_invalid'].includes(problem.code)) return fail(problem);
    token.clear();
    return askWho().catch(fail);
  }
  return undefined;
}

async function askWho() {
  const shop = await get('/shop');
  const open = async () => { if (await signIn(shop, { about: 'orders' })) await start(); };
  root.replaceChildren(el('div.notice-box', { 'data-test': 'orders-sign-in' }, el('h2', {}, t('orders.who')),
    shop.dev_login ? el('button.primary', { type: 'button', 'data-test': 'orders-signin', onclick: open }, t('signin.title')) : el('p', {}, t('signin.elsewhere'))));
}

function fail(problem) {
  root.replaceChildren(el('div.notice-box', { role: 'alert', 'data-test': 'orders-error' },
    el('h2', {}, UNKNOWN.has(problem.code) ? t('problem.away') : refusal(problem)),
    el('button.primary', { type: 'button', onclick: start }, t('problem.again'))));
}

/** Newest first, under the show they were bought in. */
function paint() {
  const orders = [...client.orders.values()].sort((a, b) => b.created_at - a.created_at);
  const print = orders.map((order) => `${order.id}${order.version}`).join();
  if (print === printed) return;
  printed = print;
  if (!orders.length) {
    root.replaceChildren(el('div.notice-box', { 'data-test': 'orders-empty' }, el('h2', {}, t('orders.none')), el('p', {}, t('orders.none_more')), el('a.button.primary', { href: '/' }, t('home'))));
    return;
  }
  const groups = Map.groupBy ? Map.groupBy(orders, (order) => order.stream) : grouped(orders);
  root.replaceChildren(...[...groups].map(([stream, some]) => {
    const show = shows.get(stream);
    return el('section', {}, el('h2', {}, el('bdi', {}, titleOf(show)), show && el('small', {}, ` ${dateTime(show.started_at ?? some[0].created_at)}`)), el('ul.order-list', {}, some.map((order) => rows.row(order))));
  }));
  clocks();
}

function grouped(orders) {
  const groups = new Map();
  for (const order of orders) groups.set(order.stream, [...(groups.get(order.stream) ?? []), order]);
  return groups;
}

/** No link tells what became of a hold that ran out: it is asked for. */
function overdue() {
  const now = client.now();
  const late = [...client.orders.values()].filter((order) => active(order) && now > order.hold_until + LATE_MS);
  if (!late.length || now < askedAt + ASK_MS) return;
  askedAt = now;
  for (const order of late) buyer.refresh(order).catch(() => {});
}

function clocks() {
  for (const node of root.querySelectorAll('[data-until]')) put(node, rows.rest(Number(node.dataset.until)));
}
