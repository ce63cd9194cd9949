// The shop's front: what is live, what is on sale there, what is coming, what was; with a search and categories. It
// looks again every few seconds while it can be seen.

import { get, UNKNOWN } from './api.js';
import { clock, dateTime, known, languageSwitch, load, refusal, t, titleOf, translate } from './i18n.js';
import { list } from './list.js';
import { buyable, fullTitle, phaseOf, priceTag, words } from './offer.js';
import { el, fillIcons, icon, ICONS, picture, put, show as reveal } from './ui.js';

const AGAIN_MS = 10_000;
const PICTURES_MAX = 4;
const GOODS_MAX = 24;
ICONS.search = 'M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5';

const root = document.getElementById('shows');
let printed = null;
let seen = { shows: [], offers: new Map(), categories: new Map() }; // what the shop last said
let category = null;

await load('shop');
translate();
fillIcons();
languageSwitch(document.getElementById('lang'));
const search = document.getElementById('search');
search.addEventListener('input', () => paint());
document.getElementById('find').addEventListener('submit', (event) => event.preventDefault());
await look();
document.body.dataset.ready = '';
setInterval(() => { if (!document.hidden) look(); }, AGAIN_MS);
setInterval(tick, 500);
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });

async function look() {
  try {
    const [shop, shows, products] = await Promise.all([get('/shop'), list('/streams'), list('/products').catch(() => [])]);
    put(document.getElementById('shop-title'), titleOf(shop));
    document.title = titleOf(shop);
    const live = shows.filter((show) => show.status === 'live');
    // A show whose offers cannot be read is still a show.
    const offers = await Promise.all(live.map((show) => get(`/streams/${show.id}/offers`).then(({ items }) => items, () => [])));
    seen = {
      shows,
      offers: new Map(live.map((show, index) => [show.id, offers[index].filter((offer) => phaseOf(offer, show.now) !== 'ended')])),
      categories: new Map(products.map((product) => [product.id, product.category])),
    };
    reveal(document.getElementById('find'), shows.length > 0);
    paint();
    for (const show of shows) for (const node of root.querySelectorAll(`[data-watching="${CSS.escape(show.id)}"]`)) put(node, t('shop.watching', { n: show.viewers }));
    tick();
  } catch (problem) {
    if (printed === null || printed === 'error') fail(problem);
  }
}

function plain(text) {
  return text.normalize('NFKC').toLocaleLowerCase();
}

/** Repaints only what changed: the focus and a half-read line stay where they are. */
function paint() {
  const { shows, offers } = seen;
  const words = plain(search.value.trim()).split(/\s+/).filter(Boolean);
  const says = (...texts) => words.every((word) => plain(texts.join(' ')).includes(word));
  const fits = (offer) => (!category || seen.categories.get(offer.product) === category) && says(fullTitle(offer), seen.categories.get(offer.product) ?? '');
  paintCategories();
  const goods = shows.flatMap((show) => (offers.get(show.id) ?? []).filter(fits).map((offer) => ({ show, offer })));
  const own = (show) => says(titleOf(show), show.host);
  const some = shows.filter((show) => (category ? goods.some((one) => one.show === show) : own(show) || goods.some((one) => one.show === show)));
  const print = JSON.stringify([some.map(({ now, viewers, ...rest }) => rest), goods.map(({ offer }) => [offer.id, offer.v, offer.status]), shows.length, category]);
  if (print !== printed) root.replaceChildren(...page(some, goods, shows.length > 0));
  printed = print;
  tick();
}

/** The shop's own words; those we know are said in the reader's language. */
function paintCategories() {
  const row = document.getElementById('categories');
  const present = new Set([...seen.offers.values()].flat().map((offer) => seen.categories.get(offer.product)).filter(Boolean));
  if (category && !present.has(category)) category = null;
  const all = [null, ...[...present].sort()];
  if (row.dataset.print !== JSON.stringify(all)) {
    row.dataset.print = JSON.stringify(all);
    row.replaceChildren(...all.map((name) => el('button', { type: 'button', 'data-test': `category-${name ?? 'all'}`, onclick: () => { category = name; paint(); } }, name === null ? t('shop.all') : label(name))));
  }
  [...row.children].forEach((button, index) => button.setAttribute('aria-pressed', all[index] === category));
  reveal(row, all.length > 2);
}

function label(name) {
  const key = `category.${name.toLowerCase()}`;
  return known(key) ? t(key) : name;
}

function fail(problem) {
  printed = 'error';
  root.replaceChildren(el('div.notice-box', { 'data-test': 'shop-error', role: 'alert' }, el('h2', {}, t('problem.away')), !UNKNOWN.has(problem.code) && el('p', {}, refusal(problem)),
    el('button.primary', { type: 'button', onclick: look }, t('problem.again'))));
}

function page(shows, goods, any) {
  if (!any) return [el('div.notice-box', { 'data-test': 'shop-empty' }, el('h2', {}, t('shop.empty')), el('p', {}, t('shop.empty_more')))];
  const live = shows.filter((show) => show.status === 'live');
  const coming = shows.filter((show) => show.status === 'scheduled').sort((a, b) => (a.scheduled_at ?? Infinity) - (b.scheduled_at ?? Infinity));
  const past = shows.filter((show) => show.status === 'ended').sort((a, b) => b.ended_at - a.ended_at).slice(0, 6);
  if (!live.length && !coming.length && !past.length) {
    const again = () => { search.value = ''; category = null; paint(); search.focus(); };
    return [el('div.notice-box', { 'data-test': 'shop-nothing' }, el('h2', {}, t('shop.nothing')), el('button.primary', { type: 'button', 'data-test': 'shop-clear', onclick: again }, t('shop.clear')))];
  }
  const sale = goods.filter(({ show, offer }) => buyable(phaseOf(offer, show.now))).slice(0, GOODS_MAX);
  return [
    live.length && section(t('shop.live'), live.map(liveCard), 'live'),
    sale.length && section(t('shop.on_sale'), sale.map(thing), 'goods'),
    coming.length && section(t('shop.coming'), coming.map(row), 'coming'),
    past.length && section(t('shop.ended'), past.map(row), 'past'),
  ].filter(Boolean);
}

/** One thing that is on sale in a live show: the link opens the show with it. */
function thing({ show, offer }) {
  const { left, phase } = words(offer, show.now, false);
  return el('a.thing', { href: `${address(show)}&offer=${encodeURIComponent(offer.id)}`, 'data-test': `thing-${offer.id}` },
    picture(offer.image), el('span.row-text', {}, el('bdi.row-title', {}, fullTitle(offer)), priceTag(offer), el(`small.${phase}`, {}, left)));
}

function section(title, cards, name) {
  return el(`section.${name}`, {}, el('h2', {}, title), el('ul', {}, cards.map((card) => el('li', {}, card))));
}

function address(show) {
  return `/watch?stream=${encodeURIComponent(show.id)}`;
}

function liveCard(show) {
  const images = [...new Set((seen.offers.get(show.id) ?? []).map((offer) => offer.image).filter(Boolean))].slice(0, PICTURES_MAX);
  const watching = el('span', {}, t('shop.watching', { n: show.viewers }));
  watching.dataset.watching = show.id;
  const arches = (images.length ? images : [null]).map((image) => el('span.arch', {}, picture(image)));
  return el('a.live-card', { href: address(show), 'data-test': `show-${show.id}` },
    show.poster ? el('span.poster', {}, picture(show.poster)) : el('span.arches', { 'aria-hidden': 'true' }, arches),
    el('span.live-words', {},
      el('span.live-line', {}, el('b.live-badge', {}, t('badge.live')), el('span.watching', {}, icon('eye'), watching)),
      el('bdi.live-title', {}, titleOf(show)), el('span.host-line', {}, t('shop.host', { name: show.host })),
      el('span.button.primary', {}, icon('play'), t('shop.watch'))));
}

function row(show) {
  const at = show.status === 'ended' ? show.ended_at : show.scheduled_at;
  const soon = el('bdi.num', { dir: 'ltr' });
  if (show.status === 'scheduled' && show.scheduled_at) soon.dataset.at = show.scheduled_at - show.now + Date.now();
  return el('a.show-card', { href: address(show), 'data-test': `show-${show.id}` },
    el('span.show-mark', { 'aria-hidden': 'true' }, icon(show.status === 'ended' ? 'check' : 'clock')),
    el('span.row-text', {}, el('bdi.row-title', {}, titleOf(show)), el('small', {}, t('shop.host', { name: show.host }), at ? ` · ${dateTime(at)}` : '')), soon);
}

function tick() {
  for (const node of root.querySelectorAll('[data-at]')) put(node, clock(Number(node.dataset.at) - Date.now()));
}
