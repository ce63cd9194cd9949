// An offer as people see it: its phase by the clock of the server, and the texts and parts that show it.
//
// The server sends `countdown`, `open` and `closed`. Between two frames the clock decides, so that a card opens and
// closes on the second, even when the frame that says so is still on its way.

import { formatMoney, t, titleOf, variantOf } from './i18n.js';
import { el, setText } from './ui.js';

/** @import { Offer, OfferAction, Phase, Shop, StockAlertState, TitledVariant } from './types.d.ts' */

const LOW_SHARE = 0.1;

/**
 * @param {Offer} offer
 * @param {number} now
 * @returns {Phase}
 */
export function phaseOf(offer, now) {
  if (offer.status === 'draft') return 'draft';
  if (offer.status === 'closed' || (offer.closes_at && offer.closes_at <= now)) return 'ended';
  if (offer.status === 'paused') return 'paused';
  if (offer.status === 'sold_out' || offer.status === 'sold_out_for_now') return offer.status;
  if (offer.opens_at && now < offer.opens_at) return 'soon';
  if (offer.left <= 0) return 'sold_out_for_now';
  return offer.left <= offer.quantity * LOW_SHARE ? 'low' : 'live';
}

/** @param {Phase} phase */
export const canBuy = (phase) => phase === 'live' || phase === 'low';
/** @param {Phase} phase */
export const isSoldOut = (phase) => phase === 'sold_out' || phase === 'sold_out_for_now';

/**
 * The milliseconds that the clock beside an offer counts down, or null.
 * @param {Offer} offer
 * @param {number} now
 */
export function countdownOf(offer, now) {
  const phase = phaseOf(offer, now);
  if (phase === 'soon' && offer.opens_at) return offer.opens_at - now;
  if (phase !== 'ended' && phase !== 'draft' && offer.closes_at) return offer.closes_at - now;
  return null;
}

/** @param {TitledVariant} thing an offer, an order, or a line of the report */
export function fullTitle(thing) {
  const variant = variantOf(thing);
  // The dot stays with the title when the line breaks.
  return variant ? `${titleOf(thing)}\u00a0· ${variant}` : titleOf(thing);
}

/** @typedef {{ phase: Phase, left: string, button: string, act: OfferAction, can: boolean }} OfferTexts */

/**
 * The texts of the stock line and of the button, in one place for the card, the product list and the product sheet.
 * With `alerts` readers can ask for a stock alert where nothing is left.
 * @param {Offer} offer
 * @param {number} now
 * @param {boolean} stale the connection is down, so the numbers may be old
 * @param {StockAlertState} [alerts]
 * @returns {OfferTexts}
 */
export function offerTexts(offer, now, stale, alerts) {
  const phase = phaseOf(offer, now);
  const left = {
    draft: '',
    soon: t('offer.units', { n: offer.quantity }),
    live: t('offer.left', { n: offer.left }),
    low: t('offer.low', { n: offer.left }),
    paused: t('offer.paused'),
    sold_out_for_now: t('offer.all_reserved'),
    sold_out: t('offer.sold_out'),
    ended: t('offer.ended'),
  }[phase];
  const button = {
    draft: t('buy'),
    soon: t('offer.soon'),
    live: t('buy'),
    low: t('buy'),
    paused: t('offer.paused_short'),
    sold_out_for_now: t('offer.all_reserved_short'),
    sold_out: t('offer.sold_out'),
    ended: t('offer.ended_short'),
  }[phase];
  if (!alerts || !isSoldOut(phase)) return { phase, left, button, act: 'buy', can: canBuy(phase) && !stale };
  const people = alerts.people ? ` · ${t('stock_alert.people', { n: alerts.people })}` : '';
  const short = phase === 'sold_out_for_now' && people ? t('offer.all_reserved_short') : left;
  return {
    phase,
    left: short + people,
    button: t(alerts.mine ? 'stock_alert.added' : 'stock_alert.add'),
    act: alerts.mine ? 'remove_stock_alert' : 'add_stock_alert',
    can: !stale,
  };
}

/**
 * Paints the button of an offer with what a press does now: buy, or ask for a stock alert.
 * @param {HTMLButtonElement} node
 * @param {Pick<OfferTexts, 'button' | 'act' | 'can'>} texts
 */
export function paintOfferButton(node, { button, act, can }) {
  setText(node, button);
  node.disabled = !can;
  node.dataset.act = act;
  if (act === 'buy') node.removeAttribute('aria-pressed');
  else node.setAttribute('aria-pressed', String(act === 'remove_stock_alert'));
}

/**
 * The price, and the old one struck through. `bdi` keeps "SAR 49" together inside an Arabic line.
 * @param {Offer} offer
 */
export function priceTag(offer) {
  const { price, old_price, currency } = offer;
  const isCheaper = old_price !== null && old_price > price;
  return el(
    'span.prices',
    {},
    el('bdi.price', {}, breakable(formatMoney(price, currency))),
    isCheaper &&
      el(
        's.old-price',
        {},
        el('span.for-reader', {}, t('offer.before')),
        el('bdi', {}, breakable(formatMoney(old_price, currency))),
      ),
  );
}

/** @typedef {Pick<Shop, 'tax_bp' | 'tax_included' | 'delivery_fee' | 'delivery_free_from'>} Charges */
/** What the shop charges besides its prices. @type {Charges} */
let charges = { tax_bp: 0, tax_included: true, delivery_fee: 0, delivery_free_from: 0 };

/** @param {Charges} shop */
export function setCharges(shop) {
  charges = shop;
}

/** The tax that is added to an amount, rounded half up as the server does. @param {number} amount */
const addedTax = (amount) => Number((2n * BigInt(amount) * BigInt(charges.tax_bp) + 10_000n) / 20_000n);

/**
 * What the price contains, and what is paid besides it: "incl. VAT, delivery SAR 20". Empty where there is nothing to say.
 * @param {Offer} offer
 * @param {number} [qty]
 */
export function priceNote({ price, currency }, qty = 1) {
  const { tax_bp, tax_included, delivery_fee, delivery_free_from } = charges;
  const goods = price * qty;
  const isFree = delivery_free_from > 0 && goods >= delivery_free_from;
  const fee = isFree ? 0 : delivery_fee;
  /** @param {number} amount */
  const money = (amount) => formatMoney(amount, currency);
  const tax =
    tax_bp > 0 &&
    (tax_included ? t('price.tax_included') : t('price.tax_added', { amount: money(addedTax(goods) + addedTax(fee)) }));
  const delivery = delivery_fee > 0 && (fee ? t('price.delivery', { amount: money(fee) }) : t('price.delivery_free'));
  return tax && delivery ? t('price.both', { tax, delivery }) : tax || delivery || '';
}

/**
 * An amount that may break between the currency and the number, where the line has no room for both; never inside the number.
 * @param {string} amount
 */
const breakable = (amount) => amount.replace(/[\u00a0\u202f]/g, ' ');

/**
 * @param {Offer} offer
 * @param {Phase} phase
 */
export function stockBar(offer, phase) {
  const share = offer.quantity ? Math.max(0, Math.min(1, offer.left / offer.quantity)) : 0;
  const fill = el('i');
  fill.style.inlineSize = `${Math.round(share * 100)}%`;
  const bar = el('span.stock-bar', { 'aria-hidden': 'true' }, fill);
  bar.classList.add(phase);
  return bar;
}
