// One row of the offer form: price, quantity and limit per buyer of one variant.

import { decimalsOf, formatMoney, lang, t } from '../i18n.js';
import { writeAmount } from '../number_input.js';
import { el, icon } from '../ui.js';
import { currencySymbol, variantName } from './catalogue_texts.js';
import { field, price, wholeNumber } from './form.js';

/** @import { Variant } from '../types.d.ts' */

const QUANTITY_MAX = 1_000_000;
const PER_BUYER_MAX = 1_000;

export class OfferFormRow {
  /**
   * @param {Variant} variant
   * @param {string} suffix added to the names of the fields
   * @param {() => void} onremove
   */
  constructor(variant, suffix, onremove) {
    this.variant = variant;
    this.fields = rowFields(variant, suffix);
    const remove = { type: 'button', 'aria-label': t('form.drop'), onclick: onremove };
    this.removeButton = el('button.round.ghost', remove, icon('bin'));
    const catalogPrice = el('bdi', {}, formatMoney(variant.price, variant.currency));
    this.root = el(
      'fieldset.offer-form-row',
      {},
      el('legend', {}, el('bdi', {}, variantName(variant)), ' · ', catalogPrice),
      this.removeButton,
      el('div.pair', {}, this.fields.price.node, this.fields.old_price.node),
      el('div.pair', {}, this.fields.quantity.node, this.fields.per_buyer.node),
    );
  }
}

/**
 * @param {Variant} variant
 * @param {string} suffix
 */
function rowFields({ price: catalogPrice, currency, stock = 0 }, suffix) {
  const checkPrice = price(currency);
  const quantity = wholeNumber(1, QUANTITY_MAX);
  const priceField = field({
    label: t('form.price_label', { currency: currencySymbol(currency) }),
    test: `offer-price${suffix}`,
    value: writeAmount(catalogPrice, lang, decimalsOf(currency)),
    check: checkPrice,
    inputMode: 'decimal',
  });
  return {
    price: priceField,
    old_price: field({
      label: t('form.old_price_label'),
      test: `offer-old-price${suffix}`,
      inputMode: 'decimal',
      check: (text) => {
        if (!text) return null;
        const value = checkPrice(text);
        if (value <= checkPrice(priceField.control.value.trim())) throw new Error(t('form.old_price'));
        return value;
      },
    }),
    quantity: field({
      label: t('form.quantity'),
      test: `offer-quantity${suffix}`,
      value: Math.min(20, stock),
      hint: t('host.in_pool', { n: stock }),
      inputMode: 'numeric',
      check: (text) => {
        const value = quantity(text);
        if (value > stock) throw new Error(t('form.above_stock', { n: stock }));
        return value;
      },
    }),
    per_buyer: field({
      label: t('form.per_buyer'),
      test: `offer-per-buyer${suffix}`,
      value: 2,
      inputMode: 'numeric',
      check: wholeNumber(1, PER_BUYER_MAX),
    }),
  };
}
