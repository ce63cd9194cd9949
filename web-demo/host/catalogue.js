// Choosing what to sell: the catalogue and a new product. What becomes of a variant is the sale form's.

import { post } from '../api.js';
import { fractionDigits, lang, money, refusal, t, titleOf, variantOf } from '../i18n.js';
import { list } from '../list.js';
import { busy, sheet } from '../sheet.js';
import { el, icon, picture, toast } from '../ui.js';
import { address, askNumber, field, price, readAll, required, whole } from './form.js';
import { saleForm } from './sale.js';

export async function catalogue(context) {
  const body = el('div');
  const dialog = sheet(body, { title: t('host.add_title'), test: 'catalogue', className: 'side' });
  const steps = { body, close: () => dialog.close(), ...context };
  await chooseVariant(steps);
}

// ---- the list ----

async function chooseVariant(steps) {
  steps.body.replaceChildren(el('p.empty', {}, t('loading')));
  const products = await list('/products');
  const search = el('input', { type: 'search', 'aria-label': t('host.search'), placeholder: t('host.search'), 'data-test': 'catalogue-search' });
  const rows = products.map((product) => ({ product, node: productRow(product, steps) }));
  search.addEventListener('input', () => {
    const wanted = search.value.trim().toLowerCase();
    for (const { product, node } of rows) node.hidden = !JSON.stringify(product).toLowerCase().includes(wanted);
  });
  steps.body.replaceChildren(
    el('div.inline', {}, search, el('button.slim', { type: 'button', 'data-test': 'new-product', onclick: () => newProduct(steps) }, icon('plus'), t('host.new_product'))),
    el('ul.catalogue', {}, rows.map(({ node }) => node)));
}

function productRow(product, steps) {
  return el('li.catalogue-row', {}, el('div.row-head', {}, el('span.row-image', {}, picture(product.image)), el('bdi.row-title', {}, titleOf(product))),
    el('div.variants', {}, product.variants.map((variant) => variantRow(product, variant, steps))));
}

function variantRow(product, variant, steps) {
  const stock = el('small', {}, t('host.in_pool', { n: variant.stock ?? 0 }));
  const choose = el('button.variant', { type: 'button', 'data-test': `variant-${variant.id}`, onclick: () => saleForm(product, variant, { ...steps, back: backTo(steps) }) },
    el('bdi', {}, variantOf(variant)), el('span', {}, el('bdi', {}, money(variant.price, variant.currency)), ' · ', stock));
  const more = el('button.round.ghost', { type: 'button', 'aria-label': t('host.restock_pool'), title: t('host.restock_pool'), 'data-test': `pool-${variant.id}`, onclick: () => restockPool(product, variant, stock) }, icon('plus'));
  return el('div.variant-row', {}, choose, more);
}

async function restockPool(product, variant, line) {
  const add = await askNumber({ title: t('host.restock_pool'), text: `${titleOf(product)} · ${variantOf(variant)}`, label: t('host.units'), min: 1, max: 1_000_000, test: 'pool' });
  if (!add) return;
  try {
    variant.stock = (await post(`/variants/${variant.id}/restock`, { add })).stock;
    line.textContent = t('host.in_pool', { n: variant.stock });
  } catch (problem) {
    toast(refusal(problem), { kind: 'warn' });
  }
}

// ---- a new product ----

function newProduct(steps) {
  const digits = fractionDigits(steps.shop.currency);
  const fields = {
    title: field({ label: t('form.title'), test: 'product-title', check: required, maxLength: 120 }),
    other: field({ label: t('form.title_ar'), test: 'product-title-ar', maxLength: 120 }),
    image: field({ label: t('form.image'), test: 'product-image', check: address, dir: 'ltr', hint: t('form.image_hint') }),
  };
  const variants = [];
  const rows = el('div');
  const addVariant = () => {
    const n = variants.length + 1;
    const one = {
      name: field({ label: t('form.variant'), test: `variant-name-${n}`, check: required, maxLength: 60 }),
      price: field({ label: t('form.price_label', { currency: steps.shop.currency }), test: `variant-price-${n}`, check: price(digits), inputMode: 'decimal' }),
      stock: field({ label: t('form.stock'), test: `variant-stock-${n}`, check: whole(0, 1_000_000), inputMode: 'numeric' }),
    };
    const drop = el('button.round.ghost', { type: 'button', 'aria-label': t('form.drop'), onclick: () => { if (variants.length > 1) { variants.splice(variants.indexOf(one), 1); row.remove(); } } }, icon('bin'));
    const row = el('div.variant-fields', {}, one.name.node, one.price.node, one.stock.node, drop);
    variants.push(one);
    rows.append(row);
  };
  addVariant();
  const alert = el('p.alert', { role: 'alert', hidden: true });
  const submit = el('button.primary', { type: 'submit', 'data-test': 'product-save' }, t('save'));
  const form = el('form', { noValidate: true, 'data-test': 'product-form' }, backTo(steps), fields.title.node, lang === 'ar' || fields.other.node, fields.image.node,
    el('h3', {}, t('form.variants')), rows, el('button.slim', { type: 'button', 'data-test': 'variant-add', onclick: addVariant }, icon('plus'), t('form.variant_add')), alert, el('div.actions', {}, submit));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const product = readAll(fields);
    const parts = variants.map(readAll);
    if (!product || parts.includes(null)) return;
    const { title, other, image } = product;
    busy(submit, async () => {
      await post('/products', { title, ...(other ? { titles: { ar: other } } : {}), image, variants: parts });
      await chooseVariant(steps);
    }, (problem) => { alert.textContent = refusal(problem); alert.hidden = false; });
  });
  steps.body.replaceChildren(form);
  fields.title.control.focus();
}

function backTo(steps) {
  return el('button.slim.ghost', { type: 'button', 'data-test': 'catalogue-back', onclick: () => chooseVariant(steps) }, icon('back'), t('host.catalogue'));
}
