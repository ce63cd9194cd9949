// A row of the product list: one offer, its button and its bell. It is made once and repainted in place.

import { formatDuration, t, titleOf, variantOf } from './i18n.js';
import {
  canBuy,
  countdownOf,
  fullTitle,
  isSoldOut,
  offerTexts,
  paintOfferButton,
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
 * }} RowOptions
 */

export class ProductRow {
  /**
   * @param {Offer} offer
   * @param {RowOptions} options
   */
  constructor(offer, { alerts, alertsOf, onbuy, onopen }) {
    this.offer = offer;
    this.isPainted = false;
    this.alerts = alerts;
    this.alertsOf = alertsOf;
    this.title = el('bdi.row-title');
    this.variantText = el('bdi');
    this.variant = el('small', {}, this.variantText);
    this.price = el('span');
    this.bar = el('span.bar-slot');
    this.left = el('small.row-left');
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.pinned = el('span.flag', {}, icon('pin'), t('pinned'));
    this.image = el('span');
    this.bell = el(
      'button.ghost.round.bell',
      {
        type: 'button',
        'data-test': `bell-${offer.id}`,
        onclick: () => alerts.toggleBell(this.offer),
      },
      icon('bell'),
    );
    this.buy = el('button.primary.slim', {
      type: 'button',
      'data-test': `buy-${offer.id}`,
      onclick: () => onbuy(this.offer),
    });
    this.root = el(
      'li.offer-row',
      { 'data-test': `offer-${offer.id}` },
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
          el('span.row-line', {}, this.bar, this.left),
        ),
      ),
      el('span.row-acts', {}, this.buy, this.bell),
    );
  }

  /**
   * @param {Offer} offer
   * @param {number} now
   * @param {boolean} stale
   * @param {boolean} isPinned
   */
  paint(offer, now, stale, isPinned) {
    const texts = offerTexts(offer, now, stale, this.alertsOf(offer));
    const { phase, left } = texts;
    if (offer !== this.offer || !this.isPainted) this.update(offer, texts);
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
    setVisible(this.variant, Boolean(variantOf(offer)));
    this.price.replaceChildren(priceTag(offer));
    this.bar.replaceChildren(stockBar(offer, phase));
    this.offer = offer;
    this.isPainted = true;
  }
}
