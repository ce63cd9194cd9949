// The page of a product, with its own link: pictures, price, description, the shows in which it is on sale now, and the recordings in which
// it was shown.

import { asRefusal, get } from './api.js';
import { basePath, route } from './base.js';
import {
  formatDateTime,
  formatMoney,
  lang,
  languageSwitch,
  load,
  refusalText,
  t,
  titleOf,
  translate,
  variantOf,
} from './i18n.js';
import { loadShop } from './load_shop.js';
import { canBuy, phaseOf, priceTag } from './offer.js';
import { richText } from './rich_text.js';
import { chaptersOf } from './replay/state.js';
import { byId, el, fillIcons, icon, picture, setText } from './ui.js';

/** @import { Offer, ProductDetail, Stream } from './types.d.ts' */
/** @typedef {{ address: string, alt: string | null, focus: { x: number, y: number } | null }} Picture */
/** @typedef {{ show: Stream, offer: Offer, at?: number }} Sale `at`: the second of the recording that shows it */
/** @import { PinSpan } from './replay/state.js' */

const SHOWS_ASKED_MAX = 10;
const RECORDINGS_ASKED_MAX = 3;
const PICTURES_MAX = 12;
const id = location.pathname.slice(`${basePath}/products/`.length);
const root = byId('product');

await load('shop');
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
await loadPage();
document.body.dataset.ready = '';

async function loadPage() {
  try {
    /** @type {[import('./types.d.ts').Shop, ProductDetail, { pictures: Picture[] }]} */
    const [shop, product, gallery] = await Promise.all([
      loadShop(),
      get(`/products/${encodeURIComponent(id)}`),
      get(`/products/${encodeURIComponent(id)}/pictures`).catch(() => ({ pictures: [] })),
    ]);
    setText(byId('shop-title'), titleOf(shop));
    document.title = `${titleOf(product)} · ${titleOf(shop)}`;
    const sales = el('div.sales', { 'data-test': 'product-sales', 'aria-live': 'polite' });
    root.replaceChildren(pictures(product, gallery.pictures ?? []), texts(product, sales));
    await showSales(product, sales);
  } catch (error) {
    const again = el('button.primary', { type: 'button', onclick: loadPage }, t('try_again'));
    const text = el('h2', {}, refusalText(asRefusal(error)));
    root.replaceChildren(el('div.notice-box', { role: 'alert', 'data-test': 'product-error' }, text, again));
  }
}

/**
 * @param {ProductDetail} product
 * @param {Picture[]} gallery
 */
function pictures(product, gallery) {
  const own = gallery.slice(0, PICTURES_MAX).map(({ address }) => picture(address, product));
  return el('div.product-pictures', {}, own.length ? own : picture(product.image, product));
}

/**
 * @param {ProductDetail} product
 * @param {HTMLElement} sales
 */
function texts(product, sales) {
  const html = product.descriptions_html[lang] || product.description_html;
  const delivery = product.deliveries[lang] || product.delivery;
  const names = product.variants.map((variant) =>
    variantOf({ title: '', titles: {}, variant_name: variant.name, variant_names: variant.names }),
  );
  return el(
    'div.product-texts',
    {},
    el('h1', { dir: 'auto', 'data-test': 'product-title' }, titleOf(product)),
    el('p.price', { 'data-test': 'product-price' }, el('bdi', {}, priceText(product))),
    names.length > 1 && el('p.fine', {}, el('bdi', {}, names.filter(Boolean).join(' · '))),
    sales,
    html && richText(html),
    delivery && el('section', {}, el('h2', {}, t('product.delivery')), el('p.multi-line', { dir: 'auto' }, delivery)),
  );
}

/** @param {ProductDetail} product */
function priceText({ variants }) {
  const prices = variants.map(({ price }) => price);
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const money = (/** @type {number} */ amount) => formatMoney(amount, variants[0].currency);
  return high > low ? `${money(low)} – ${money(high)}` : money(low);
}

/**
 * A product is bought in a show: the live ones that sell it now come with a link to it, and so do the recordings that show it.
 * @param {ProductDetail} product
 * @param {HTMLElement} node
 */
async function showSales(product, node) {
  const [live, recorded] = await Promise.all([liveSales(product.id), recordedSales(product.id)]);
  const now = recorded.filter(({ show, offer }) => canBuy(phaseOf(offer, show.now)));
  const past = recorded.filter((sale) => !now.includes(sale));
  const none = [
    el('p.fine', {}, t('product.not_on_sale')),
    el('a.button', { href: route('/') }, t('product.see_shows')),
  ];
  node.replaceChildren(
    ...(live.length || now.length ? [...live, ...now].map(saleCard) : none),
    ...(past.length ? [el('h2', {}, t('product.recordings')), ...past.map(momentCard)] : []),
  );
  if (!live.length && !now.length) node.after(await followSlot(product).catch(() => ''));
}

/** Where it is not on sale, the reader can ask for an e-mail when it is. @param {ProductDetail} product */
async function followSlot(product) {
  const part = await (await import('./following.js')).followPart(product);
  return part ? el('div.follow-slot', {}, part) : '';
}

/** @param {string} product */
async function liveSales(product) {
  /** @type {{ items: Stream[] }} */
  const { items: shows } = await get(`/streams?status=live&limit=${SHOWS_ASKED_MAX}`);
  return (await Promise.all(shows.map((one) => salesIn(one, product)))).flat();
}

/**
 * The offers of a product in a live show that can be bought now.
 * @param {Stream} show
 * @param {string} product
 * @returns {Promise<Sale[]>}
 */
async function salesIn(show, product) {
  const own = await offersIn(show, product).catch(() => []); // The other shows may have it.
  return own.filter((offer) => canBuy(phaseOf(offer, show.now))).map((offer) => ({ show, offer }));
}

/**
 * @param {Stream} show
 * @param {string} product
 */
async function offersIn(show, product) {
  /** @type {{ items: Offer[] }} */
  const { items } = await get(`/streams/${encodeURIComponent(show.id)}/offers?limit=100`);
  return items.filter((offer) => offer.product === product);
}

/**
 * Of each recording that sold the product: the offers that can be bought now, or else the first moment that shows it.
 * @param {string} product
 * @returns {Promise<Sale[]>}
 */
async function recordedSales(product) {
  const query = `recorded=true&product=${encodeURIComponent(product)}&limit=${RECORDINGS_ASKED_MAX}`;
  /** @type {{ items: Stream[] }} */
  const { items: shows } = await get(`/streams?${query}`).catch(() => ({ items: [] }));
  const found = shows.map(async (show) => {
    const [offers, log] = await Promise.all([
      offersIn(show, product),
      /** @type {Promise<{ pins: PinSpan[] }>} */ (get(`/streams/${encodeURIComponent(show.id)}/log`)),
    ]);
    const own = new Set(offers.map((offer) => offer.id));
    const chapter = chaptersOf(log.pins, show.replay_started_at ?? 0).find(({ offer }) => own.has(offer));
    const at = chapter && Math.floor(chapter.at / 1000);
    const now = offers.filter((offer) => canBuy(phaseOf(offer, show.now)));
    return (now.length ? now : offers.slice(0, 1)).map((offer) => ({ show, offer, at }));
  });
  const settled = await Promise.allSettled(found);
  return settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
}

/** @param {Sale} sale */
function addressOf({ show, offer, at }) {
  const moment = at === undefined ? '' : `&t=${at}`;
  return route(`/watch?stream=${encodeURIComponent(show.id)}&offer=${encodeURIComponent(offer.id)}${moment}`);
}

/** @param {Sale} sale */
function saleCard(sale) {
  const { show, offer } = sale;
  const variant = variantOf(offer);
  return el(
    'a.sale',
    { href: addressOf(sale), 'data-test': `sale-${offer.id}` },
    el('span.row-text', {}, el('bdi', {}, titleOf(show)), variant && el('small', {}, el('bdi', {}, variant))),
    priceTag(offer),
    el('span.button.primary', {}, t(show.replay ? 'product.buy_recording' : 'product.buy_live')),
  );
}

/**
 * A recording that shows the product and does not sell it any more.
 * @param {Sale} sale
 */
function momentCard({ show, at }) {
  const moment = at ? `&t=${at}` : '';
  const when = show.started_at && el('small', {}, formatDateTime(show.started_at));
  return el(
    'a.sale',
    { href: route(`/watch?stream=${encodeURIComponent(show.id)}${moment}`), 'data-test': `moment-${show.id}` },
    el('span.row-text', {}, el('bdi', {}, titleOf(show)), when),
    el('span.button', {}, icon('play'), t('shop.recording')),
  );
}
