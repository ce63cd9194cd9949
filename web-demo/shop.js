// The front page: the live shows, what is on sale in them and in recordings, the upcoming shows, the recordings and the other past
// shows, with a search and categories. It loads everything again every ten seconds while it is visible, recordings once a minute.

import { accountButton, onOtherTab } from './account.js';
import { asRefusal, get, session, UNKNOWN_OUTCOME } from './api.js';
import { formatDuration, hasText, languageSwitch, load, refusalText, t, titleOf, translate } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { listAll } from './list.js';
import { loadShop } from './load_shop.js';
import { canBuy, phaseOf } from './offer.js';
import { liveCard, loadOffers, productCard, section, showCard } from './shop_cards.js';
import { byId, el, fillIcons, ICONS, queryAll, setText, setVisible, toast } from './ui.js';

/** @import { Offer, Product, Refusal, Stream } from './types.d.ts' */
/** @typedef {{ show: Stream, offer: Offer }} Item an offer and its show */

const RELOAD_MS = 10_000;
const TICK_MS = 500;
const PRODUCTS_MAX = 24;
const PAST_MAX = 6;
const RECORDINGS_MAX = 12;
/** The newest recordings, of which the page asks what they sell. */
const SELLING_RECORDINGS_MAX = 6;
const RELOAD_RECORDINGS_MS = 60_000;
/** How long the reader must not type before a search begins. */
const SEARCH_MS = 250;
const FOUND_PAGES_MAX = 3;
ICONS.search = 'M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5';

const root = byId('shows');
/** What the page looked like when it was painted. @type {string | null} */
let painted = null;
/** What the server answered last. */
let data = {
  /** @type {Stream[]} */
  shows: [],
  /** The newest shows that have a recording. @type {Stream[]} */
  recordings: [],
  /** Show → its offers. @type {Map<string, Offer[]>} */
  offers: new Map(),
  /** Product → its category. @type {Map<string, string | null>} */
  categories: new Map(),
};
/** @type {string | null} */
let category = null;
/** What the server found last, for this text. @type {{ text: string, shows: Stream[], products: Set<string> } | null} */
let found = null;
let searching = 0;
/** What the server said of recordings last, and when. @type {{ shows: Stream[], offers: [string, Offer[]][], at: number }} */
let recorded = { shows: [], offers: [], at: -Infinity };

await load('shop');
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
// A token belongs to the tab of a show; here only the session counts.
const paintAccount = accountButton(byId('account', HTMLButtonElement), {
  name: () => session.get()?.name ?? '',
  signIn: () => openSignIn().catch(showUnreachable),
});
onOtherTab(() => paintAccount());
const search = byId('search', HTMLInputElement);
search.addEventListener('input', () => {
  clearTimeout(searching);
  searching = setTimeout(find, wanted() ? SEARCH_MS : 0);
});
byId('find').addEventListener('submit', (event) => event.preventDefault());
await reload();
document.body.dataset.ready = '';
showFollow().catch(() => {}); // The shop is a shop without it too.
setInterval(reloadIfVisible, RELOAD_MS);
setInterval(paintCountdowns, TICK_MS);
document.addEventListener('visibilitychange', reloadIfVisible);

async function openSignIn() {
  await (await import('./sign_in_sheet.js')).signInSheet();
  paintAccount();
  // An account that signed in needs no form.
  showFollow().catch(() => {});
}

/** Below everything else, so that nothing moves. */
async function showFollow() {
  const { emails, base_url } = await loadShop();
  if (!emails || !base_url) return;
  const part = await (await import('./following.js')).followPart();
  if (!part) return;
  byId('follow').replaceChildren(part);
  setVisible(byId('follow'), true);
}

function reloadIfVisible() {
  if (!document.hidden) reload();
}

async function reload() {
  try {
    const [shop, shows, products, recordings] = await Promise.all([
      loadShop(),
      /** @type {Promise<Stream[]>} */ (listAll('/streams')),
      /** @type {Promise<Product[]>} */ (listAll('/products').catch(() => [])),
      loadRecordings(),
    ]);
    setText(byId('shop-title'), titleOf(shop));
    document.title = titleOf(shop);
    const live = shows.filter((show) => show.status === 'live');
    const offers = await Promise.all(live.map(loadOffers));
    data = {
      shows,
      recordings: recordings.shows,
      offers: new Map([...offers, ...recordings.offers]),
      categories: new Map(products.map((product) => [product.id, product.category])),
    };
    setVisible(byId('find'), shows.length > 0);
    paint();
    if (wanted() && found?.text !== wanted()) find();
    for (const node of queryAll('[data-watching]', root)) {
      const show = shows.find(({ id }) => id === node.dataset.watching);
      if (show) setText(node, t('shop.watching', { n: show.viewers }));
    }
  } catch (error) {
    if (painted === null || painted === 'error') showRefusal(asRefusal(error));
  }
}

/** The recordings and what they sell. Where they cannot be read the page shows what it knew. */
async function loadRecordings() {
  if (performance.now() - recorded.at < RELOAD_RECORDINGS_MS) return recorded;
  try {
    /** @type {{ items: Stream[] }} */
    const { items: shows } = await get(`/streams?recorded=true&limit=${RECORDINGS_MAX}`);
    const offers = await Promise.all(shows.slice(0, SELLING_RECORDINGS_MAX).map(loadOffers));
    recorded = { shows, offers, at: performance.now() };
  } catch {
    // The live shows matter more.
  }
  return recorded;
}

const wanted = () => search.value.trim();

/** Asks the server for what the reader typed. Its rule knows mistypes and the forms of letters; the page has none of its own. */
async function find() {
  const text = wanted();
  if (!text) {
    found = null;
    return paint();
  }
  const query = `search=${encodeURIComponent(text)}`;
  try {
    /** @type {[{ items: Stream[] }, Product[]]} */
    const [{ items: shows }, products] = await Promise.all([
      get(`/streams?${query}&limit=100`),
      listAll(`/products?${query}`, FOUND_PAGES_MAX),
    ]);
    if (text !== wanted()) return;
    found = { text, shows, products: new Set(products.map(({ id }) => id)) };
    paint();
  } catch (error) {
    if (text === wanted()) toast(refusalText(asRefusal(error)), { kind: 'warn' });
  }
}

/** Repaints only what has changed, so that the focus and a half-read line stay where they are. */
function paint() {
  paintCategories();
  const known = new Set(data.shows.map(({ id }) => id));
  // Recordings, and what a search finds, may be too old for the list.
  const older = new Map([...data.recordings, ...(found?.shows ?? [])].map((show) => [show.id, show]));
  const all = [...data.shows, ...[...older.values()].filter(({ id }) => !known.has(id))];
  const ids = new Set(found?.shows.map(({ id }) => id));
  const items = all
    .flatMap((show) => (data.offers.get(show.id) ?? []).map((offer) => ({ show, offer })))
    .filter(({ offer }) => {
      const own = data.categories.get(offer.product);
      return (!category || own === category) && (!found || found.products.has(offer.product));
    });
  /** @param {Stream} show */
  const isFound = (show) => items.some((item) => item.show === show) || (!category && (!found || ids.has(show.id)));
  const shows = all.filter(isFound);
  const print = JSON.stringify([
    shows.map((show) => ({ ...show, now: 0, viewers: 0 })),
    items.map(({ offer }) => [offer.id, offer.v, offer.status]),
    data.shows.length,
    category,
    found?.text,
  ]);
  if (print !== painted) root.replaceChildren(...content(shows, items));
  painted = print;
  paintCountdowns();
}

/** The categories are named by the shop; those that the pages know are shown in the language of the reader. */
function paintCategories() {
  const row = byId('categories');
  const offers = [...data.offers.values()].flat();
  const names = offers.map((offer) => data.categories.get(offer.product)).filter((name) => typeof name === 'string');
  const present = [...new Set(names)].sort();
  if (category && !present.includes(category)) category = null;
  const all = [null, ...present];
  const print = JSON.stringify(all);
  if (row.dataset.painted !== print) {
    row.dataset.painted = print;
    row.replaceChildren(...all.map(categoryButton));
  }
  [...row.children].forEach((button, index) => {
    button.setAttribute('aria-pressed', String(all[index] === category));
  });
  setVisible(row, all.length > 2);
}

/** @param {string | null} name */
function categoryButton(name) {
  const choose = () => {
    category = name;
    paint();
  };
  const props = { type: 'button', 'data-test': `category-${name ?? 'all'}`, onclick: choose };
  return el('button', props, name === null ? t('shop.all') : categoryName(name));
}

/** @param {string} name */
function categoryName(name) {
  const key = `category.${name.toLowerCase()}`;
  return hasText(key) ? t(key) : name;
}

/** @param {Refusal} refusal */
function showRefusal(refusal) {
  painted = 'error';
  const reason = !UNKNOWN_OUTCOME.has(refusal.code) && el('p', {}, refusalText(refusal));
  const again = el('button.primary', { type: 'button', onclick: reload }, t('try_again'));
  const props = { 'data-test': 'shop-error', role: 'alert' };
  root.replaceChildren(el('div.notice-box', props, el('h2', {}, t('problem.network')), reason, again));
}

/**
 * @param {Stream[]} shows
 * @param {Item[]} items
 */
function content(shows, items) {
  if (!data.shows.length) {
    const texts = [el('h2', {}, t('shop.empty')), el('p', {}, t('shop.empty_more'))];
    return [el('div.notice-box', { 'data-test': 'shop-empty' }, texts)];
  }
  if (!shows.length) return [nothingFound()];
  /** @param {Stream['status']} status */
  const having = (status) => shows.filter((show) => show.status === status);
  const upcoming = having('scheduled').sort((a, b) => (a.scheduled_at ?? Infinity) - (b.scheduled_at ?? Infinity));
  const ended = having('ended').sort((a, b) => (b.ended_at ?? 0) - (a.ended_at ?? 0));
  const past = ended.filter((show) => !show.replay);
  const recordings = ended.filter((show) => show.replay);
  const onSale = items.filter(({ show, offer }) => canBuy(phaseOf(offer, show.now)));
  // What is live comes first: a recording can wait.
  onSale.sort((a, b) => Number(a.show.status !== 'live') - Number(b.show.status !== 'live'));
  const live = having('live').map((show) => liveCard(show, data.offers.get(show.id) ?? []));
  const products = onSale.slice(0, PRODUCTS_MAX).map(({ show, offer }) => productCard(show, offer));
  return [
    ...section(t('shop.live'), live, 'live'),
    ...section(t('shop.on_sale'), products, 'products'),
    ...section(t('shop.coming'), upcoming.map(showCard), 'upcoming'),
    ...section(
      t('shop.recordings'),
      recordings.slice(0, found ? recordings.length : RECORDINGS_MAX).map(showCard),
      'recordings',
    ),
    ...section(t('shop.ended'), past.slice(0, found ? past.length : PAST_MAX).map(showCard), 'past'),
  ];
}

function nothingFound() {
  const clear = () => {
    search.value = '';
    category = found = null;
    paint();
    search.focus();
  };
  const button = el('button.primary', { type: 'button', 'data-test': 'shop-clear', onclick: clear }, t('shop.clear'));
  return el('div.notice-box', { 'data-test': 'shop-nothing' }, el('h2', {}, t('shop.nothing')), button);
}

function paintCountdowns() {
  for (const node of queryAll('[data-at]', root)) {
    setText(node, formatDuration(Number(node.dataset.at) - performance.now()));
  }
}
