// The cells of the grid: what was read, what is typed, what is wrong with it, and what a save sends. No page in here.

import { price as checkPrice, wholeNumber } from '../host/form.js';
import { decimalsOf, lang, t } from '../i18n.js';
import { writeAmount } from '../number_input.js';

/** @import { BulkEditResult, ImportProblem, Product, ProductEdit, Variant } from '../types.d.ts' */
/** @typedef {'category' | 'price' | 'stock'} Column */

export const COLUMNS = /** @type {const} */ (['category', 'price', 'stock']);
/** The server has the same limit. */
export const ROWS_MAX = 500;
export const CATEGORY_MAX = 40;
const STOCK_MAX = 10_000_000;

/** A cell: `base` is the text of what was read, `text` is what is typed. */
export class Cell {
  /** @param {Column} column @param {string} currency @param {string} base */
  constructor(column, currency, base) {
    this.column = column;
    this.currency = currency;
    this.base = base;
    this.text = base;
    /** What somebody else has saved meanwhile; null: nothing. @type {string | null} */
    this.newer = null;
    /** What the server has refused. */
    this.refused = '';
  }

  isChanged() {
    return this.text !== this.base && (this.column === 'category' || !this.isSame());
  }

  /** `12.50` and `12.5` are the same price. */
  isSame() {
    try {
      return this.value() === this.read(this.base);
    } catch {
      return false;
    }
  }

  /** What is wrong with it; empty: nothing. */
  fault() {
    if (this.text === this.base) return this.refused;
    try {
      this.value();
      return this.refused;
    } catch (fault) {
      return fault instanceof Error ? fault.message : String(fault);
    }
  }

  /** The value that is sent. Throws an Error with what is wrong. @returns {string | number | null} */
  value() {
    return this.read(this.text);
  }

  /** @param {string} text */
  read(text) {
    if (this.column === 'price') return checkPrice(this.currency)(text);
    if (this.column === 'stock') return wholeNumber(0, STOCK_MAX)(text);
    if ([...text].length > CATEGORY_MAX) throw new Error(t('products.too_long', { max: CATEGORY_MAX }));
    return text || null;
  }

  /** @param {string} text */
  set(text) {
    this.text = this.column === 'category' ? text.replaceAll(/\s+/g, ' ').trim() : text.trim();
    this.refused = '';
  }

  /** What is saved now. What was typed stays, and a newer value of somebody else is shown beside it. @param {string} base */
  rebase(base) {
    const [was, isTyped] = [this.base, this.text !== this.base];
    this.base = base;
    if (!isTyped || !this.isChanged()) {
      this.text = base;
      this.newer = null;
    } else if (was !== base) this.newer = base;
  }

  reset() {
    this.text = this.base;
    this.refused = '';
    this.newer = null;
  }
}

/** A variant of the grid. The category is in the first row of its product. */
export class Row {
  /** @param {Entry} entry @param {Variant} variant */
  constructor(entry, variant) {
    this.entry = entry;
    this.variant = variant;
    const isFirst = entry.product.variants[0].id === variant.id;
    const { currency } = variant;
    /** @type {Partial<Record<Column, Cell>>} */
    this.cells = {
      ...(isFirst && { category: new Cell('category', currency, baseText(entry.product, variant, 'category')) }),
      price: new Cell('price', currency, baseText(entry.product, variant, 'price')),
      stock: new Cell('stock', currency, baseText(entry.product, variant, 'stock')),
    };
  }

  list() {
    return COLUMNS.flatMap((column) => this.cells[column] ?? []);
  }
}

/** A product of the grid with its rows. */
export class Entry {
  /** @param {Product} product */
  constructor(product) {
    this.product = product;
    this.rows = product.variants.map((variant) => new Row(this, variant));
    /** What the server says about the whole product. */
    this.refused = '';
  }

  cells() {
    return this.rows.flatMap((row) => row.list());
  }

  isChanged() {
    return this.cells().some((cell) => cell.isChanged());
  }

  isWrong() {
    return this.cells().some((cell) => cell.isChanged() && cell.fault());
  }

  /** The values that changed, and which row of the request is which. @returns {{ edit: ProductEdit, rows: Row[] }} */
  edit() {
    const [first] = this.rows;
    const rows = this.rows.filter((row) => row.cells.price?.isChanged() || row.cells.stock?.isChanged());
    const { category } = first.cells;
    /** @type {ProductEdit} */
    const edit = {
      product: this.product.id,
      version: this.product.version,
      ...(category?.isChanged() && { category: /** @type {string | null} */ (category.value()) }),
      variants: rows.map((row) => variantEdit(row)),
    };
    return { edit, rows: rows.length ? rows : [first] };
  }

  /** The product as it is saved now: what was saved is no change any more. @param {Product} product */
  rebase(product) {
    this.product = product;
    for (const row of this.rows) {
      const variant = product.variants.find(({ id }) => id === row.variant.id);
      if (!variant) continue;
      row.variant = variant;
      for (const cell of row.list()) cell.rebase(baseText(product, variant, cell.column));
    }
  }
}

/** @param {Row} row */
function variantEdit({ variant, cells: { price, stock } }) {
  return {
    variant: variant.id,
    ...(price?.isChanged() && { price: Number(price.value()) }),
    ...(stock?.isChanged() && { stock: { from: variant.stock ?? 0, to: Number(stock.value()) } }),
  };
}

/** @param {Product} product @param {Variant} variant @param {Column} column */
function baseText(product, variant, column) {
  if (column === 'category') return product.category ?? '';
  if (column === 'stock') return String(variant.stock ?? 0);
  return writeAmount(variant.price, lang, decimalsOf(variant.currency));
}

/**
 * Takes what became of a save into the rows. Gives how many products were saved and how many were not.
 * @param {BulkEditResult} result
 * @param {{ entry: Entry, rows: Row[] }[]} sent in the order of the request
 */
export function takeResult(result, sent) {
  let [row, saved, refused] = [1, 0, 0];
  for (const [at, { entry, rows }] of sent.entries()) {
    const { state, problems, current } = result.products[at];
    if (state === 'changed') saved += 1;
    if (state === 'refused') refused += 1;
    entry.refused = '';
    if (current) entry.rebase(current);
    for (const problem of problems) show(problem, { entry, at: rows[problem.row - row] });
    row += rows.length;
  }
  return { saved, refused };
}

/** @param {ImportProblem} problem @param {{ entry: Entry, at: Row | undefined }} place */
function show({ code, column, message }, { entry, at }) {
  const cell = at?.cells[/** @type {Column} */ (column)];
  const text = t(`imports.problem.${code}`) + (code === 'refused' ? ` ${message}` : '');
  // A stock that somebody changed is shown as the newer value of the cell.
  if (cell && code !== 'stock_changed') cell.refused = text;
  else entry.refused = text;
}

/**
 * The cells of a text that was copied from a spreadsheet. A line break within quotes belongs to its cell.
 * @param {string} text
 * @returns {string[][]}
 */
export function pastedCells(text) {
  /** @type {string[][]} */
  const rows = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^\t\r\n]*))(\t|\r\n|\r|\n|$)/gy;
  for (let found = cell.exec(text); found; found = cell.exec(text)) {
    const [all, quoted, plain, end] = found;
    rows[rows.length - 1].push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (!all || !end || cell.lastIndex === text.length) break;
    if (end !== '\t') rows.push([]);
  }
  return rows;
}
