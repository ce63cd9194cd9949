// The form for a new product with its variants.

import { put } from '../api.js';
import { lang, refusalText, t } from '../i18n.js';
import { pictureField, shownAddress } from '../picture_field.js';
import { withBusy } from '../sheet.js';
import { el, icon } from '../ui.js';
import { addOnce } from './add_once.js';
import { currencySymbol } from './catalogue_texts.js';
import { anyText, field, price, readAll, required, wholeNumber } from './form.js';

/** @import { ProductDetail, Refusal, Shop } from '../types.d.ts' */

const TITLE_MAX = 120;
const NAME_MAX = 60;
const STOCK_MAX = 1_000_000;

/**
 * @param {{ body: HTMLElement, shop: Shop, back: HTMLElement, onsaved: () => Promise<void> }} options
 */
export function productForm({ body, shop, back, onsaved }) {
  const fields = {
    title: field({ label: t('form.title'), test: 'product-title', check: required, maxLength: TITLE_MAX }),
    title_ar: field({ label: t('form.title_ar'), test: 'product-title-ar', check: anyText, maxLength: TITLE_MAX }),
    pictures: pictureField({ label: t('pictures.label'), test: 'product-image' }),
  };
  /** @type {ReturnType<typeof variantFields>[]} */
  const variants = [];
  const rows = el('div');
  const addVariant = () => {
    const variant = variantFields(variants.length + 1, shop.currency);
    const remove = () => {
      if (variants.length === 1) return;
      variants.splice(variants.indexOf(variant), 1);
      row.remove();
    };
    const button = el(
      'button.round.ghost',
      { type: 'button', 'aria-label': t('form.drop'), onclick: remove },
      icon('bin'),
    );
    const nodes = Object.values(variant).map((one) => one.node);
    const row = el('div.variant-fields', {}, nodes, button);
    variants.push(variant);
    rows.append(row);
  };
  addVariant();
  const alert = el('p.alert', { role: 'alert', hidden: true });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    alert.textContent = refusalText(refusal);
    alert.hidden = false;
  };
  /** @type {ProductDetail | null} */
  let made = null;
  const submit = el('button.primary', { type: 'submit', 'data-test': 'product-save' }, t('save'));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    const product = readAll(fields);
    const parts = variants.map(readAll);
    if (!product || parts.includes(null)) return;
    const { title, title_ar, pictures } = product;
    const titles = title_ar ? { titles: { ar: title_ar } } : {};
    const send = async () => {
      const image = shownAddress(pictures);
      // A product that was made before its gallery failed is not made again.
      made ??= /** @type {ProductDetail} */ (await addOnce('/products', { title, ...titles, image, variants: parts }));
      if (pictures.length) await put(`/products/${made.id}/pictures`, { version: made.version, pictures });
      await onsaved();
    };
    withBusy(submit, send, showRefusal);
  };
  const add = { type: 'button', 'data-test': 'variant-add', onclick: addVariant };
  body.replaceChildren(
    el(
      'form',
      { noValidate: true, 'data-test': 'product-form', onsubmit: save },
      back,
      fields.title.node,
      lang !== 'ar' && fields.title_ar.node, // Where the page is Arabic, the name is Arabic already.
      fields.pictures.node,
      el('h3', {}, t('form.variants')),
      rows,
      el('button.slim', add, icon('plus'), t('form.variant_add')),
      alert,
      el('div.actions', {}, submit),
    ),
  );
  fields.title.control.focus();
}

/**
 * @param {number} n
 * @param {string} currency
 */
function variantFields(n, currency) {
  const priceLabel = t('form.price_label', { currency: currencySymbol(currency) });
  const check = price(currency);
  return {
    name: field({ label: t('form.variant'), test: `variant-name-${n}`, check: required, maxLength: NAME_MAX }),
    price: field({ label: priceLabel, test: `variant-price-${n}`, check, inputMode: 'decimal' }),
    stock: field({
      label: t('form.stock'),
      test: `variant-stock-${n}`,
      check: wholeNumber(0, STOCK_MAX),
      inputMode: 'numeric',
    }),
  };
}
