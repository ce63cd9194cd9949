// A row of the product list: one product, its button and its bell. It is made once and repainted in place. Where a product is offered
// in several variants, the row has a list to choose from, and shows the price and the stock of the chosen one.

import { formatDuration, formatMoney, t, titleOf, variantOf } from './i18n.js';
import {
  canBuy,
  countdownOf,
  fullTitle,
  isSoldOut,
  offerTexts,
  paintOfferButton,
  phaseOf,
  priceNote,
  priceTag,
  stockBar,
} from './offer.js';
import { el, icon, picture, setText, setVisible } from './ui.js';

/** @import { Offer, StockAlertState } from './types.d.ts' */
/** @import { Alerts } from './alerts.js' */

/**
 * @typedef {{
 *   alerts: Alerts,
 *   alertsOf: (offer: Offer) => StockAlertState,
 *   onbuy: (offer: Offer) => void,
 *   onopen: (offer: Offer) => void,
 *   onchoice?: () => void,
 * }} RowOptions `onchoice`: another variant is wanted, so the row has to be painted again
 */

export class ProductRow {
  /**
   * @param {Offer} offer
   * @param {RowOptions} options
   */
  constructor(offer, { alerts, alertsOf, onbuy, onopen, onchoice = () => {} }) {
    this.offer = offer;
    this.isPainted = false;
    /** The offer that the reader chose among the variants. @type {string | null} */
    this.chosen = null;
    /** What the list of variants looked like when it was painted. @type {string | null} */
    this.paintedChoice = null;
    this.alerts = alerts;
    this.alertsOf = alertsOf;
    this.title = el('bdi.row-title');
    this.variantText = el('bdi');
    this.variant = el('small', {}, this.variantText);
    this.note = el('small.price-note');
    this.price = el('span');
    this.bar = el('span.bar-slot');
    this.left = el('small.row-left');
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.pinned = el('span.flag', {}, icon('pin'), t('pinned'));
    this.image = el('span');
    const toggleBell = () => alerts.toggleBell(this.offer);
    this.bell = el('button.ghost.round.bell', { type: 'button', onclick: toggleBell }, icon('bell'));
    this.buy = el('button.primary.slim', { type: 'button', onclick: () => onbuy(this.offer) });
    this.choice = el('select.row-variants', { 'aria-label': t('product.variant'), hidden: true });
    this.choice.addEventListener('change', () => {
      this.chosen = this.choice.value;
      onchoice();
    });
    this.root = el(
      'li.offer-row',
      {},
      el(
        'button.row-face',
        { type: 'button', onclick: () => onopen(this.offer) },
        this.image,
        el(
          'span.row-text',
          {},
          this.pinned,
          this.title,
          this.variant,
          el('span.row-line', {}, this.price, this.countdown),
          this.note,
          el('span.row-line', {}, this.bar, this.left),
        ),
      ),
      el('span.row-acts', {}, this.buy, this.bell),
      this.choice,
    );
  }

  /**
   * The offer that the row shows: what the reader chose, else the pinned one, else the first that can be bought.
   * @param {Offer[]} offers
   * @param {number} now
   * @param {string | null} pinned
   */
  shownOf(offers, now, pinned) {
    /** @param {string | null} wanted */
    const having = (wanted) => offers.find(({ id }) => id === wanted);
    return having(this.chosen) ?? having(pinned) ?? offers.find((offer) => canBuy(phaseOf(offer, now))) ?? offers[0];
  }

  /**
   * The variants with their prices; those that cannot be bought say why.
   * @param {Offer[]} offers
   * @param {number} now
   */
  paintChoice(offers, now) {
    setVisible(this.choice, offers.length > 1);
    const print = offers.map((offer) => `${offer.id}${offer.v}${phaseOf(offer, now)}`).join();
    if (offers.length > 1 && print !== this.paintedChoice) {
      this.choice.replaceChildren(
        ...offers.map((offer) => {
          const isGone = !canBuy(phaseOf(offer, now));
          const parts = [variantOf(offer), formatMoney(offer.price, offer.currency)];
          if (isGone) parts.push(offerTexts(offer, now, false).left);
          return new Option(parts.join(' · '), offer.id);
        }),
      );
    }
    this.paintedChoice = print;
    if (this.choice.value !== this.offer.id) this.choice.value = this.offer.id;
  }

  /**
   * @param {Offer[]} offers the variants of one product, or one offer
   * @param {number} now
   * @param {boolean} stale
   * @param {string | null} pinned the offer that is shown now
   */
  paint(offers, now, stale, pinned) {
    const offer = this.shownOf(offers, now, pinned);
    const isPinned = offers.some(({ id }) => id === pinned);
    const texts = offerTexts(offer, now, stale, this.alertsOf(offer));
    const { phase, left } = texts;
    if (offer !== this.offer || !this.isPainted) this.update(offer, texts);
    this.paintChoice(offers, now);
    setVisible(this.variant, offers.length === 1 && Boolean(variantOf(offer)));
    const rest = countdownOf(offer, now);
    setVisible(this.countdown, rest !== null);
    if (rest !== null) setText(this.countdown, formatDuration(rest));
    setVisible(this.pinned, isPinned);
    setText(this.left, left);
    paintOfferButton(this.buy, texts);
    const hasBell = this.alerts.hasBell(offer.id);
    // An offer that is on sale and shown has nothing left to announce; a sold-out one has the stock alert.
    setVisible(this.bell, phase !== 'ended' && !isSoldOut(phase) && !(isPinned && canBuy(phase)));
    this.bell.setAttribute('aria-pressed', String(hasBell));
    this.bell.setAttribute('aria-label', t(hasBell ? 'bell.off' : 'bell.on', { offer: fullTitle(offer) }));
    this.root.dataset.phase = phase;
    this.root.dataset.stale = String(stale);
    this.root.dataset.pinned = String(isPinned);
  }

  /**
   * @param {Offer} offer
   * @param {import('./offer.js').OfferTexts} texts
   */
  update(offer, { phase }) {
    if (offer.image !== this.offer.image || !this.isPainted) this.image.replaceChildren(picture(offer.image, offer));
    setText(this.title, titleOf(offer));
    setText(this.variantText, variantOf(offer));
    this.root.dataset.test = `offer-${offer.id}`;
    this.buy.dataset.test = `buy-${offer.id}`;
    this.bell.dataset.test = `bell-${offer.id}`;
    this.choice.dataset.test = `variants-${offer.product}`;
    this.price.replaceChildren(priceTag(offer));
    setText(this.note, priceNote(offer));
    setVisible(this.note, Boolean(this.note.textContent));
    this.bar.replaceChildren(stockBar(offer, phase));
    this.offer = offer;
    this.isPainted = true;
  }
}
