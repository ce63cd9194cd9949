// The delivery address: the form in the checkout, and the lines that show an address.
//
// The server keeps it with the order, where the buyer can delete it. Only if the box is ticked, it is also kept for the next
// purchase: in the account, or for a guest on this device, which shows it only to the person who typed it.

import { del, get, put } from './api.js';
import { lang, t } from './i18n.js';
import { currentPerson } from './identity.js';
import { showUnreachable } from './lazy.js';
import { el, setVisible } from './ui.js';

/** @import { Address, Person } from './types.d.ts' */

/** Followed by the id of the person. */
const SLOT = 'livesouk.address.';
/** Before, one address belonged to everybody on this device. Nobody knows whose it was. */
const SHARED_SLOT = 'livesouk.address';
// ISO 3166-1 alpha-2. The names come from the browser.
// prettier-ignore
export const COUNTRIES = 'AD AE AF AG AI AL AM AO AR AS AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK HN HR HT HU ID IE IL IN IQ IR IS IT JM JO JP KE KG KH KI KM KN KP KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PS PT PW PY QA RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VN VU WS YE ZA ZM ZW'.split(' ');
/** The country to which a shop with this currency most likely delivers. @type {Record<string, string>} */
// prettier-ignore
const HOME_COUNTRY = { SAR: 'SA', AED: 'AE', KWD: 'KW', QAR: 'QA', BHD: 'BH', OMR: 'OM', EGP: 'EG', JOD: 'JO', IDR: 'ID', MYR: 'MY', SGD: 'SG', USD: 'US', GBP: 'GB' };

const countryNames = new Intl.DisplayNames([lang], { type: 'region' });
/** @param {string} code */
export function countryName(code) {
  try {
    return countryNames.of(code) ?? code;
  } catch {
    // It is not a code that the browser accepts.
    return code;
  }
}

/** The fields: what the browser fills in, and the length that the server accepts. */
const FIELDS = /** @type {const} */ ({
  name: { autocomplete: 'shipping name', required: true, maxLength: 80 },
  line1: { autocomplete: 'shipping address-line1', required: true, maxLength: 120 },
  line2: { autocomplete: 'shipping address-line2', maxLength: 120 },
  city: { autocomplete: 'shipping address-level2', required: true, maxLength: 80 },
  postcode: { autocomplete: 'shipping postal-code', maxLength: 16 },
  region: { autocomplete: 'shipping address-level1', maxLength: 80 },
  phone: { autocomplete: 'shipping tel', maxLength: 40, type: 'tel', inputMode: 'tel', dir: 'ltr' },
  email: { autocomplete: 'email', maxLength: 254, type: 'email', inputMode: 'email', dir: 'ltr' },
});

/** A control with its row and the line for its error. */
class AddressField {
  /**
   * @param {string} name
   * @param {HTMLInputElement | HTMLSelectElement} control
   * @param {boolean} isRequired
   */
  constructor(name, control, isRequired) {
    this.control = control;
    this.isRequired = isRequired;
    this.error = el('p.field-error', {
      id: `address-${name}-error`,
      hidden: true,
      'data-test': `error-address-${name}`,
    });
    control.addEventListener('input', () => this.setError(''));
    const optional = !isRequired && el('small', {}, ` ${t('address.optional')}`);
    this.root = el(
      'div.field',
      {},
      el('label', { for: control.id }, t(`address.${name}`), optional),
      control,
      this.error,
    );
  }

  get value() {
    return this.control.value.trim();
  }

  /** @param {string} text */
  setError(text) {
    setVisible(this.error, Boolean(text));
    this.error.textContent = text;
    if (text) this.control.setAttribute('aria-invalid', 'true');
    else this.control.removeAttribute('aria-invalid');
  }
}

export class AddressForm {
  /**
   * @param {string} currency
   * @param {boolean} hasEmails whether the shop sends e-mails: only then it asks where to
   * @param {string[]} [served] the countries to which the shop delivers; empty: all
   */
  constructor(currency, hasEmails, served = []) {
    this.served = served;
    /** The saved address is in a country to which the shop does not deliver. */
    this.isElsewhere = false;
    this.person = currentPerson();
    const stored = storedAddress(this.person);
    /** A guest has nothing but a name in one browser. */
    this.hasAccount = this.person !== null && !this.person.sub.startsWith('guest:');
    this.isSaved = false;
    this.isTouched = false;
    /** @param {keyof typeof FIELDS} name */
    const input = (name) => {
      const { required = false, ...props } = /** @type {{ required?: boolean }} */ (FIELDS[name]);
      const id = `address-${name}`;
      const aria = { 'aria-describedby': `${id}-error`, 'data-test': id };
      const control = el('input', { id, name, type: 'text', dir: 'auto', required, ...aria, ...props });
      return new AddressField(name, control, required);
    };
    this.fields = {
      name: input('name'),
      line1: input('line1'),
      line2: input('line2'),
      city: input('city'),
      postcode: input('postcode'),
      region: input('region'),
      country: new AddressField('country', countrySelect(served), true),
      phone: input('phone'),
      email: input('email'),
    };
    this.hasEmails = hasEmails;
    const { name, line1, line2, city, postcode, region, country, phone, email } = this.fields;
    const keep = this.hasAccount ? 'address.save' : 'address.keep';
    this.keep = el('input', {
      type: 'checkbox',
      id: 'address-keep',
      checked: Boolean(stored),
      'data-test': 'address-keep',
    });
    this.root = el(
      'fieldset.address',
      { 'data-test': 'address' },
      el('legend', {}, t('address.title')),
      this.person && el('p.buying-as', { 'data-test': 'buying-as' }, t('address.buyer', { name: this.person.name })),
      name.root,
      line1.root,
      line2.root,
      el('div.pair', {}, city.root, postcode.root),
      el('div.pair', {}, region.root, country.root),
      phone.root,
      hasEmails && email.root,
      el('label.tick', { for: 'address-keep' }, this.keep, el('span', {}, t(keep))),
    );
    this.root.addEventListener('input', () => (this.isTouched = true));
    const home = served.length === 1 ? served[0] : HOME_COUNTRY[currency];
    // Of several countries none is guessed: the first of the list is nobody's choice.
    if (home || served.length) country.control.value = home ?? '';
    if (stored) this.fill(stored);
    if (this.hasAccount) void this.loadSaved();
    else this.root.dataset.loaded = 'true';
  }

  /** The address of the account, which may come from another device. It replaces nothing that was typed meanwhile. */
  async loadSaved() {
    const saved = await get('/me/address').catch(() => null); // Then it is typed again.
    this.root.dataset.loaded = 'true';
    // Who has begun to type replaces the saved address only by ticking the box.
    if (!saved || this.isTouched) return;
    this.isSaved = true;
    for (const field of Object.values(this.fields)) {
      if (field.control instanceof HTMLInputElement) field.control.value = '';
      field.setError('');
    }
    this.keep.checked = true;
    this.fill(saved);
  }

  /** @param {Partial<Address>} address */
  fill({ name, lines = [], city, region, postcode, country, phone, email }) {
    const [line1, ...more] = lines;
    const place = { line1, line2: more.join(', '), city, region, postcode, country };
    this.isElsewhere = false;
    this.root.querySelector('.elsewhere')?.remove();
    if (country && this.served.length && !this.served.includes(country)) {
      this.isElsewhere = true;
      this.keep.checked = false;
      import('./served_countries.js').then((part) => part.showElsewhere(this, country), showUnreachable);
    }
    const values = { name, ...(this.isElsewhere ? {} : place), phone, email };
    for (const [key, value] of Object.entries(values)) {
      if (value) this.fields[/** @type {keyof AddressForm['fields']} */ (key)].control.value = value;
    }
  }

  /** @returns {Address} */
  value() {
    const { name, line1, line2, city, region, postcode, country, phone, email } = this.fields;
    return {
      name: name.value,
      lines: [line1.value, line2.value].filter(Boolean),
      city: city.value,
      region: region.value || null,
      postcode: postcode.value || null,
      country: country.value,
      phone: phone.value || null,
      // The language of the page is that of the e-mails.
      ...(this.hasEmails && email.value ? { email: email.value, language: lang } : {}),
    };
  }

  /** The address, or null; then every error is shown, and the first wrong field has the focus. */
  checked() {
    const wrong = Object.values(this.fields).filter((field) => field.isRequired && !field.value);
    for (const field of wrong) field.setError(t('address.missing'));
    const { phone, email } = this.fields;
    if (phone.value && !isPhone(phone.value)) {
      phone.setError(t('address.bad_phone'));
      wrong.push(phone);
    }
    if (this.hasEmails && email.value && !isEmail(email.value)) {
      email.setError(t('address.bad_email'));
      wrong.push(email);
    }
    if (wrong.length) {
      wrong[0].control.focus();
      return null;
    }
    this.store();
    return this.value();
  }

  store() {
    const isKept = this.keep.checked;
    // A saved address elsewhere is useful in other shops: only another one that is to be saved takes its place.
    if (!this.person || (this.isElsewhere && !isKept)) return;
    this.isElsewhere = false;
    if (this.hasAccount && (isKept || this.isSaved)) {
      // The purchase does not wait for it, and does not fail with it.
      const saving = isKept ? put('/me/address', this.value()) : del('/me/address');
      saving.then(
        () => (this.isSaved = isKept),
        () => {},
      );
    }
    try {
      const slot = SLOT + this.person.sub;
      if (isKept && !this.hasAccount) localStorage.setItem(slot, JSON.stringify(this.value()));
      else localStorage.removeItem(slot);
    } catch {
      // Private mode: nothing is kept, as if the box were not ticked.
    }
  }
}

/** 5 to 20 digits of any script, and the usual signs between them. @param {string} text */
function isPhone(text) {
  const digits = (text.match(/\p{Nd}/gu) ?? []).length;
  return digits >= 5 && digits <= 20 && !/[^\p{Nd}+() .-]/u.test(text);
}

/** A first look; the server decides. @param {string} text */
function isEmail(text) {
  return /^[^\s@<>,"]+@[^\s@<>,"]+\.[a-z0-9-]{2,}$/i.test(text);
}

/** @param {string[]} served */
function countrySelect(served) {
  const id = 'address-country';
  const aria = { 'aria-describedby': `${id}-error`, 'data-test': id };
  return el('select', { id, name: 'country', autocomplete: 'country', ...aria }, countryOptions(served));
}

/** @param {string[]} served the countries to which the shop delivers; empty: all */
export function countryOptions(served) {
  const countries = (served.length ? served : COUNTRIES).map((code) => ({ code, name: countryName(code) }));
  countries.sort((a, b) => a.name.localeCompare(b.name, lang));
  return countries.map(({ code, name }) => new Option(name, code));
}

/**
 * @param {Person | null} person
 * @returns {Address | null}
 */
function storedAddress(person) {
  try {
    localStorage.removeItem(SHARED_SLOT);
    return person && JSON.parse(localStorage.getItem(SLOT + person.sub) ?? 'null');
  } catch {
    return null;
  }
}

/**
 * An address as it is written on a parcel.
 * @param {Address} address
 */
export function addressLines(address) {
  const town = [address.postcode, address.city, address.region].filter(Boolean).join(' ');
  const lines = [address.name, ...address.lines, town, countryName(address.country)];
  return el(
    'address',
    { 'data-test': 'order-address' },
    lines.map((text) => el('bdi', {}, text)),
    address.phone && el('bdi', { dir: 'ltr' }, address.phone),
  );
}
