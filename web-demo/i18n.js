// Texts, numbers, money and dates in the language of the reader.
//
// `?lang=` comes first, then the last choice of the reader, then the browser. The texts are in lang/*.js, one file per
// language and part of the pages, and only the chosen ones are loaded. A text is a string, or a map of plural forms that
// `n` selects.

import { queryAll } from './ui.js';

/** @import { Refusal, Titled, TitledVariant } from './types.d.ts' */
/** @typedef {string | Record<string, string>} Text */
/** @typedef {keyof typeof LANGUAGES} Language */

const CHOICE = 'livesouk.lang';
// Shops in Saudi Arabia mostly print Latin digits; `?digits=arab` shows Arabic-Indic digits.
const LANGUAGES = {
  en: { name: 'English', locale: 'en', dir: 'ltr' },
  ar: { name: 'العربية', locale: 'ar-SA-u-ca-gregory-nu-latn', dir: 'rtl' },
  id: { name: 'Bahasa Indonesia', locale: 'id', dir: 'ltr' },
};

const query = new URLSearchParams(location.search);
const wanted = [query.get('lang'), storedChoice(), ...(navigator.languages ?? [])].map((tag) => tag?.slice(0, 2) ?? '');
/** @type {Language} */
export const lang = /** @type {Language | undefined} */ (wanted.find((tag) => tag in LANGUAGES)) ?? 'en';
export const dir = /** @type {'ltr' | 'rtl'} */ (LANGUAGES[lang].dir);
const arabicDigits = query.get('digits') === 'arab' && lang === 'ar';
export const locale = arabicDigits ? 'ar-SA-u-ca-gregory-nu-arab' : LANGUAGES[lang].locale;
/** The languages of the shop; empty: all. @type {string[]} */
let spoken = [];
/** @type {Record<string, Text>} */
const texts = {};
/** Currency → its decimals. A shop has one currency. @type {Map<string, number>} */
const decimals = new Map();
await load();

// The next page has the same language, unless this one shows a document in a language of its own.
if (query.has('lang') && document.body.dataset.language !== 'document') storeChoice(lang);
document.documentElement.lang = lang;
document.documentElement.dir = dir;
// The page knows its language for certain: the server only guessed.
document.documentElement.dataset.lang = lang;

/**
 * Loads more texts, for a part of the pages that not everyone opens: `buy`, `host`, `shop`, `rehearse`, `player`, `desk`, `staff`,
 * `products`, `show`, `bill`, `pages`.
 * @param {string} [part]
 */
export async function load(part) {
  const file = part ? `./lang/${lang}.${part}.js` : `./lang/${lang}.js`;
  Object.assign(texts, (await import(file)).default);
}

/** @param {string} code */
function storeChoice(code) {
  try {
    localStorage.setItem(CHOICE, code);
  } catch {
    // Private mode: the address still carries the choice.
  }
}

function storedChoice() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null;
  }
}

/** The languages of the pages with their own names, for a list. @type {[string, string][]} */
export const LANGUAGE_NAMES = Object.entries(LANGUAGES).map(([code, { name }]) => [code, name]);

const plural = new Intl.PluralRules(locale);
const integers = new Intl.NumberFormat(locale);
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });

/**
 * The text of a key. Inserted strings are isolated, so that an Arabic name cannot reorder an English sentence.
 * @param {string} key
 * @param {Record<string, string | number | null | undefined>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  let text = texts[key];
  if (text === undefined) return key;
  if (typeof text === 'object') text = text[plural.select(Number(values.n))] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? integers.format(value) : `\u2068${value ?? ''}\u2069`;
  });
}

/** @param {string} key */
export const hasText = (key) => key in texts;

/**
 * A refusal as a sentence. A code without a text still gives the sentence of the server.
 * @param {Refusal} refusal
 */
export function refusalText({ code, message, retry_ms, detail }) {
  const key = `error.${code}`;
  if (!hasText(key)) return message && message !== code ? message : t('error.unknown');
  return t(key, { n: Number(detail?.left ?? 0), s: Math.ceil((retry_ms ?? 0) / 1000) });
}

/** @param {number} value */
export const formatNumber = (value) => integers.format(value);
/** @param {number} value */
export const formatCompact = (value) => (value < 10_000 ? integers.format(value) : compact.format(value));

/**
 * @param {number} minor the amount in minor units
 * @param {string} currency
 */
export function formatMoney(minor, currency) {
  const digits = decimalsOf(currency);
  const format = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    trailingZeroDisplay: 'stripIfInteger',
  });
  return format.format(minor / 10 ** digits);
}

/**
 * Remembers what the server says of a currency. Browsers have numbers of their own, and they differ.
 * @param {string} currency
 * @param {number} digits
 */
export const setDecimals = (currency, digits) => decimals.set(currency, digits);
/**
 * How many decimals a currency has: 2 for SAR, 3 for KWD, 0 for JPY.
 * @param {string} currency
 */
export const decimalsOf = (currency) => decimals.get(currency) ?? 2;

/**
 * `03:41` or `1:03:41`. It is always shown in a left-to-right element.
 * @param {number} ms
 */
export function formatDuration(ms) {
  const total = Math.max(0, Math.ceil(ms / 1000));
  const parts = [Math.floor(total / 60) % 60, total % 60].map((part) => twoDigits.format(part));
  const hours = Math.floor(total / 3600);
  return (hours ? [integers.format(hours), ...parts] : parts).join(':');
}

const DATE_TIME = /** @type {const} */ ({
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: 'numeric',
  minute: '2-digit',
});
/** @param {number} ms */
export const formatDateTime = (ms) => new Intl.DateTimeFormat(locale, DATE_TIME).format(ms);
/** @param {number} ms */
export const formatTime = (ms) => new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' }).format(ms);

/**
 * The title of a show, product, offer or order in this language.
 * @param {Titled | null | undefined} thing
 */
export const titleOf = (thing) => thing?.titles?.[lang] ?? thing?.title ?? '';
/** @param {TitledVariant} thing an offer or an order */
export const variantOf = (thing) => thing.variant_names?.[lang] ?? thing.variant_name ?? '';

/** Fills the texts that the HTML names: `data-t` the content, `data-t-label` the accessible name, `data-t-hint` a placeholder,
 * `data-t-empty` what an empty list says. */
export function translate() {
  for (const node of queryAll('[data-t]')) node.textContent = t(node.dataset.t ?? '');
  for (const node of queryAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel ?? ''));
  for (const node of queryAll('[data-t-empty]')) node.dataset.empty = t(node.dataset.tEmpty ?? '');
  for (const node of queryAll('[data-t-hint]')) node.setAttribute('placeholder', t(node.dataset.tHint ?? ''));
}

/** @param {string} code */
const isSpoken = (code) => spoken.length === 0 || spoken.includes(code);

/**
 * Keeps to the languages of the shop. A reader whose language it does not have, or whose browser asks for none of ours, gets the
 * page again in the language of the shop.
 * @param {{ languages: string[], language: string | null }} shop
 */
export function keepToLanguages({ languages, language }) {
  spoken = languages;
  for (const option of queryAll('#lang option')) {
    if (option instanceof HTMLOptionElement && !isSpoken(option.value)) option.remove();
  }
  const fitting = wanted.find((tag) => tag in LANGUAGES && isSpoken(tag)) ?? language ?? languages[0] ?? lang;
  if (fitting === lang || !isSpoken(fitting)) return;
  const url = new URL(location.href);
  url.searchParams.set('lang', fitting);
  location.replace(url);
}

/**
 * Fills the language switch. It is a plain select, because readers must find their language without reading another one.
 * @param {HTMLSelectElement} select
 */
export function languageSwitch(select) {
  for (const [code, { name }] of Object.entries(LANGUAGES)) {
    if (!isSpoken(code)) continue;
    const option = new Option(name, code, false, code === lang);
    option.lang = code;
    select.append(option);
  }
  select.addEventListener('change', () => {
    storeChoice(select.value);
    const url = new URL(location.href);
    url.searchParams.set('lang', select.value);
    location.assign(url);
  });
}
