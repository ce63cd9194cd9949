// What the checkout says to a buyer whose address is in a country to which the shop does not deliver. It is loaded only then.

import { countryName, countryOptions } from './address.js';
import { lang, load, locale, t } from './i18n.js';
import { el } from './ui.js';

/** @import { AddressForm } from './address.js' */

await load('market');

/** More countries than that are counted: the list of the form has their names. */
const NAMED_MAX = 12;

/** @param {string[]} served */
function deliversTo(served) {
  if (served.length > NAMED_MAX) return t('address.delivers_to_many', { n: served.length });
  const names = served.map(countryName).sort((a, b) => a.localeCompare(b, lang));
  return t('address.delivers_to', { countries: new Intl.ListFormat(locale, { type: 'conjunction' }).format(names) });
}

/**
 * The saved address is elsewhere, so its place was not filled in.
 * @param {AddressForm} form
 * @param {string} country of the saved address
 */
export function showElsewhere(form, country) {
  // Another address may have been filled in meanwhile.
  if (!form.isElsewhere) return;
  const text = `${t('address.elsewhere', { country: countryName(country) })} ${deliversTo(form.served)}`;
  const note = el('p.fine.elsewhere', { role: 'status', 'data-test': 'address-elsewhere' }, text);
  form.fields.name.root.before(note);
}

/**
 * The server has refused the country: the list has the countries of now, and the buyer chooses again.
 * @param {AddressForm} form
 * @param {string[]} served the countries to which the shop delivers now
 */
export function showNotServed(form, served) {
  const { control } = form.fields.country;
  const chosen = control.value;
  form.served = served;
  control.replaceChildren(...countryOptions(served));
  // Where what was typed is elsewhere, no country is chosen for the buyer.
  control.value = served.includes(chosen) ? chosen : '';
  form.fields.country.setError(deliversTo(served));
}
