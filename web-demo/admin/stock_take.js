// The count of a stock take: what was scanned, kept in this browser until it is applied, so that it can pause and no reload loses it. No
// page in here.

import { newKey } from '../client.js';
import { basePath } from '../base.js';
import { Problem } from '../api.js';

/** @import { BulkEditResult, CountedVariant, ImportProblem, ProductEdit } from '../types.d.ts' */

/**
 * A variant that was counted. `expected` is what should have been there when its count began.
 * @typedef {CountedVariant & { counted: number, at: number, problem?: ImportProblem | null }} Counted
 */
/**
 * A code that belongs to no variant, to several, or that could not be looked up yet.
 * @typedef {{ code: string, units: number, state: 'unknown' | 'waiting' | 'several', found: CountedVariant[] }} OpenCode
 */
/** @typedef {{ key: string, body: { source: 'stock_take', rows: 'good', products: ProductEdit[] } }} Sending */

const SLOT = `livesouk.stock_take${basePath}`;
/** The maximum number of rows in one request. */
export const COUNTED_MAX = 500;
export const OPEN_MAX = 200;
export const UNITS_MAX = 10_000_000;

export class StockTake {
  constructor() {
    this.clear();
    this.isKept = true;
    this.load();
  }

  clear() {
    this.startedAt = 0;
    /** The newest first. @type {Counted[]} */
    this.counted = [];
    /** @type {OpenCode[]} */
    this.open = [];
    /** What is being applied: it is sent with the same key until its outcome is certain. @type {Sending | null} */
    this.sending = null;
  }

  /** What another tab or an earlier visit has kept. */
  load() {
    try {
      const kept = JSON.parse(localStorage.getItem(SLOT) ?? 'null');
      this.clear();
      if (!Array.isArray(kept?.counted) || !Array.isArray(kept?.open)) return;
      this.startedAt = Number(kept.startedAt) || 0;
      this.counted = kept.counted;
      this.open = kept.open;
      this.sending = kept.sending ?? null;
    } catch {
      this.isKept = false; // Private mode, or somebody else's text.
    }
  }

  save() {
    const { startedAt, counted, open, sending } = this;
    try {
      if (this.isEmpty()) localStorage.removeItem(SLOT);
      else localStorage.setItem(SLOT, JSON.stringify({ startedAt, counted, open, sending }));
      this.isKept = true;
    } catch {
      this.isKept = false;
    }
  }

  /** Another tab has changed the count. @param {StorageEvent} event */
  isOther = (event) => event.key === SLOT;

  isEmpty() {
    return !this.counted.length && !this.open.length && !this.sending;
  }

  /** The variant of this code, if it was scanned before. @param {string} code */
  known(code) {
    const same = (/** @type {string | null} */ text) => text !== null && text.toLowerCase() === code.toLowerCase();
    const found = this.counted.filter(({ barcode, sku }) => same(barcode) || same(sku));
    return found.length === 1 ? found[0] : null;
  }

  /**
   * Counts units of a variant. Throws a Problem if there is no room.
   * @param {CountedVariant} variant as it is now
   * @param {number} units
   */
  count(variant, units) {
    const at = this.counted.findIndex((one) => one.variant === variant.variant);
    const [row] = at < 0 ? [{ ...variant, counted: 0, at: 0 }] : this.counted.splice(at, 1);
    if (at < 0 && this.counted.length >= COUNTED_MAX) throw new Problem('stock_take_full');
    row.counted = Math.min(UNITS_MAX, row.counted + units);
    row.at = Date.now();
    row.problem = null;
    this.counted.unshift(row);
    this.startedAt ||= Date.now();
    this.save();
    return row;
  }

  /** @param {string} variant @param {number} units */
  correct(variant, units) {
    const row = this.counted.find((one) => one.variant === variant);
    if (!row) return;
    row.counted = units;
    row.problem = null;
    this.save();
  }

  /** Forgets a variant: its next scan begins its count again. @param {string} variant */
  remove(variant) {
    this.counted = this.counted.filter((one) => one.variant !== variant);
    this.save();
  }

  /**
   * Notes a code that counts for no variant now.
   * @param {string} code
   * @param {number} units
   * @param {OpenCode['state']} state
   * @param {CountedVariant[]} [found]
   */
  note(code, units, state, found = []) {
    const known = this.open.find((one) => one.code === code);
    if (!known && this.open.length >= OPEN_MAX) throw new Problem('stock_take_full');
    if (known) {
      known.units += units;
      known.state = state;
      known.found = found;
    } else this.open.unshift({ code, units, state, found });
    this.startedAt ||= Date.now();
    this.save();
  }

  /** @param {string} code @returns {OpenCode | undefined} */
  take(code) {
    const one = this.open.find((open) => open.code === code);
    this.open = this.open.filter((open) => open !== one);
    this.save();
    return one;
  }

  differences() {
    return this.counted.filter(({ counted, expected }) => counted !== expected);
  }

  /** Begins to apply the count, or goes on with what was begun. @returns {Sending} */
  begin() {
    if (this.sending) return this.sending;
    /** @type {Map<string, ProductEdit>} */
    const products = new Map();
    for (const { product, variant, expected, counted } of this.differences()) {
      const edit = products.get(product) ?? { product, variants: [] };
      edit.variants.push({ variant, stock: { from: expected, to: counted } });
      products.set(product, edit);
    }
    this.sending = { key: newKey(), body: { source: 'stock_take', rows: 'good', products: [...products.values()] } };
    this.save();
    return this.sending;
  }

  /** Nothing of what was sent was done. */
  refuse() {
    this.sending = null;
    this.save();
  }

  /**
   * Takes what became of the count: what is done is forgotten, and what was refused stays with the reason.
   * @param {BulkEditResult} result
   * @returns {{ saved: number, refused: number }} variants
   */
  finish(result) {
    const sent = this.sending?.body.products ?? [];
    /** @type {Map<string, ImportProblem>} */
    const problems = new Map();
    let [row, saved, refused] = [1, 0, 0];
    for (const [at, { variants }] of sent.entries()) {
      const { state, problems: found } = result.products[at];
      if (state !== 'refused') saved += variants.length;
      else {
        refused += variants.length;
        const [first] = found;
        for (const [n, { variant }] of variants.entries()) {
          problems.set(variant, found.find((one) => one.row === row + n) ?? first);
        }
      }
      row += variants.length;
    }
    this.counted = this.counted.filter(({ variant }) => problems.has(variant));
    for (const one of this.counted) one.problem = problems.get(one.variant);
    this.sending = null;
    this.save();
    return { saved, refused };
  }
}
