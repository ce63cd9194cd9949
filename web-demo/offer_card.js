// The card of the pinned offer. Its parts are made once and repainted in place, so that nothing jumps during a sale.

import { formatDuration, t } from './i18n.js';
import { countdownOf, fullTitle, offerTexts, paintOfferButton, priceNote, priceTag, stockBar } from './offer.js';
import { el, icon, picture, setText, setVisible } from './ui.js';

/** @import { Offer, StockAlertState } from './types.d.ts' */

export class OfferCard {
  /**
   * @param {HTMLElement} root
   * @param {{
   *   onbuy: (offer: Offer) => void,
   *   onopen: (offer: Offer) => void,
   *   alertsOf?: (offer: Offer) => StockAlertState,
   * }} options without `alertsOf` readers cannot ask for a stock alert
   */
  constructor(root, { onbuy, onopen, alertsOf }) {
    this.root = root;
    this.alertsOf = alertsOf;
    /** @type {Offer | null} */
    this.offer = null;
    this.image = el('span.card-image');
    this.title = el('bdi.card-title', { 'data-test': 'card-title' });
    this.price = el('span', { 'data-test': 'card-price' });
    this.note = el('small.price-note', { 'data-test': 'card-note' });
    this.bar = el('span.bar-slot');
    this.left = el('span.card-left', { 'data-test': 'card-left' });
    this.countdown = el('bdi.countdown', { dir: 'ltr', 'data-test': 'countdown' });
    this.clockBox = el('span.clock-chip', {}, icon('clock'), this.countdown);
    this.flag = el('span.flag');
    this.face = el(
      'button.card-face',
      { type: 'button', onclick: () => this.offer && onopen(this.offer) },
      el('span.card-picture', {}, this.image, this.flag),
      el(
        'span.card-text',
        {},
        el('span.card-line', {}, this.title),
        el('span.card-line', {}, this.price),
        this.note,
        el('span.card-line.stock-line', {}, this.clockBox, this.left, this.bar),
      ),
    );
    this.buy = el('button.primary.buy', {
      type: 'button',
      'data-test': 'card-buy',
      onclick: () => this.offer && onbuy(this.offer),
    });
    root.append(this.face, this.buy);
  }

  /**
   * @param {Offer | undefined} offer
   * @param {number} now
   * @param {boolean} stale
   */
  paint(offer, now, stale) {
    setVisible(this.root, Boolean(offer));
    if (!offer) {
      this.offer = null;
      return;
    }
    const isNew = offer !== this.offer;
    if (isNew) this.update(offer);
    const texts = offerTexts(offer, now, stale, this.alertsOf?.(offer));
    const { phase, left } = texts;
    if (isNew || phase !== this.root.dataset.phase) {
      this.root.dataset.phase = phase;
      this.bar.replaceChildren(stockBar(offer, phase));
      setVisible(this.flag, offer.kind === 'flash' && phase !== 'ended');
      setText(this.flag, t(phase === 'soon' ? 'flag.soon' : 'flag.flash'));
    }
    const rest = countdownOf(offer, now);
    setVisible(this.clockBox, rest !== null);
    if (rest !== null) setText(this.countdown, formatDuration(rest));
    setText(this.left, left);
    paintOfferButton(this.buy, texts);
    this.root.dataset.stale = String(stale);
  }

  /** @param {Offer} offer */
  update(offer) {
    const isOther = offer.id !== this.offer?.id || offer.image !== this.offer?.image;
    if (isOther) this.image.replaceChildren(picture(offer.image, offer));
    setText(this.title, fullTitle(offer));
    this.price.replaceChildren(priceTag(offer));
    setText(this.note, priceNote(offer));
    setVisible(this.note, Boolean(this.note.textContent));
    this.root.dataset.kind = offer.kind;
    this.root.dataset.offer = offer.id;
    this.offer = offer;
  }
}
