// One row of the offer form: price, quantity and limit per buyer of one variant.
//
// A flash sale begins at the regular price as its old price, and a percentage sets the new price. The price is what is sent:
// one that is typed wins over the percentage, which then goes empty.

import { decimalsOf, formatMoney, lang, t } from '../i18n.js';
import { writeAmount } from '../number_input.js';
import { el, icon } from '../ui.js';
import { currencySymbol, variantName } from './catalogue_texts.js';
import { field, price, readAll, wholeNumber } from './form.js';
import { lastSaleChoices } from './sale_choices.js';

/** @import { Variant } from '../types.d.ts' */

const QUANTITY_MAX = 1_000_000;
const PER_BUYER_MAX = 1_000;
const PERCENT = /** @type {const} */ ([1, 99]);

/**
 * A price less a percentage, rounded to the smallest unit, and never zero.
 * @param {number} full
 * @param {number} percent
 */
export const reducedPrice = (full, percent) => Math.max(1, Math.round((full * (100 - percent)) / 100));

export class OfferFormRow {
  /**
   * @param {Variant} variant
   * @param {string} suffix added to the names of the fields
   * @param {() => void} onremove
   */
  constructor(variant, suffix, onremove) {
    this.variant = variant;
    this.fields = rowFields(variant, suffix);
    /** @type {'regular' | 'flash'} */
    this.kind = 'regular';
    this.percent = percentField(suffix);
    this.percent.node.hidden = true;
    this.percent.control.addEventListener('input', () => this.usePercent());
    this.fields.price.control.addEventListener('input', () => {
      this.percent.control.value = '';
      this.percent.showError('');
    });
    const remove = { type: 'button', 'aria-label': t('form.drop'), onclick: onremove };
    this.removeButton = el('button.round.ghost', remove, icon('bin'));
    const catalogPrice = el('bdi', {}, formatMoney(variant.price, variant.currency));
    this.root = el(
      'fieldset.offer-form-row',
      {},
      el('legend', {}, el('bdi', {}, variantName(variant)), ' · ', catalogPrice),
      this.removeButton,
      this.percent.node,
      el('div.pair', {}, this.fields.price.node, this.fields.old_price.node),
      el('div.pair', {}, this.fields.quantity.node, this.fields.per_buyer.node),
    );
  }

  /**
   * Fills the prices for a kind of offer. What the host typed before stays only if the kind stays.
   * @param {'regular' | 'flash'} kind
   */
  setKind(kind) {
    if (kind === this.kind) return;
    this.kind = kind;
    const isFlash = kind === 'flash';
    this.percent.node.hidden = !isFlash;
    this.fields.old_price.control.value = isFlash ? this.write(this.variant.price) : '';
    this.percent.control.value = isFlash ? String(lastSaleChoices().percent ?? '') : '';
    if (isFlash) this.usePercent();
    else this.fields.price.control.value = this.write(this.variant.price);
  }

  /** Sets the price to the regular one less the percentage, rounded to the smallest unit, and never to zero. */
  usePercent() {
    const percent = this.percentOff();
    if (percent === null) return;
    this.fields.price.control.value = this.write(reducedPrice(this.variant.price, percent));
    this.fields.price.showError('');
  }

  /** The values to send, or null if a field is wrong. */
  read() {
    const values = readAll(this.fields);
    return this.kind === 'regular' || readAll({ percent: this.percent }) ? values : null;
  }

  /** @returns {number | null} */
  percentOff() {
    const result = this.percent.read();
    return 'value' in result ? result.value : null;
  }

  /** @param {number} minor */
  write(minor) {
    return writeAmount(minor, lang, decimalsOf(this.variant.currency));
  }
}

/** @param {string} suffix */
const percentField = (suffix) =>
  field({
    label: t('form.percent'),
    test: `offer-percent${suffix}`,
    hint: t('form.percent_hint'),
    inputMode: 'numeric',
    check: (text) => (text ? wholeNumber(...PERCENT)(text) : null),
  });

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
        const now = checkPrice(priceField.control.value.trim());
        if (value === now) return null; // Nothing is off, so there is no old price to show.
        if (value < now) throw new Error(t('form.old_price'));
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
      value: lastSaleChoices().per_buyer,
      inputMode: 'numeric',
      check: wholeNumber(1, PER_BUYER_MAX),
    }),
  };
}
