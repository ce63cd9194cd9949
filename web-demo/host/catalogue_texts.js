// The texts that only the forms of the host console need: the name of a variant, and the sign of a currency.

import { lang, locale } from '../i18n.js';

/** @param {{ name: string, names?: Record<string, string> }} variant a variant of the catalogue */
export const variantName = (variant) => variant.names?.[lang] ?? variant.name;

/**
 * How readers write a currency: `SAR`, or `ر.س.` in Arabic.
 * @param {string} currency
 */
export function currencySymbol(currency) {
  const parts = new Intl.NumberFormat(locale, { style: 'currency', currency }).formatToParts(0);
  return parts.find(({ type }) => type === 'currency')?.value.replace(/[\u200e\u200f]/g, '') ?? currency;
}
