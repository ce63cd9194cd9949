// The options of a product and its variants: a variant for each combination of values, or variants with names of their own.

import { locale, decimalsOf, lang, t } from '../i18n.js';
import { currencySymbol } from '../host/catalogue_texts.js';
import { anyText, field, price, required, wholeNumber } from '../host/form.js';
import { parseNumber } from '../number_input.js';
import { el, icon } from '../ui.js';

/** @import { Field } from '../host/form.js' */
/** @import { ProductOption, Variant } from '../types.d.ts' */

const NAME_MAX = 120;
const STOCK_MAX = 10_000_000;
const WEIGHT_MAX = 10_000_000;
export const OPTIONS_MAX = 3;
export const VARIANTS_MAX = 100;

/**
 * An amount as its field shows it.
 * @param {number | null | undefined} minor
 * @param {string} currency
 */
export function plainMoney(minor, currency) {
  if (minor === null || minor === undefined) return '';
  const digits = decimalsOf(currency);
  const format = new Intl.NumberFormat(locale, {
    useGrouping: false,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return format.format(minor / 10 ** digits);
}

/**
 * A check that also takes an empty text.
 * @template T
 * @param {(text: string) => T} check
 */
const optional = (check) => (/** @type {string} */ text) => (text ? check(text) : null);

/**
 * A price, or nothing at all where the product already costs nothing.
 * @param {string} currency
 * @param {boolean} isFree
 */
function priceCheck(currency, isFree) {
  const check = price(currency);
  const isZero = (/** @type {string} */ text) => {
    const parsed = parseNumber(text, lang, decimalsOf(currency));
    return 'value' in parsed && parsed.value === 0;
  };
  return (/** @type {string} */ text) => (isFree && isZero(text) ? 0 : check(text));
}

/** @param {string} text values behind commas, in any script */
export const splitValues = (text) => [
  ...new Set(
    text
      .split(/[,،;\n]/)
      .map((value) => value.trim())
      .filter(Boolean),
  ),
];

/**
 * Every combination of the values, in the order of the options.
 * @param {ProductOption[]} options
 * @returns {string[][]}
 */
export const combinations = (options) =>
  options.reduce(
    (rows, { values }) => rows.flatMap((row) => values.map((value) => [...row, value])),
    [/** @type {string[]} */ ([])],
  );

/**
 * The fields of one variant.
 * @param {{ variant: Partial<Variant>, currency: string, n: number, hasName: boolean }} options
 */
export function variantFields({ variant, currency, n, hasName }) {
  const money = currencySymbol(currency);
  const isNew = !variant.id;
  const fields = {
    ...(hasName && {
      name: field({
        label: t('products.variant_name'),
        test: `variant-name-${n}`,
        check: required,
        maxLength: NAME_MAX,
        value: variant.name ?? '',
      }),
    }),
    price: field({
      label: t('products.price', { currency: money }),
      test: `variant-price-${n}`,
      check: priceCheck(currency, variant.price === 0),
      inputMode: 'decimal',
      value: plainMoney(variant.price, currency),
    }),
    ...(isNew && {
      stock: field({
        label: t('products.stock'),
        test: `variant-stock-${n}`,
        check: wholeNumber(0, STOCK_MAX),
        inputMode: 'numeric',
        value: variant.stock ?? '',
      }),
    }),
    sku: field({
      label: t('products.sku'),
      test: `variant-sku-${n}`,
      check: optional(anyText),
      maxLength: NAME_MAX,
      value: variant.sku ?? '',
    }),
    barcode: field({
      label: t('products.barcode'),
      test: `variant-barcode-${n}`,
      check: optional(anyText),
      maxLength: 64,
      dir: 'ltr',
      value: variant.barcode ?? '',
    }),
    cost: field({
      label: t('products.cost', { currency: money }),
      test: `variant-cost-${n}`,
      check: optional(price(currency)),
      inputMode: 'decimal',
      value: plainMoney(variant.cost, currency),
    }),
    weight_g: field({
      label: t('products.weight'),
      test: `variant-weight-${n}`,
      check: optional(wholeNumber(0, WEIGHT_MAX)),
      inputMode: 'numeric',
      value: variant.weight_g ?? '',
    }),
  };
  return /** @type {Record<string, Field<any>>} */ (fields);
}

/**
 * The rows of options: a name and its values.
 * @param {{ options: ProductOption[], onchange: (options: ProductOption[]) => void }} props
 */
export function optionRows({ options, onchange }) {
  /** @type {{ name: Field<string>, values: Field<string[]>, node: HTMLElement }[]} */
  const rows = [];
  const box = el('div.option-rows', { 'data-test': 'option-rows' });
  const add = el(
    'button.slim',
    { type: 'button', 'data-test': 'option-add', onclick: () => addRow({ name: '', values: [] }, true) },
    icon('plus'),
    t('products.option_add'),
  );
  const current = () =>
    rows
      .map(({ name, values }) => ({ name: name.control.value.trim(), values: splitValues(values.control.value) }))
      .filter(({ name, values }) => name && values.length > 0);
  const changed = () => onchange(current());
  const paint = () => (add.hidden = rows.length >= OPTIONS_MAX);
  /**
   * @param {ProductOption} option
   * @param {boolean} isNew
   */
  function addRow(option, isNew) {
    const n = rows.length + 1;
    const name = field({
      label: t('products.option_name'),
      test: `option-name-${n}`,
      check: required,
      maxLength: 35,
      value: option.name,
      placeholder: t('products.option_example'),
    });
    const values = field({
      label: t('products.option_values'),
      test: `option-values-${n}`,
      check: (text) => {
        const found = splitValues(text);
        if (!found.length) throw new Error(t('form.required'));
        return found;
      },
      value: option.values.join(t('products.comma')),
      hint: t('products.option_hint'),
    });
    const remove = () => {
      rows.splice(rows.indexOf(row), 1);
      row.node.remove();
      paint();
      changed();
      add.focus({ preventScroll: true });
    };
    const button = { type: 'button', 'aria-label': t('products.option_remove'), onclick: remove };
    const node = el(
      'div.option-row',
      {},
      name.node,
      values.node,
      el('button.round.ghost', { ...button, 'data-test': `option-remove-${n}` }, icon('bin')),
    );
    const row = { name, values, node };
    for (const one of [name, values]) one.control.addEventListener('change', changed);
    rows.push(row);
    box.append(node);
    paint();
    if (isNew) name.control.focus();
  }
  for (const option of options) addRow(option, false);
  paint();
  /** The options, or null when a field is wrong. @returns {ProductOption[] | null} */
  const read = () => {
    const found = rows.map(({ name, values }) => [name.read(), values.read()]);
    const wrong = rows.find((_, at) => found[at].some((one) => 'error' in one));
    wrong?.name.control.focus();
    return wrong ? null : current();
  };
  return { node: el('div', {}, box, add), read, current };
}
