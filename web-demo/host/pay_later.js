// Whether buyers can pay an offer later: a choice of its form, and a dialog that changes it while the offer is on sale.

import { t } from '../i18n.js';
import { openSheet } from '../sheet.js';
import { el } from '../ui.js';

/** @import { Offer, Shop } from '../types.d.ts' */
/** @typedef {'regular' | 'flash'} Kind */

/**
 * Whether the shop takes payments later at all: without them there is nothing to choose.
 * @param {Shop} shop
 */
export const takesLater = ({ manual_methods = [] }) => manual_methods.length > 0;

/**
 * The choice in a form. What is not chosen is as the shop says.
 * @param {Shop} shop
 */
export function payLaterChoice(shop) {
  const select = el('select', { id: 'offer-pay-later', 'data-test': 'offer-pay-later' });
  return {
    node: el('div', { hidden: !takesLater(shop) }, el('label', { for: select.id }, t('form.pay_later')), select),
    /** @param {Kind} kind */
    setKind: (kind) => {
      const chosen = select.value;
      select.replaceChildren(...optionsOf(kind));
      // A regular offer can be paid later without a word.
      select.value = kind === 'regular' && chosen === 'yes' ? '' : chosen;
    },
    value: () => (select.value ? { pay_later: select.value === 'yes' } : {}),
  };
}

/** @param {Kind} kind */
function optionsOf(kind) {
  const usual = kind === 'flash' ? [option('', 'flash'), option('yes', 'yes')] : [option('', 'yes')];
  return [...usual, option('no', 'no')];
}

/**
 * @param {string} value
 * @param {'yes' | 'no' | 'flash'} text
 */
const option = (value, text) => el('option', { value }, t(`form.pay_later_${text}`));

/**
 * Asks whether an offer can be paid later. Resolves to null when the host closes the dialog; in the answer, null means as the shop says.
 * @param {Offer} offer
 * @param {string} title what the offer is called
 * @returns {Promise<{ pay_later: boolean | null } | null>}
 */
export function askPayLater({ kind, pay_later }, title) {
  return new Promise((resolve) => {
    /** @type {{ pay_later: boolean | null } | null} */
    let answer = null;
    const select = el('select', { id: 'pay-later-choice', 'data-test': 'pay-later-choice' }, optionsOf(kind));
    // An API client may have said of a regular offer what holds for it anyway.
    if (pay_later !== undefined) select.value = pay_later ? (kind === 'flash' ? 'yes' : '') : 'no';
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      answer = { pay_later: select.value ? select.value === 'yes' : null };
      dialog.close();
    };
    const form = el(
      'form',
      { noValidate: true, onsubmit: submit },
      el('p', {}, el('bdi', {}, title)),
      el('p.fine', {}, t('host.pay_later_about')),
      el('div.field', {}, el('label', { for: select.id }, t('form.pay_later')), select),
      el(
        'div.actions',
        {},
        el('button.ghost', { type: 'button', onclick: () => dialog.close() }, t('cancel')),
        el('button.primary', { type: 'submit', 'data-test': 'pay-later-submit' }, t('save')),
      ),
    );
    const options = { title: t('host.pay_later'), test: 'pay-later', className: 'small' };
    const dialog = openSheet(form, { ...options, onclose: () => resolve(answer) });
    select.focus();
  });
}
