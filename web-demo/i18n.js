// Words, numbers, money and dates in the reader's language.
//
// `?lang=` wins, then the reader's last choice, then the browser. Texts live in lang/*.js, one file a language, and
// only the chosen one is loaded. A text is a string, or a map of plural forms chosen by `n`.

const CHOICE = 'livesouk.lang';
// Shops in Saudi Arabia mostly print Latin digits; `?digits=arab` shows the other ones.
const LANGUAGES = {
  en: { name: 'English', locale: 'en', dir: 'ltr' },
  ar: { name: 'العربية', locale: 'ar-SA-u-ca-gregory-nu-latn', dir: 'rtl' },
  id: { name: 'Bahasa Indonesia', locale: 'id', dir: 'ltr' },
};

const query = new URLSearchParams(location.search);
const wanted = [query.get('lang'), stored(), ...(navigator.languages ?? [])].map((tag) => tag?.slice(0, 2));
export const lang = wanted.find((tag) => tag in LANGUAGES) ?? 'en';
export const dir = LANGUAGES[lang].dir;
const locale = query.get('digits') === 'arab' && lang === 'ar' ? 'ar-SA-u-ca-gregory-nu-arab' : LANGUAGES[lang].locale;
const texts = {};
await load();

if (query.has('lang')) remember(lang); // so that the next page speaks the same
document.documentElement.lang = lang;
document.documentElement.dir = dir;

/** More texts, for a part of the page that not everybody opens: `buy`, `host`. */
export async function load(part) {
  const file = part ? `./lang/${lang}.${part}.js` : `./lang/${lang}.js`;
  Object.assign(texts, (await import(file)).default);
}

function remember(code) {
  try { localStorage.setItem(CHOICE, code); } catch { /* private mode: the address still carries it */ }
}

function stored() {
  try { return localStorage.getItem(CHOICE); } catch { return null; }
}

const plural = new Intl.PluralRules(locale);
const integers = new Intl.NumberFormat(locale);
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });

/** The text of a key. Strings put into it are isolated, so an Arabic name cannot turn an English sentence around. */
export function t(key, values = {}) {
  let text = texts[key];
  if (text === undefined) return key;
  if (typeof text === 'object') text = text[plural.select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? integers.format(value) : `\u2068${value ?? ''}\u2069`;
  });
}

export const known = (key) => key in texts;

/** A refusal in words; a code we have no words for still says something. */
export function refusal(problem) {
  const key = `error.${problem.code}`;
  if (!known(key)) return problem.message && problem.message !== problem.code ? problem.message : t('error.unknown');
  return t(key, { n: problem.detail?.left ?? 0, s: Math.ceil((problem.retry_ms ?? 0) / 1000) });
}

export const number = (value) => integers.format(value);
export const short = (value) => (value < 10_000 ? integers.format(value) : compact.format(value));

export function money(minor, currency) {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency, trailingZeroDisplay: 'stripIfInteger' });
  return format.format(minor / 10 ** fractionDigits(currency));
}

/** How many decimals a currency has: 2 for SAR, 3 for KWD, 0 for JPY. */
export function fractionDigits(currency) {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
}

/** `03:41`, or `1:03:41`; always shown inside a left-to-right island. */
export function clock(ms) {
  const total = Math.max(0, Math.ceil(ms / 1000));
  const parts = [Math.floor(total / 60) % 60, total % 60].map((part) => twoDigits.format(part));
  const hours = Math.floor(total / 3600);
  return (hours ? [integers.format(hours), ...parts] : parts).join(':');
}

export const dateTime = (ms) =>
  new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' }).format(ms);
export const timeOfDay = (ms) => new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' }).format(ms);

/** The title of a show, product or offer in this language. */
export const titleOf = (thing) => thing?.titles?.[lang] ?? thing?.title ?? '';
export const variantOf = (thing) => thing?.names?.[lang] ?? thing?.variant_names?.[lang] ?? thing?.name ?? thing?.variant_name ?? '';

/** Fills the texts written in HTML: `data-t` the content, `data-t-label` the accessible name, `data-t-hint` a placeholder. */
export function translate(root = document) {
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
  for (const node of root.querySelectorAll('[data-t-hint]')) node.placeholder = t(node.dataset.tHint);
}

/** The language switch: a plain select, because a reader must find their language without reading ours. */
export function languageSwitch(select) {
  for (const [code, { name }] of Object.entries(LANGUAGES)) {
    const option = new Option(name, code, false, code === lang);
    option.lang = code;
    select.append(option);
  }
  select.addEventListener('change', () => {
    remember(select.value);
    const url = new URL(location.href);
    url.searchParams.set('lang', select.value);
    location.assign(url);
  });
}
