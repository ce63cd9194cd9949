// Where an order goes: the form in the checkout, and the lines that show what was said.
//
// It is kept with the order and can be erased there. On this device it is kept only if the box is ticked.

import { lang, t } from './i18n.js';
import { el, show } from './ui.js';

const SLOT = 'livesouk.address';
// ISO 3166-1, alpha-2; their names come from the browser.
const COUNTRIES = 'AD AE AF AG AI AL AM AO AR AS AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK HN HR HT HU ID IE IL IN IQ IR IS IT JM JO JP KE KG KH KI KM KN KP KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PS PT PW PY QA RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VN VU WS YE ZA ZM ZW'.split(' ');
// Where a shop of this currency most likely delivers.
const HOME = { SAR: 'SA', AED: 'AE', KWD: 'KW', QAR: 'QA', BHD: 'BH', OMR: 'OM', EGP: 'EG', JOD: 'JO', IDR: 'ID', MYR: 'MY', SGD: 'SG', USD: 'US', GBP: 'GB' };

const names = new Intl.DisplayNames([lang], { type: 'region' });
export const countryName = (code) => { try { return names.of(code) ?? code; } catch { return code; } };

export class AddressForm {
  constructor(currency) {
    const known = saved();
    this.fields = {};
    const field = (name, autocomplete, needed, more = {}) => {
      const input = el('input', { id: `address-${name}`, name, type: 'text', dir: 'auto', autocomplete, required: needed, 'data-test': `address-${name}`, 'aria-describedby': `address-${name}-error`, ...more });
      input.addEventListener('input', () => this.wrong(input, ''));
      this.fields[name] = input;
      return this.row(name, input, needed);
    };
    const country = el('select', { id: 'address-country', name: 'country', autocomplete: 'country', 'data-test': 'address-country' },
      COUNTRIES.map((code) => ({ code, name: countryName(code) })).sort((a, b) => a.name.localeCompare(b.name, lang)).map(({ code, name }) => new Option(name, code)));
    this.fields.country = country;
    this.keep = el('input', { type: 'checkbox', id: 'address-keep', checked: Boolean(known), 'data-test': 'address-keep' });
    this.root = el('fieldset.address', { 'data-test': 'address' }, el('legend', {}, t('address.title')),
      field('name', 'shipping name', true, { maxLength: 80 }),
      field('line1', 'shipping address-line1', true, { maxLength: 120 }),
      field('line2', 'shipping address-line2', false, { maxLength: 120 }),
      el('div.pair', {}, field('city', 'shipping address-level2', true, { maxLength: 80 }), field('postcode', 'shipping postal-code', false, { maxLength: 16 })),
      el('div.pair', {}, field('region', 'shipping address-level1', false, { maxLength: 80 }), this.row('country', country, true)),
      field('phone', 'shipping tel', false, { maxLength: 40, type: 'tel', inputMode: 'tel', dir: 'ltr' }),
      el('label.tick', { for: 'address-keep' }, this.keep, el('span', {}, t('address.keep'))));
    this.fill(known ?? { country: HOME[currency] });
  }

  row(name, input, needed) {
    const error = el('p.field-error', { id: `address-${name}-error`, hidden: true, 'data-test': `error-address-${name}` });
    input.error = error;
    return el('div.field', {}, el('label', { for: input.id }, t(`address.${name}`), !needed && el('small', {}, ` ${t('address.optional')}`)), input, error);
  }

  fill({ name = '', lines = [], city = '', region, postcode, country, phone }) {
    const values = { name, line1: lines[0] ?? '', line2: lines.slice(1).join(', '), city, region, postcode, country, phone };
    for (const [key, value] of Object.entries(values)) if (value) this.fields[key].value = value;
  }

  value() {
    const text = (name) => this.fields[name].value.trim();
    const optional = (name) => text(name) || null;
    return {
      name: text('name'), lines: [text('line1'), text('line2')].filter(Boolean), city: text('city'),
      region: optional('region'), postcode: optional('postcode'), country: text('country'), phone: optional('phone'),
    };
  }

  /** The address, or null with the first wrong field in focus. */
  checked() {
    const digits = (this.fields.phone.value.match(/\p{Nd}/gu) ?? []).length;
    const wrong = ['name', 'line1', 'city', 'country'].filter((name) => !this.fields[name].value.trim());
    for (const name of wrong) this.wrong(this.fields[name], t('address.missing'));
    const phone = this.fields.phone.value.trim() && (digits < 5 || digits > 20 || /[^\p{Nd}+() .-]/u.test(this.fields.phone.value.trim()));
    if (phone) { this.wrong(this.fields.phone, t('address.bad_phone')); wrong.push('phone'); }
    if (wrong.length) { this.fields[wrong[0]].focus(); return null; }
    this.remember();
    return this.value();
  }

  wrong(input, text) {
    show(input.error, Boolean(text));
    input.error.textContent = text;
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }

  remember() {
    try {
      if (this.keep.checked) localStorage.setItem(SLOT, JSON.stringify(this.value()));
      else localStorage.removeItem(SLOT);
    } catch { /* private mode: nothing is kept, as if the box were empty */ }
  }
}

function saved() {
  try { return JSON.parse(localStorage.getItem(SLOT)); } catch { return null; }
}

/** What was said, as it stands on a parcel. */
export function addressLines(address) {
  const place = [address.postcode, address.city, address.region].filter(Boolean).join(' ');
  return el('address', { 'data-test': 'order-address' },
    [address.name, ...address.lines, place, countryName(address.country)].map((text) => el('bdi', {}, text)),
    address.phone && el('bdi', { dir: 'ltr' }, address.phone));
}
