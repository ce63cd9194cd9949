// The sheet of one product: picture, price, variant, quantity, and the button that reserves it.

import { dir, formatDuration, formatMoney, formatNumber, locale, t, titleOf, variantOf } from './i18n.js';
import {
  canBuy,
  countdownOf,
  fullTitle,
  offerTexts,
  paintOfferButton,
  phaseOf,
  priceNote,
  priceTag,
  stockBar,
} from './offer.js';
import { productAbout } from './product_about.js';
import { openSheet } from './sheet.js';
import { timeSpan } from './time_span.js';
import { el, icon, picture, setText, setVisible, style } from './ui.js';

/** @import { LiveClient, Offer, StockAlertState } from './types.d.ts' */

await style('product_sheet');

const ARROWS = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 };

export class ProductSheet {
  /**
   * @param {{
   *   client: LiveClient,
   *   offer: Offer,
   *   onbuy: (offer: Offer, qty: number) => void,
   *   onclose: () => void,
   *   alertsOf: (offer: Offer) => StockAlertState,
   * }} options
   */
  constructor({ client, offer, onbuy, onclose, alertsOf }) {
    this.client = client;
    this.offer = offer;
    this.onbuy = onbuy;
    this.alertsOf = alertsOf;
    this.qty = 1;
    /** What the offer and the chips looked like when they were painted. @type {string | null} */
    this.painted = null;
    /** @type {string | null} */
    this.paintedChips = null;
    /** @type {string | null} */
    this.image = null;
    this.picture = el('div.product-picture');
    this.title = el('bdi');
    this.price = el('span');
    this.note = el('p.price-note', { 'data-test': 'product-note' });
    this.bar = el('span.bar-slot');
    this.left = el('span', { 'data-test': 'product-left' });
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.chips = el('div.chips', { role: 'radiogroup', 'aria-label': t('product.variant'), 'data-test': 'variants' });
    this.less = this.stepButton('qty-less', 'minus', -1, t('qty.less'));
    this.more = this.stepButton('qty-more', 'plus', 1, t('qty.more'));
    this.amount = el('output', { 'data-test': 'qty', 'aria-live': 'polite' });
    this.limit = el('small');
    this.stepper = el(
      'div.stepper',
      { role: 'group', 'aria-label': t('qty') },
      el('span', {}, t('qty')),
      this.less,
      this.amount,
      this.more,
      this.limit,
    );
    this.hint = el('p.fine');
    this.buyers = el('p.fine', { 'data-test': 'product-buyers', hidden: true });
    /** A form for a notification by e-mail, for a product that cannot be bought now. */
    this.follow = el('div.follow-slot');
    this.button = el('button.primary.wide', {
      type: 'button',
      'data-test': 'product-buy',
      onclick: () => this.press(),
    });
    const content = el(
      'div.product',
      {},
      this.picture,
      el('h3', {}, this.title),
      el('p.row-line', {}, this.price, this.countdown),
      this.note,
      el('p.row-line.stock-line', {}, this.bar, this.left),
      this.chips,
      this.stepper,
      this.hint,
      this.buyers,
      this.button,
      this.follow,
      productAbout(offer.product),
    );
    this.dialog = openSheet(content, { title: t('product'), test: 'product', className: 'side', onclose });
    this.repaint();
    import('./following.js').then((door) => door.fillSlot(this.follow, offer)).catch(() => {});
  }

  /**
   * @param {string} test
   * @param {string} sign
   * @param {number} by
   * @param {string} label
   */
  stepButton(test, sign, by, label) {
    const step = () => {
      this.qty = Math.max(1, Math.min(this.qtyMax, this.qty + by));
      this.repaint();
    };
    return el('button.step', { type: 'button', 'aria-label': label, 'data-test': test, onclick: step }, icon(sign));
  }

  repaint() {
    this.paint(this.client.now(), !this.client.live);
  }

  /** The offers of this product in the show, one per variant. */
  siblings() {
    const { id, product } = this.offer;
    return [...this.client.state.offers.values()]
      .filter((other) => other.id === id || (other.product === product && other.status !== 'closed'))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** @param {Offer} offer */
  choose(offer) {
    this.offer = offer;
    this.qty = 1;
    this.repaint();
    this.focusChosenChip();
  }

  focusChosenChip() {
    /** @type {HTMLElement | null} */ (this.chips.querySelector('[aria-checked=true]'))?.focus();
  }

  /** @param {number} now */
  paintChips(now) {
    const all = this.siblings();
    const print = all.map((other) => `${other.id}${phaseOf(other, now)}${other.id === this.offer.id}`).join();
    if (print === this.paintedChips) return;
    this.paintedChips = print;
    setVisible(this.chips, all.length > 1);
    const hadFocus = this.chips.contains(document.activeElement);
    this.chips.replaceChildren(...all.map((other) => this.makeChip(other, all, now)));
    if (hadFocus) this.focusChosenChip();
  }

  /**
   * The chip of one variant; that of a sold-out variant is struck through.
   * @param {Offer} offer
   * @param {Offer[]} all
   * @param {number} now
   */
  makeChip(offer, all, now) {
    const isChosen = offer.id === this.offer.id;
    const isGone = !canBuy(phaseOf(offer, now));
    const name = [variantOf(offer), offer.kind === 'flash' && t('flag.flash')].filter(Boolean).join(' · ');
    const chip = el(
      'button.chip',
      {
        type: 'button',
        role: 'radio',
        'aria-checked': String(isChosen),
        tabIndex: isChosen ? 0 : -1,
        'data-test': `variant-${offer.id}`,
        onclick: () => this.choose(offer),
        onkeydown: (event) => this.chooseByKey(event, all),
      },
      el('bdi', {}, name),
      all.some(({ price }) => price !== offer.price) && el('small', {}, formatMoney(offer.price, offer.currency)),
      isGone && el('span.for-reader', {}, `, ${offerTexts(offer, now, false).left}`),
    );
    chip.classList.toggle('gone', isGone);
    return chip;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Offer[]} all
   */
  chooseByKey(event, all) {
    const arrow = ARROWS[/** @type {keyof typeof ARROWS} */ (event.key)];
    if (!arrow) return;
    event.preventDefault();
    const step = /Left|Right/.test(event.key) && dir === 'rtl' ? -arrow : arrow;
    const index = all.findIndex((other) => other.id === this.offer.id);
    this.choose(all[(index + step + all.length) % all.length]);
  }

  get qtyMax() {
    const { per_buyer, quantity, left } = this.offer;
    return Math.max(1, Math.min(per_buyer || quantity, left));
  }

  /** A purchase continues in the checkout; a stock alert leaves the reader here. */
  press() {
    const { offer, qty } = this;
    if (this.button.dataset.act === 'buy') this.dialog.close();
    this.onbuy(offer, qty);
  }

  /**
   * @param {number} now
   * @param {boolean} stale
   */
  paint(now, stale) {
    this.offer = this.client.state.offers.get(this.offer.id) ?? this.offer;
    const { offer } = this;
    const texts = offerTexts(offer, now, stale, this.alertsOf(offer));
    const { phase, left, act, can } = texts;
    this.qty = Math.min(this.qty, this.qtyMax);
    this.paintChips(now);
    setText(this.title, this.siblings().length > 1 ? titleOf(offer) : fullTitle(offer));
    const rest = countdownOf(offer, now);
    setVisible(this.countdown, rest !== null);
    if (rest !== null) setText(this.countdown, formatDuration(rest));
    const print = `${offer.id}${offer.v}${phase}`;
    if (print !== this.painted) {
      if (offer.image !== this.image || !this.painted) this.picture.replaceChildren(picture(offer.image, offer));
      this.image = offer.image;
      this.painted = print;
      this.price.replaceChildren(priceTag(offer));
      this.bar.replaceChildren(stockBar(offer, phase));
    }
    setText(this.note, priceNote(offer, this.qty));
    setVisible(this.note, Boolean(this.note.textContent));
    setText(this.left, left);
    setVisible(this.stepper, canBuy(phase));
    setText(this.amount, formatNumber(this.qty));
    setText(this.limit, t('qty.limit', { n: offer.per_buyer }));
    setVisible(this.follow, !canBuy(phase));
    this.less.disabled = this.qty <= 1;
    this.more.disabled = this.qty >= this.qtyMax;
    setVisible(this.buyers, Boolean(offer.buyers));
    if (offer.buyers) setText(this.buyers, t(`product.for_${offer.buyers}`));
    const reserved = t('product.reserve_hint', { time: timeSpan(locale, offer.hold_s) });
    setText(this.hint, act === 'buy' ? reserved : t('stock_alert.hint'));
    paintOfferButton(this.button, { button: this.buttonText(texts, stale), act, can });
  }

  /**
   * @param {import('./offer.js').OfferTexts} texts
   * @param {boolean} stale
   */
  buttonText({ button, act, can }, stale) {
    if (act !== 'buy') return button;
    const { price, currency } = this.offer;
    if (can) return t('product.reserve', { amount: formatMoney(price * this.qty, currency) });
    return stale ? t('connection.reconnecting') : button;
  }
}
