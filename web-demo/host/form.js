// Form fields that say what is wrong beside the field.

import { decimalsOf, formatMoney, lang, t } from '../i18n.js';
import { exampleNumber, parseNumber } from '../number_input.js';
import { el } from '../ui.js';

/** @import { Refusal } from '../types.d.ts' */

/**
 * A field: `check` turns its text into the value, or throws an Error whose message is shown under the field.
 * @template T
 * @typedef {{
 *   node: HTMLElement,
 *   control: HTMLInputElement,
 *   read: () => { value: T } | { error: true },
 *   showError: (text: string) => void,
 * }} Field
 */

let ids = 0;

/**
 * @template T
 * @param {{ label: string, test: string, check: (text: string) => T, value?: string | number, hint?: string,
 *   [property: string]: unknown }} options the rest are properties of the input
 * @returns {Field<T>}
 */
export function field({ label, test, check, value = '', hint, ...input }) {
  const id = `field-${++ids}`;
  const control = el('input', {
    id,
    type: 'text',
    dir: input.inputMode ? undefined : 'auto',
    value: String(value),
    'data-test': test,
    'aria-describedby': `${id}-error`,
    ...input,
  });
  const error = el('p.field-error', { id: `${id}-error`, 'data-test': `error-${test}`, hidden: true });
  /** @param {string} text */
  const showError = (text) => {
    error.hidden = !text;
    error.textContent = text;
    if (text) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  };
  /** @returns {{ value: T } | { error: true }} */
  const read = () => {
    try {
      const result = check(control.value.trim());
      showError('');
      return { value: result };
    } catch (fault) {
      showError(fault instanceof Error ? fault.message : String(fault));
      return { error: true };
    }
  };
  control.addEventListener('change', read);
  control.addEventListener('input', () => {
    if (!error.hidden) read();
  });
  const node = el('div.field', {}, el('label', { for: id }, label), control, hint && el('small', {}, hint), error);
  return { node, control, read, showError };
}

/** @template F @typedef {{ [Name in keyof F]: F[Name] extends Field<infer T> ? T : never }} Values */

/**
 * Reads all fields, so that every mistake is marked. Returns null and focuses the first wrong field if there is one.
 * @template {Record<string, Field<any>>} F
 * @param {F} fields
 * @returns {Values<F> | null}
 */
export function readAll(fields) {
  /** @type {Record<string, unknown>} */
  const values = {};
  /** @type {Field<unknown> | null} */
  let wrong = null;
  for (const [name, one] of Object.entries(fields)) {
    const result = one.read();
    if ('error' in result) wrong ??= one;
    else values[name] = result.value;
  }
  wrong?.control.focus();
  return wrong ? null : /** @type {Values<F>} */ (values);
}

/**
 * Shows what the server refused beside its field. Returns false when the refusal is about none of the fields.
 * @param {Record<string, Field<any>>} fields
 * @param {Refusal} refusal
 * @param {string} text
 */
export function showFieldError(fields, refusal, text) {
  const one = fields[String(refusal.detail?.field)];
  one?.showError(text);
  one?.control.focus();
  return Boolean(one);
}

// ---- Checks ----

/** @param {string} text */
export const anyText = (text) => text;

/** @param {string} text */
export const required = (text) => {
  if (!text) throw new Error(t('form.required'));
  return text;
};

/**
 * @param {number} min
 * @param {number} max
 */
export const wholeNumber = (min, max) => (/** @type {string} */ text) => {
  const outside = () => new Error(t('form.between', { min, max }));
  if (!text) throw outside();
  const parsed = parseNumber(text, lang, 0);
  if ('fault' in parsed) throw numberError(parsed, 0) ?? outside();
  if (parsed.value < min || parsed.value > max) throw outside();
  return parsed.value;
};

/** The highest price of one unit, in minor units: the server has the same limit. */
const PRICE_MAX = 100_000_000_000;

/**
 * A price in the units of its currency, as minor units.
 * @param {string} currency
 */
export const price = (currency) => (/** @type {string} */ text) => {
  const digits = decimalsOf(currency);
  if (!text) throw new Error(t('form.price'));
  const parsed = parseNumber(text, lang, digits);
  if ('fault' in parsed) {
    const isDecimals = parsed.fault === 'decimals';
    if (isDecimals) throw new Error(digits ? t('form.decimals', { n: digits }) : t('form.no_decimals'));
    if (parsed.fault !== 'too_large') throw numberError(parsed, digits) ?? new Error(t('form.price'));
  } else if (parsed.value < 1) throw new Error(t('form.price'));
  else if (parsed.value <= PRICE_MAX) return parsed.value;
  throw new Error(t('form.price_max', { max: formatMoney(PRICE_MAX, currency) }));
};

/**
 * What is wrong with the way a number is written. Null: its value is wrong, and the field knows which values are right.
 * @param {{ fault: string, readings: string[] }} parsed
 * @param {number} digits
 */
function numberError({ fault, readings: [first, second] }, digits) {
  const example = exampleNumber(lang, digits);
  if (fault === 'digits') return new Error(t('form.digits', { example }));
  if (fault === 'grouping') return new Error(t('form.grouping', { example }));
  if (fault !== 'readings') return null;
  return new Error(second ? t('form.two_readings', { first, second }) : t('form.one_reading', { first }));
}

/**
 * The address of a picture or a video, or null.
 * @param {string} text
 */
export const webAddress = (text) => {
  if (!text) return null;
  if (!/^(https?:\/\/|\/)\S+$/.test(text)) throw new Error(t('form.address'));
  return text;
};

/**
 * The address of a picture, or null. The pages load pictures over HTTPS only, so another one would never be seen.
 * @param {string} text
 */
export const pictureAddress = (text) => {
  if (/^http:\/\//i.test(text)) throw new Error(t('form.plain_http'));
  return webAddress(text);
};

/** @param {number} n */
const twoDigits = (n) => String(n).padStart(2, '0');

/**
 * A time as `datetime-local` wants it, in the time zone of the reader.
 * @param {number} ms
 */
export function localTime(ms) {
  const at = new Date(ms);
  const date = [at.getFullYear(), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
  return `${date}T${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
}

/**
 * A time in the future by the clock of the server.
 * @param {() => number} now
 */
export const futureTime = (now) => (/** @type {string} */ text) => {
  const at = new Date(text).getTime();
  if (!text || Number.isNaN(at)) throw new Error(t('form.required'));
  if (at <= now()) throw new Error(t('form.past'));
  return at;
};
