// Choosing what to sell: the catalogue with its variants. The forms for a new product and for an offer are files of their own.

import { asRefusal } from '../api.js';
import { formatMoney, refusalText, t, titleOf } from '../i18n.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, icon, picture, queryAll, setText, setVisible, toast } from '../ui.js';
import { addOnce } from './add_once.js';
import { variantName } from './catalogue_texts.js';
import { askNumber } from './dialogs.js';
import { offerForm } from './offer_form.js';
import { productForm } from './product_form.js';
import { ProductPages, SEARCH_LENGTH_MAX } from './product_pages.js';
import { isTeamOfShop } from './rank.js';

/** @import { Product, Shop, Stream, Variant } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

/**
 * What the steps of the sheet share.
 * @typedef {{ body: HTMLElement, shop: Shop, stream: Stream, lineup: Lineup, close: () => void }} Steps
 */

const STOCK_MAX = 1_000_000;

/** @param {{ shop: Shop, stream: Stream, lineup: Lineup }} context */
export async function catalogueSheet(context) {
  const body = el('div');
  const dialog = openSheet(body, { title: t('lineup.add'), test: 'catalogue', className: 'side' });
  await showCatalogue({ body, close: () => dialog.close(), ...context });
}

/** @param {Steps} steps */
async function showCatalogue(steps) {
  const list = el('ul.catalogue', {});
  const status = el('p.empty', { role: 'status', 'data-test': 'catalogue-empty' });
  const more = el(
    'button.slim',
    {
      type: 'button',
      hidden: true,
      'data-test': 'catalogue-more',
      onclick: () =>
        withBusy(
          more,
          () => pages.read(),
          (refusal) => toast(refusalText(refusal), { kind: 'warn' }),
        ),
    },
    t('host.more_products'),
  );
  const pages = new ProductPages((products, isFirst, hasNext) => {
    if (isFirst) list.replaceChildren();
    list.append(...products.map((product) => productRow(product, steps)));
    setText(status, t(pages.search ? 'host.none_found' : 'host.no_products'));
    setVisible(status, !list.childElementCount);
    setVisible(more, hasNext);
  });
  const search = el('input', {
    type: 'search',
    dir: 'auto',
    maxLength: SEARCH_LENGTH_MAX,
    'aria-label': t('host.search'),
    placeholder: t('host.search'),
    'data-test': 'catalogue-search',
    oninput: () => pages.find(search.value),
  });
  steps.body.onkeydown = (event) => moveByKey(event, search, list, pages);
  const back = backButton(() => showCatalogue(steps));
  const create = () => productForm({ ...steps, back, onsaved: () => showCatalogue(steps) });
  const isAllowed = isTeamOfShop();
  const newProduct = { type: 'button', 'data-test': 'new-product', disabled: !isAllowed, onclick: create };
  steps.body.replaceChildren(
    el('div.inline', {}, search, el('button.slim', newProduct, icon('plus'), t('host.new_product'))),
    isAllowed ? '' : el('p.fine', { 'data-test': 'catalogue-locked' }, t('host.shop_only')),
    list,
    status,
    more,
  );
  setText(status, t('loading'));
  await pages.read();
}

/**
 * The arrows move between the search and the variants, and Enter in the search takes the first one that was found.
 * @param {KeyboardEvent} event
 * @param {HTMLInputElement} search
 * @param {HTMLElement} list
 * @param {ProductPages} pages
 */
async function moveByKey(event, search, list, pages) {
  const { key, target } = event;
  const isSearch = target === search;
  if (key === 'Enter' && isSearch) {
    event.preventDefault();
    await pages.settled();
    return list.querySelector('button.variant')?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  const stops = [search, ...queryAll('button.variant', list)];
  const at = stops.indexOf(/** @type {HTMLInputElement} */ (target));
  if (!step || at < 0 || !list.isConnected) return;
  event.preventDefault();
  stops[Math.max(0, Math.min(at + step, stops.length - 1))]?.focus();
}

/** @param {() => void} onclick */
function backButton(onclick) {
  const props = { type: 'button', 'data-test': 'catalogue-back', onclick };
  return el('button.slim.ghost', props, icon('back'), t('host.catalogue'));
}

/**
 * @param {Product} product
 * @param {Steps} steps
 */
function productRow(product, steps) {
  return el(
    'li.catalogue-row',
    {},
    el(
      'div.row-head',
      {},
      el('span.row-image', {}, picture(product.image, product)),
      el('bdi.row-title', {}, titleOf(product)),
    ),
    el(
      'div.variants',
      {},
      product.variants.map((variant) => variantRow(product, variant, steps)),
    ),
  );
}

/**
 * @param {Product} product
 * @param {Variant} variant
 * @param {Steps} steps
 */
function variantRow(product, variant, steps) {
  const stock = el('small', {}, t('host.in_pool', { n: variant.stock ?? 0 }));
  const choose = () => offerForm(product, variant, { ...steps, back: backButton(() => showCatalogue(steps)) });
  const restock = {
    type: 'button',
    'aria-label': t('host.restock_pool'),
    title: t('host.restock_pool'),
    'data-test': `pool-${variant.id}`,
    disabled: !isTeamOfShop(),
    onclick: () => restockVariant(product, variant, stock),
  };
  return el(
    'div.variant-row',
    {},
    el(
      'button.variant',
      { type: 'button', 'data-test': `variant-${variant.id}`, onclick: choose },
      el('bdi', {}, variantName(variant)),
      el('span', {}, el('bdi', {}, formatMoney(variant.price, variant.currency)), ' · ', stock),
    ),
    el('button.round.ghost', restock, icon('plus')),
  );
}

/**
 * @param {Product} product
 * @param {Variant} variant
 * @param {HTMLElement} line
 */
async function restockVariant(product, variant, line) {
  const add = await askNumber({
    title: t('host.restock_pool'),
    text: `${titleOf(product)} · ${variantName(variant)}`,
    label: t('host.units'),
    min: 1,
    max: STOCK_MAX,
    test: 'pool',
  });
  if (!add) return;
  try {
    /** @type {Variant} */
    const restocked = await addOnce(`/variants/${variant.id}/restock`, { add });
    variant.stock = restocked.stock;
    line.textContent = t('host.in_pool', { n: variant.stock });
  } catch (error) {
    toast(refusalText(asRefusal(error)), { kind: 'warn' });
  }
}
