// The market of the shop: the countries to which it delivers. A form of its own in the settings, and a part of the set-up of a new shop.

import { countryName } from '../address.js';
import { call } from '../api.js';
import { lang, locale, refusalText, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { CountryPicker } from './country_picker.js';

/** @import { Market, Refusal, ShopSettings } from '../types.d.ts' */

/** More countries than that are counted. */
const NAMED_MAX = 6;

/**
 * @param {Market} before
 * @returns {{ node: HTMLElement, isChanged: () => boolean }}
 */
export function marketForm(before) {
  let saved = JSON.stringify(before.countries);
  const picker = new CountryPicker(before.countries);
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'market-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    setText(alert, refusalText(refusal));
    setVisible(alert, true);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': 'market-save' }, t('save'));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    if (!picker.check()) return;
    const send = async () => {
      const body = { market: { countries: picker.codes } };
      /** @type {ShopSettings} */
      const { market } = await call('PATCH', '/shop/settings', { body });
      saved = JSON.stringify(market.countries);
      toast(t('settings.saved'), { kind: 'good', test: 'market-saved' });
    };
    withBusy(submit, send, showRefusal);
  };
  const node = el(
    'form.desk-form',
    { noValidate: true, onsubmit: save, 'data-test': 'market-form' },
    el('h2', {}, t('market.title')),
    el('p.fine', {}, t('market.about')),
    picker.node,
    alert,
    el('div.actions', {}, submit),
  );
  return { node, isChanged: () => JSON.stringify(picker.codes) !== saved };
}

/** Where a shop delivers, in words. @param {string[]} codes */
function inWords(codes) {
  if (!codes.length) return t('market.delivers_everywhere');
  if (codes.length > NAMED_MAX) return t('market.delivers_to_many', { n: codes.length });
  const names = codes.map(countryName).sort((a, b) => a.localeCompare(b, lang));
  const countries = new Intl.ListFormat(locale, { type: 'conjunction' }).format(names);
  return t('market.delivers_to', { countries });
}

/**
 * The market in the set-up: a new shop begins with its own country, which follows the choice of the country until somebody changes the
 * market.
 * @param {Market} before
 * @param {boolean} isNew the shop has nothing yet; otherwise its market stays
 */
export function marketOfNewShop(before, isNew) {
  let isChosen = !isNew || before.countries.length > 0;
  const words = el('p', { role: 'status', 'data-test': 'market-words' });
  const place = el('div', { hidden: true });
  const onchange = () => {
    isChosen = true;
    paint();
  };
  let picker = new CountryPicker(before.countries, onchange);
  /** Before a country was chosen there is none to name. */
  const paint = () => {
    const isKnown = isChosen || picker.codes.length > 0;
    setText(words, isKnown ? inWords(picker.codes) : t('market.begins_own'));
    if (!picker.node.isConnected) place.replaceChildren(picker.node);
  };
  const open = () => {
    setVisible(place, Boolean(place.hidden));
    change.setAttribute('aria-expanded', String(!place.hidden));
  };
  const props = { type: 'button', 'aria-expanded': 'false', 'data-test': 'market-change', onclick: open };
  const change = el('button.slim', props, t('market.change'));
  paint();
  return {
    node: el(
      'fieldset.market-begins',
      { 'data-test': 'market-begins' },
      el('legend', {}, t('market.title')),
      el('div.desk-head', {}, words, change),
      place,
    ),
    /** @param {string} country the shop is there now */
    follow: (country) => {
      if (isChosen || !country) return;
      picker = new CountryPicker([country], onchange);
      paint();
    },
    /** What the server takes; null: something is wrong, and is marked. */
    read: () => {
      if (picker.check()) return { countries: picker.codes };
      if (place.hidden) open();
      picker.search.focus();
      return null;
    },
  };
}
