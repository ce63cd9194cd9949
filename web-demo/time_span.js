// Time spans in words and to the second: 90 seconds are "1 minute and 30 seconds". A promise about time is never rounded.

/**
 * @param {string} locale
 * @param {number} seconds a whole number
 */
export function timeSpan(locale, seconds) {
  /** @param {'minute' | 'second'} unit @param {number} n */
  const part = (unit, n) => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(n);
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  const parts = [];
  if (minutes) parts.push(part('minute', minutes));
  if (rest || !minutes) parts.push(part('second', rest));
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format(parts);
}
