// Numbers as people type them: prices and quantities.
//
// The language of the page decides which sign is the decimal sign and which one groups thousands. What can be read in two
// ways is refused with both readings, because a wrong guess would be a price a thousand times too high. The decimals of a
// currency come from the server, never from the browser.

/** @typedef {'en' | 'ar' | 'id'} Language */
/** @typedef {{ whole: string, decimals: string, groups: number }} Parts the digits before and after the decimal sign */
/**
 * Why a number is refused:
 * `digits`: it has something other than digits and signs · `grouping`: signs in wrong places · `decimals`: too many decimals ·
 * `negative` · `too_large` · `readings`: it can be read in another way; `readings` has each way, as this language writes it.
 * @typedef {'digits' | 'grouping' | 'decimals' | 'negative' | 'too_large' | 'readings'} Fault
 */
/** @typedef {{ value: number } | { fault: Fault, readings: string[] }} Parsed */

/** The first sign of each is the one that we write. */
const SIGNS = {
  en: { decimal: '.', grouping: ',' },
  ar: { decimal: '.٫', grouping: ',٬' },
  id: { decimal: ',', grouping: '.' },
};
const GROUP = 3;
/** More digits than this would lose some in a JavaScript number. */
const DIGITS_MAX = 15;
/** Marks of direction, which come along when a number is copied from an Arabic page. */
const DIRECTION_MARKS = /[\u200e\u200f\u061c]/g;

/**
 * Reads a number with at most `decimals` decimals. The value is whole: with 2 decimals, `1.5` gives 150.
 * @param {string} text
 * @param {Language} language the language of the page
 * @param {number} decimals
 * @returns {Parsed}
 */
export function parseNumber(text, language, decimals) {
  const typed = latinDigits(text.replace(DIRECTION_MARKS, '').trim());
  if (/^[-−‐‑–][\d.,٫٬]/.test(typed)) return refusal('negative');
  if (!/^[\d.,٫٬]*\d[\d.,٫٬]*$/.test(typed)) return refusal('digits');
  const parts = split(typed, SIGNS[language]);
  if (parts && parts.decimals.length <= decimals) {
    if (isLikeDecimals(parts, decimals)) {
      return { fault: 'readings', readings: bothReadings(typed, language, decimals) };
    }
    return valueOf(parts, decimals);
  }
  const others = /** @type {Language[]} */ (Object.keys(SIGNS)).map((other) => split(typed, SIGNS[other]));
  const elsewhere = others.filter((other) => other && other.decimals.length <= decimals);
  if (elsewhere.length) {
    const lone = bothReadings(typed, language, decimals);
    const readings = elsewhere.map((other) => other && write(other, language, decimals));
    return { fault: 'readings', readings: lone.length ? lone : [...new Set(readings.filter((one) => one !== null))] };
  }
  return refusal(parts ? 'decimals' : 'grouping');
}

/**
 * A whole number of minor units as this language writes it in a field: without grouping, and without decimals that are zero.
 * @param {number} minor
 * @param {Language} language
 * @param {number} decimals
 */
export function writeAmount(minor, language, decimals) {
  const digits = String(minor).padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const rest = digits.slice(digits.length - decimals);
  return Number(rest) ? `${whole}${SIGNS[language].decimal[0]}${rest}` : whole;
}

/**
 * A number that is valid in this language, as an example: `1,500.25`, or `1,500` where there are no decimals.
 * @param {Language} language
 * @param {number} decimals
 */
export const exampleNumber = (language, decimals) =>
  write({ whole: '1500', decimals: '250'.slice(0, decimals), groups: 1 }, language, decimals);

/**
 * @param {Fault} fault
 * @returns {Parsed}
 */
const refusal = (fault) => ({ fault, readings: [] });

/**
 * Arabic-Indic (٤٩) and Persian (۴۹) digits as Latin ones. They are the same digits in every language.
 * @param {string} text
 */
const latinDigits = (text) =>
  text
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[۰-۹]/g, (digit) => String(digit.charCodeAt(0) - 0x6f0));

/**
 * The parts of a number, or null if the signs of this language do not fit.
 * @param {string} text digits and signs
 * @param {{ decimal: string, grouping: string }} signs
 * @returns {Parts | null}
 */
function split(text, { decimal, grouping }) {
  const [, whole, point, rest] = /** @type {string[]} */ (
    new RegExp(`^([^${decimal}]*)([${decimal}]?)(.*)$`).exec(text)
  );
  if (point ? !/^\d+$/.test(rest) : rest) return null;
  if (/^\d+$/.test(whole) || (point && !whole)) return { whole: whole || '0', decimals: rest, groups: 0 };
  const isRegular = [...grouping].some((sign) => new RegExp(`^[1-9]\\d{0,2}(?:[${sign}]\\d{${GROUP}})+$`).test(whole));
  const digits = whole.replace(/\D/g, '');
  return isRegular ? { whole: digits, decimals: rest, groups: Math.ceil(digits.length / GROUP) - 1 } : null;
}

/**
 * `1,500` KWD: its only sign has as many digits behind it as the currency has decimals.
 * @param {Parts} parts
 * @param {number} decimals
 */
const isLikeDecimals = (parts, decimals) => parts.groups === 1 && !parts.decimals && decimals === GROUP;

/**
 * The two readings of a number whose only sign may group or be the decimal sign. None for any other number.
 * @param {string} text digits and signs
 * @param {Language} language
 * @param {number} decimals
 */
function bothReadings(text, language, decimals) {
  const [, whole, sign, rest] = /^(\d+)([.,٬])(\d+)$/.exec(text) ?? [];
  if (!sign || (sign === '٬' && language !== 'ar')) return [];
  const readings = [
    { whole: whole + rest, decimals: '', groups: 1 },
    { whole, decimals: rest, groups: 0 },
  ];
  return readings.map((parts) => write(parts, language, decimals));
}

/**
 * @param {Parts} parts
 * @param {Language} language
 * @param {number} decimals
 */
function write(parts, language, decimals) {
  const { decimal, grouping } = SIGNS[language];
  const whole = (parts.whole.replace(/^0+(?=\d)/, '') || '0').replace(/\B(?=(?:\d{3})+$)/g, grouping[0]);
  let rest = parts.decimals.padEnd(decimals, '0');
  while (rest.length > decimals && rest.endsWith('0')) rest = rest.slice(0, -1);
  return rest ? `${whole}${decimal[0]}${rest}` : whole;
}

/**
 * @param {Parts} parts
 * @param {number} decimals
 * @returns {Parsed}
 */
function valueOf(parts, decimals) {
  const digits = (parts.whole + parts.decimals.padEnd(decimals, '0')).replace(/^0+/, '');
  return digits.length > DIGITS_MAX ? refusal('too_large') : { value: Number(digits) };
}
