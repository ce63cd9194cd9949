// The fields of a product besides its variants, and what of them goes to the server.

import { LANGUAGE_NAMES, lang, t } from '../i18n.js';
import { anyText, field, required } from '../host/form.js';
import { pictureField } from '../picture_field.js';
import { richText } from '../rich_text.js';
import { el } from '../ui.js';
import { textArea } from './text_area.js';

/** @import { Field } from '../host/form.js' */
/** @import { Picture } from '../picture_field.js' */
/** @import { ProductDetail, Shop } from '../types.d.ts' */

const TITLE_MAX = 120;
const CATEGORY_MAX = 40;
const DESCRIPTION_MAX = 10_000;
const DELIVERY_MAX = 2_000;

/**
 * The languages into which a product can be translated: those of the shop, without its own.
 * @param {Shop} shop
 */
function translations(shop) {
  const own = shop.language ?? 'en';
  const isSpoken = (/** @type {string} */ code) => !shop.languages?.length || shop.languages.includes(code);
  return LANGUAGE_NAMES.filter(([code]) => code !== own && isSpoken(code));
}

/**
 * @param {ProductDetail} product
 * @param {Shop} shop
 * @param {Picture[]} gallery
 */
export function productFields(product, shop, gallery) {
  const pictures = pictureField({
    label: t('pictures.label'),
    test: 'product-image',
    value: structuredClone(gallery),
  });
  /** @type {Record<string, Field<any>>} */
  const fields = {
    title: field({
      label: t('products.title'),
      test: 'product-title',
      check: required,
      maxLength: TITLE_MAX,
      value: product.title,
    }),
    category: field({
      label: t('products.category'),
      test: 'product-category',
      check: (text) => text || null,
      maxLength: CATEGORY_MAX,
      value: product.category ?? '',
      hint: t('products.category_hint'),
    }),
    pictures,
    description: textArea({
      label: t('products.description'),
      test: 'product-description',
      value: product.description,
      max: DESCRIPTION_MAX,
      rows: 6,
      hint: t('products.markdown'),
    }),
    delivery: textArea({
      label: t('products.delivery'),
      test: 'product-delivery-text',
      value: product.delivery,
      max: DELIVERY_MAX,
      rows: 3,
      hint: t('products.delivery_hint'),
    }),
  };
  const languages = translations(shop);
  const groups = languages.map(([code, name]) => {
    const own = translationFields(product, code);
    for (const [part, one] of Object.entries(own)) {
      fields[`${part}.${code}`] = one;
    }
    const isOpen = Boolean(product.titles[code]);
    return el(
      'details.translation',
      { open: isOpen, 'data-test': `translation-${code}` },
      el('summary', {}, t('products.translation', { language: name })),
      Object.values(own).map(({ node }) => node),
    );
  });
  const nodes = [
    fields.title.node,
    fields.category.node,
    pictures.node,
    fields.description.node,
    product.description_html &&
      el('details.preview', {}, el('summary', {}, t('products.preview')), richText(shownHtml(product))),
    fields.delivery.node,
    groups,
  ];
  const print = () => JSON.stringify([Object.values(fields).map(({ control }) => control.value), pictures.peek()]);
  /** @param {Record<string, any>} values */
  const request = (values) => {
    const { title, category, description, delivery } = values;
    /** @param {string} part @param {Record<string, string>} before translations into other languages stay */
    const inLanguages = (part, before) => {
      const codes = new Set(languages.map(([code]) => code));
      const others = Object.entries(before).filter(([code]) => !codes.has(code));
      const typed = [...codes].map((code) => [code, values[`${part}.${code}`]]).filter(([, text]) => text);
      return Object.fromEntries([...others, ...typed]);
    };
    return {
      title,
      titles: inLanguages('titles', product.titles),
      category,
      description,
      descriptions: inLanguages('descriptions', product.descriptions),
      delivery,
      deliveries: inLanguages('deliveries', product.deliveries),
    };
  };
  return { fields, nodes, print, request };
}

/** @param {ProductDetail} product */
const shownHtml = (product) => product.descriptions_html[lang] || product.description_html;

/**
 * @param {ProductDetail} product
 * @param {string} code
 */
function translationFields(product, code) {
  return {
    titles: field({
      label: t('products.title'),
      test: `product-title-${code}`,
      check: anyText,
      maxLength: TITLE_MAX,
      value: product.titles[code] ?? '',
      lang: code,
    }),
    descriptions: textArea({
      label: t('products.description'),
      test: `product-description-${code}`,
      value: product.descriptions[code] ?? '',
      max: DESCRIPTION_MAX,
      rows: 4,
      lang: code,
    }),
    deliveries: textArea({
      label: t('products.delivery'),
      test: `product-delivery-${code}`,
      value: product.deliveries[code] ?? '',
      max: DELIVERY_MAX,
      rows: 2,
      lang: code,
    }),
  };
}

/** @param {unknown} value in an order that does not depend on who wrote it */
export const stable = (value) =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/**
 * The parts of the form that differ from the product: only they are sent, so that what somebody else changed elsewhere stays.
 * @param {ProductDetail} base
 * @param {Record<string, any>} form
 */
export function changedParts(base, form) {
  const before = /** @type {Record<string, unknown>} */ ({
    ...base,
    variants: base.variants.map(variantPart),
  });
  return Object.fromEntries(Object.entries(form).filter(([name, value]) => stable(value) !== stable(before[name])));
}

/** @param {import('../types.d.ts').Variant} variant as the form has it */
export const variantPart = ({ id, name, names, options, sku, barcode, price, cost, weight_g }) => ({
  id,
  name,
  names,
  options,
  sku,
  barcode,
  price,
  cost: cost ?? null,
  weight_g,
});
