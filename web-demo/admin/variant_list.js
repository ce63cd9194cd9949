// The variants in the form of a product. With options there is one for each combination of their values; without, the reader
// names them. What was typed into a variant stays when the options change and the variant does not.

import { variantName } from '../host/catalogue_texts.js';
import { readAll } from '../host/form.js';
import { t } from '../i18n.js';
import { el, icon, query, setText, setVisible } from '../ui.js';
import { combinations, optionRows, VARIANTS_MAX, variantFields } from './product_options.js';
import { openHistory, openStock } from './product_stock.js';

/** @import { Field } from '../host/form.js' */
/** @import { ProductDetail, ProductOption, Variant } from '../types.d.ts' */
/** @typedef {{ variant: Partial<Variant>, options: string[], fields: Record<string, Field<any>>, node: HTMLElement }} Row */

/** @param {string[]} values */
const keyOf = (values) => JSON.stringify(values);

export class VariantList {
  /** @param {{ product: ProductDetail, currency: string }} options */
  constructor({ product, currency }) {
    this.currency = currency;
    this.title = product.title;
    this.count = 0;
    /** @type {Row[]} */
    this.rows = [];
    this.list = el('div.variant-list', { 'data-test': 'variant-list' });
    this.alert = el('p.field-error', { hidden: true, 'data-test': 'variants-alert' });
    this.options = optionRows({ options: product.options, onchange: (options) => this.follow(options) });
    this.addButton = el(
      'button.slim',
      { type: 'button', 'data-test': 'variant-add', onclick: () => query('input', this.addRow({}, []).node).focus() },
      icon('plus'),
      t('form.variant_add'),
    );
    this.node = el('div.variants-part', {}, this.options.node, this.list, this.alert, this.addButton);
    for (const variant of product.variants) this.addRow(variant, variant.options);
    if (!product.variants.length) this.addRow({}, []);
    this.paint(product.options);
  }

  /**
   * @param {Partial<Variant>} variant
   * @param {string[]} options
   * @returns {Row}
   */
  addRow(variant, options) {
    const n = ++this.count;
    const hasName = options.length === 0;
    const fields = variantFields({ variant, currency: this.currency, n, hasName });
    const legend = hasName ? t('products.variant', { n }) : options.join(' / ');
    const remove = {
      type: 'button',
      'aria-label': t('form.drop'),
      'data-test': `variant-drop-${n}`,
      onclick: () => this.drop(row),
    };
    const node = el(
      'fieldset.variant-card',
      { 'data-variant': variant.id ?? '' },
      el('legend', {}, el('bdi', {}, legend)),
      el(
        'div.variant-grid',
        {},
        Object.values(fields).map((one) => one.node),
      ),
      el(
        'div.variant-tools',
        {},
        variant.id ? this.stockTools(/** @type {Variant} */ (variant), n) : '',
        el('button.round.ghost', remove, icon('bin')),
      ),
    );
    /** @type {Row} */
    const row = { variant, options, fields, node };
    this.rows.push(row);
    this.list.append(node);
    return row;
  }

  /**
   * @param {Variant} variant
   * @param {number} n
   */
  stockTools(variant, n) {
    const text = el('span', { 'data-test': `variant-pool-${n}` }, t('products.in_stock', { n: variant.stock ?? 0 }));
    const title = `${this.title} · ${variantName(variant)}`;
    const onchange = (/** @type {number} */ stock) => {
      variant.stock = stock;
      setText(text, t('products.in_stock', { n: stock }));
    };
    const change = {
      type: 'button',
      'data-test': `stock-${n}`,
      onclick: () => openStock({ variant, title, onchange }),
    };
    const log = { type: 'button', 'data-test': `history-${n}`, onclick: () => openHistory({ variant, title }) };
    return [
      text,
      el('button.slim', change, t('products.change_stock')),
      el('button.slim.ghost', log, t('products.history')),
    ];
  }

  /** @param {Row} row */
  drop(row) {
    if (this.rows.length === 1) return;
    const place = this.rows.indexOf(row);
    this.rows.splice(place, 1);
    row.node.remove();
    // Its button had the focus: the next variant has it now.
    const { node } = this.rows[Math.min(place, this.rows.length - 1)];
    query('.variant-tools > :last-child', node).focus({ preventScroll: true });
    setVisible(this.alert, false);
  }

  /**
   * The options changed: makes the variants that are missing, and takes away those that no value is left for.
   * @param {ProductOption[]} options
   */
  follow(options) {
    const wanted = options.length ? combinations(options) : [];
    setVisible(this.alert, wanted.length > VARIANTS_MAX);
    if (wanted.length > VARIANTS_MAX) return setText(this.alert, t('products.too_many', { max: VARIANTS_MAX }));
    const before = this.rows;
    // An option that is still being typed changes nothing.
    if (!wanted.length && before.every((row) => row.options.length === 0)) return this.paint(options);
    const known = new Map(before.map((row) => [keyOf(row.options), row]));
    const spare = before.filter((row) => !wanted.some((values) => keyOf(values) === keyOf(row.options)));
    this.rows = [];
    this.list.replaceChildren();
    for (const values of wanted) {
      const row = known.get(keyOf(values));
      if (row) {
        this.rows.push(row);
        this.list.append(row.node);
        continue;
      }
      // An option was added: a variant that has the other values becomes the first one with the new value.
      const at = spare.findIndex((one) => one.options.every((value) => values.includes(value)));
      const [old] = at < 0 ? [] : spare.splice(at, 1);
      const made = this.addRow(old?.variant ?? {}, values);
      const from = old ?? before[0];
      for (const [name, one] of Object.entries(made.fields)) {
        const typed = from?.fields[name];
        if (typed && (old || name === 'price' || name === 'weight_g')) one.control.value = typed.control.value;
      }
    }
    if (!wanted.length) {
      for (const row of before) {
        const made = this.addRow({ ...row.variant, name: row.variant.name ?? row.options.join(' / ') }, []);
        for (const [name, one] of Object.entries(made.fields)) {
          if (row.fields[name]) one.control.value = row.fields[name].control.value;
        }
      }
    }
    return this.paint(options);
  }

  /** @param {ProductOption[]} options */
  paint(options) {
    this.addButton.hidden = options.length > 0;
  }

  print() {
    const typed = this.rows.map(({ variant, options, fields }) => [
      variant.id,
      options,
      Object.values(fields).map(({ control }) => control.value),
    ]);
    return JSON.stringify([this.options.current(), typed]);
  }

  /** The fields under the names that the server has for them: `variants[0].price`. */
  named() {
    /** @type {Record<string, Field<any>>} */
    const named = {};
    this.rows.forEach(({ fields }, at) => {
      for (const [name, one] of Object.entries(fields)) named[`variants[${at}].${name}`] = one;
    });
    return named;
  }

  /** The options and variants as the server takes them. Null: something is wrong, and says so. */
  read() {
    const options = this.options.read();
    const parts = this.rows.map(({ fields }) => readAll(fields));
    if (!options || parts.includes(null)) return null;
    const variants = this.rows.map((row, at) => {
      const { id, names = {} } = row.variant;
      const name = row.options.length ? row.options.join(' / ') : undefined;
      return { ...(id && { id }), ...(name && { name }), names, options: row.options, ...parts[at] };
    });
    return { options, variants };
  }

  /**
   * Variants that somebody else added or took away meanwhile.
   * @param {ProductDetail} base
   * @param {ProductDetail} newer
   */
  takeOver(base, newer) {
    const [before, now] = [base, newer].map(({ variants }) => new Set(variants.map(({ id }) => id)));
    for (const row of this.rows.filter(({ variant: { id } }) => id && !now.has(id))) this.drop(row);
    for (const variant of newer.variants.filter(({ id }) => !before.has(id))) this.addRow(variant, variant.options);
    for (const row of this.rows) {
      const [was, is] = [base, newer].map(({ variants }) => variants.find(({ id }) => id && id === row.variant.id));
      if (was && is) takeFields(row, was, is, this.currency);
    }
  }
}

/**
 * What only the other person changed of a variant.
 * @param {Row} row
 * @param {Variant} was
 * @param {Variant} is
 * @param {string} currency
 */
function takeFields(row, was, is, currency) {
  const of = (/** @type {Variant} */ variant) => variantFields({ variant, currency, n: 0, hasName: true });
  const [before, now] = [of(was), of(is)];
  for (const [name, one] of Object.entries(row.fields)) {
    if (one.control.value === before[name]?.control.value) one.control.value = now[name].control.value;
  }
  row.variant = is;
}
