// The page of a product, with its own link: pictures, price, description, and the shows in which it is on sale now.

import { asRefusal, get } from './api.js';
import { basePath, route } from './base.js';
import { formatMoney, lang, languageSwitch, load, refusalText, t, titleOf, translate, variantOf } from './i18n.js';
import { loadShop } from './load_shop.js';
import { canBuy, phaseOf, priceTag } from './offer.js';
import { richText } from './rich_text.js';
import { byId, el, fillIcons, picture, setText } from './ui.js';

/** @import { Offer, ProductDetail, Stream } from './types.d.ts' */
/** @typedef {{ address: string, alt: string | null, focus: { x: number, y: number } | null }} Picture */
/** @typedef {{ show: Stream, offer: Offer }} Sale */

const SHOWS_ASKED_MAX = 10;
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
 * A product is bought in a show: the live ones that sell it now come with a link to it.
 * @param {ProductDetail} product
 * @param {HTMLElement} node
 */
async function showSales(product, node) {
  /** @type {{ items: Stream[] }} */
  const { items: shows } = await get(`/streams?status=live&limit=${SHOWS_ASKED_MAX}`);
  const found = (await Promise.all(shows.map((one) => salesIn(one, product.id)))).flat();
  node.replaceChildren(
    ...(found.length
      ? found.map(saleCard)
      : [el('p.fine', {}, t('product.not_on_sale')), el('a.button', { href: route('/') }, t('product.see_shows'))]),
  );
  if (!found.length) node.after(await followSlot(product).catch(() => ''));
}

/** Where it is not on sale, the reader can be told when it is. @param {ProductDetail} product */
async function followSlot(product) {
  const part = await (await import('./following.js')).followPart(product);
  return part ? el('div.follow-slot', {}, part) : '';
}

/**
 * @param {Stream} show
 * @param {string} product
 * @returns {Promise<Sale[]>}
 */
async function salesIn(show, product) {
  try {
    /** @type {{ items: Offer[] }} */
    const { items } = await get(`/streams/${encodeURIComponent(show.id)}/offers?limit=100`);
    const own = items.filter((offer) => offer.product === product && canBuy(phaseOf(offer, show.now)));
    return own.map((offer) => ({ show, offer }));
  } catch {
    return []; // The other shows may have it.
  }
}

/** @param {Sale} sale */
function saleCard({ show, offer }) {
  const variant = variantOf(offer);
  const href = route(`/watch?stream=${encodeURIComponent(show.id)}&offer=${encodeURIComponent(offer.id)}`);
  return el(
    'a.sale',
    { href, 'data-test': `sale-${offer.id}` },
    el('span.row-text', {}, el('bdi', {}, titleOf(show)), variant && el('small', {}, el('bdi', {}, variant))),
    priceTag(offer),
    el('span.button.primary', {}, t('product.buy_live')),
  );
}
