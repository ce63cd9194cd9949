// The settings of the shop as fields: used by the page of the settings and by the set-up.

import { decimalsOf, LANGUAGE_NAMES, lang, locale, t } from '../i18n.js';
import { anyText, field, price, required } from '../host/form.js';
import { exampleNumber, parseNumber, writeAmount } from '../number_input.js';
import { el, setVisible } from '../ui.js';
import { choice, tick } from './choice.js';
import { textArea } from './text_area.js';

/** @import { ShopSettings } from '../types.d.ts' */

const TITLE_MAX = 120;
const TAX_MAX = 50;
const VAT_NUMBER_MAX = 40;
const ADDRESS_LINES_MAX = 6;

/**
 * A name for a code, in the language of the reader; the code itself where the browser has none.
 * @param {'region' | 'currency'} type
 */
function names(type) {
  const known = new Intl.DisplayNames(locale, { type });
  return (/** @type {string} */ code) => known.of(code) ?? code;
}

/** @param {[string, string][]} options */
const sorted = (options) => options.sort(([, a], [, b]) => a.localeCompare(b, locale));

/**
 * A percentage as basis points: `8,1` is 810.
 * @param {string} text
 */
function taxRate(text) {
  const parsed = parseNumber(text || '0', lang, 2);
  if ('fault' in parsed || parsed.value < 0 || parsed.value > TAX_MAX * 100) throw new Error(t('settings.tax_wrong'));
  return parsed.value;
}

/** @param {number} bp */
const percent = (bp) =>
  new Intl.NumberFormat(locale, { maximumFractionDigits: 2, useGrouping: false }).format(bp / 100);

/**
 * @param {ShopSettings} settings
 * @param {{ canChangeCurrency: boolean, isNew?: boolean, oncountry?: (code: string) => void }} options `isNew`: the name is still the
 *   one of the server; `oncountry`: another country was chosen
 */
export function shopForm(settings, { canChangeCurrency, isNew = false, oncountry = () => {} }) {
  const { countries } = settings;
  const [regionName, currencyName] = [names('region'), names('currency')];
  const currencies = [...new Set([settings.currency, ...countries.map(({ currency }) => currency)])];
  const zones = [
    ...new Set([settings.time_zone ?? '', 'UTC', ...timeZones(), ...countries.map(({ time_zone }) => time_zone)]),
  ];
  const fee = (/** @type {string} */ text) => (/^[0٠۰]?$/.test(text) ? 0 : price(settings.currency)(text));
  const typed = (/** @type {number} */ minor) => (minor ? writeAmount(minor, lang, decimalsOf(settings.currency)) : '');
  /** How many decimals another currency has is known once it is saved, so its delivery fee is typed afterwards. */
  const isOtherCurrency = () => isNew || fields.currency.control.value !== settings.currency;
  const followCurrency = () => setVisible(delivery, !isOtherCurrency());
  /** @param {string} code */
  const follow = (code) => {
    oncountry(code);
    // What follows from a country; each of it can be changed afterwards.
    const found = countries.find((country) => country.code === code);
    if (!found) return;
    if (canChangeCurrency) fields.currency.control.value = found.currency;
    fields.language.control.value = found.language;
    fields.time_zone.control.value = found.time_zone;
    fields.tax_bp.control.value = percent(found.tax_bp);
    included.box.checked = found.tax_included;
    followCurrency();
  };
  const fields = {
    title: field({
      label: t('settings.title'),
      test: 'shop-title',
      check: required,
      maxLength: TITLE_MAX,
      value: isNew ? '' : settings.title,
    }),
    title_ar: field({
      label: t('settings.title_ar'),
      test: 'shop-title-ar',
      check: anyText,
      maxLength: TITLE_MAX,
      value: settings.titles.ar ?? '',
    }),
    country: choice({
      label: t('settings.country'),
      test: 'shop-country',
      options: [
        ['', t('settings.choose_country')],
        ...sorted(countries.map(({ code }) => /** @type {[string, string]} */ ([code, regionName(code)]))),
      ],
      value: settings.country ?? '',
      needed: t('form.required'),
      onchange: follow,
    }),
    currency: choice({
      label: t('settings.currency'),
      test: 'shop-currency',
      options: sorted(currencies.map((code) => [code, `${currencyName(code)} (${code})`])),
      value: settings.currency,
      hint: canChangeCurrency ? undefined : t('settings.currency_fixed'),
      onchange: followCurrency,
    }),
    language: choice({
      label: t('settings.language'),
      test: 'shop-language',
      options: LANGUAGE_NAMES,
      value: settings.language ?? lang,
    }),
    time_zone: choice({
      label: t('settings.time_zone'),
      test: 'shop-time-zone',
      options: zones.filter(Boolean).map((zone) => [zone, zone.replaceAll('_', ' ')]),
      value: settings.time_zone ?? 'UTC',
    }),
    tax_bp: field({
      label: t('settings.tax'),
      test: 'shop-tax',
      check: taxRate,
      value: percent(settings.tax_bp),
      inputMode: 'decimal',
      placeholder: exampleNumber(lang, 2),
      hint: t('settings.tax_hint'),
    }),
    delivery_fee: field({
      label: t('settings.delivery_fee', { currency: settings.currency }),
      test: 'shop-delivery-fee',
      check: fee,
      value: typed(settings.delivery_fee),
      inputMode: 'decimal',
      hint: t('settings.delivery_fee_hint'),
    }),
    delivery_free_from: field({
      label: t('settings.delivery_free_from', { currency: settings.currency }),
      test: 'shop-delivery-free-from',
      check: fee,
      value: typed(settings.delivery_free_from),
      inputMode: 'decimal',
      hint: t('settings.delivery_free_from_hint'),
    }),
    legal_name: field({
      label: t('settings.legal_name'),
      test: 'shop-legal-name',
      check: anyText,
      maxLength: TITLE_MAX,
      value: settings.legal_name ?? '',
      autocomplete: 'off',
      hint: t('settings.legal_name_hint'),
    }),
    vat_number: field({
      label: t('settings.vat_number'),
      test: 'shop-vat-number',
      check: anyText,
      maxLength: VAT_NUMBER_MAX,
      value: settings.vat_number ?? '',
      autocomplete: 'off',
      hint: t('settings.vat_number_hint'),
    }),
  };
  const address = textArea({
    label: t('settings.legal_address'),
    test: 'shop-legal-address',
    value: settings.legal_address.join('\n'),
    max: ADDRESS_LINES_MAX * (TITLE_MAX + 1),
    rows: 3,
    hint: t('settings.legal_address_hint'),
  });
  fields.currency.control.disabled = !canChangeCurrency;
  const included = tick({
    label: t('settings.tax_included'),
    test: 'shop-tax-included',
    checked: settings.tax_included,
  });
  const spoken = LANGUAGE_NAMES.map(([code, name]) =>
    tick({
      label: name,
      test: `shop-speaks-${code}`,
      name: code,
      checked: settings.languages.length === 0 || settings.languages.includes(code),
    }),
  );
  const delivery = el('div.pair', {}, fields.delivery_fee.node, fields.delivery_free_from.node);
  followCurrency();
  const noLanguage = el('p.field-error', { hidden: true }, t('settings.one_language'));
  const nodes = [
    fields.title.node,
    lang !== 'ar' && fields.title_ar.node,
    el('div.pair', {}, fields.country.node, fields.currency.node),
    el('div.pair', {}, fields.time_zone.node, fields.language.node),
    el(
      'fieldset.ticks',
      {},
      el('legend', {}, t('settings.languages')),
      spoken.map(({ node }) => node),
      noLanguage,
    ),
    el('div.pair', {}, fields.tax_bp.node, included.node),
    delivery,
    // A new shop has enough to decide.
    !isNew &&
      el(
        'fieldset.seller',
        {},
        el('legend', {}, t('settings.seller')),
        el('div.pair', {}, fields.legal_name.node, fields.vat_number.node),
        address.node,
      ),
  ];
  /** What is sent besides the fields; null: something is wrong. */
  const ticked = () => {
    const languages = spoken.filter(({ box }) => box.checked).map(({ box }) => box.name);
    setVisible(noLanguage, languages.length === 0);
    if (!languages.length) {
      spoken[0].box.focus();
      return null;
    }
    const legal_address = addressLines(address);
    if (!legal_address) return null;
    const free = isOtherCurrency() ? { delivery_fee: 0, delivery_free_from: 0 } : {};
    const chosen = languages.length === spoken.length ? [] : languages;
    return { tax_included: included.box.checked, languages: chosen, legal_address, ...free };
  };
  return { nodes, fields, ticked };
}

/**
 * The values of the form as the server takes them.
 * @param {{ title: string, title_ar: string, country: string, currency: string, language: string, time_zone: string,
 *   tax_bp: number, delivery_fee: number, delivery_free_from: number, legal_name: string, vat_number: string }} values
 * @param {{ tax_included: boolean, languages: string[], legal_address: string[] }} ticked
 * @param {Record<string, string>} titles of other languages, which stay
 */
export function shopRequest({ title_ar, ...values }, ticked, titles) {
  const others = Object.entries(titles).filter(([code]) => code !== 'ar');
  const arabic = title_ar ? [['ar', title_ar]] : [];
  return { ...values, ...ticked, titles: Object.fromEntries([...others, ...arabic]) };
}

/**
 * The lines of an address without empty ones; null: there are too many, or one is too long, and the field says so.
 * @param {ReturnType<typeof textArea>} field
 */
function addressLines({ control, showError }) {
  const lines = control.value.split('\n').map((line) => line.trim());
  const typed = lines.filter(Boolean);
  const isWrong = typed.length > ADDRESS_LINES_MAX || typed.some((line) => [...line].length > TITLE_MAX);
  showError(isWrong ? t('settings.legal_address_wrong') : '');
  if (isWrong) control.focus();
  return isWrong ? null : typed;
}

/** The time zones that the browser knows. */
const timeZones = () => Intl.supportedValuesOf?.('timeZone') ?? [];
