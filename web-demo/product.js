// The sheet of one product: picture, price, which variant, how many, and the button that holds them.

import { clock, money, number, t, titleOf, variantOf } from './i18n.js';
import { el, icon, picture, put, show } from './ui.js';
import { buyable, countdownOf, fullTitle, paintBuy, phaseOf, priceTag, stockBar, words } from './offer.js';
import { sheet } from './sheet.js';

export class ProductSheet {
  constructor({ client, onbuy, waitOf }) {
    Object.assign(this, { client, onbuy, waitOf });
  }

  open(offer) {
    this.dialog?.close();
    this.id = offer.id;
    this.offer = offer;
    this.qty = 1;
    this.printed = this.chipped = null;
    this.picture = el('div.product-picture');
    this.title = el('bdi');
    this.price = el('span');
    this.bar = el('span.bar-slot');
    this.left = el('span', { 'data-test': 'product-left' });
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.chips = el('div.chips', { role: 'radiogroup', 'aria-label': t('product.variant'), 'data-test': 'variants' });
    this.less = el('button.step', { type: 'button', 'aria-label': t('qty.less'), 'data-test': 'qty-less', onclick: () => this.step(-1) }, icon('minus'));
    this.more = el('button.step', { type: 'button', 'aria-label': t('qty.more'), 'data-test': 'qty-more', onclick: () => this.step(1) }, icon('plus'));
    this.amount = el('output', { 'data-test': 'qty', 'aria-live': 'polite' });
    this.limit = el('small');
    this.stepper = el('div.stepper', { role: 'group', 'aria-label': t('qty') }, el('span', {}, t('qty')), this.less, this.amount, this.more, this.limit);
    this.fine = el('p.fine');
    this.hold = el('button.primary.wide', { type: 'button', 'data-test': 'product-buy', onclick: () => this.press() });
    const dialog = sheet(el('div.product', {}, this.picture, el('h3', {}, this.title),
      el('p.row-line', {}, this.price, this.countdown), el('p.row-line.stock-line', {}, this.bar, this.left),
      this.chips, this.stepper, this.fine, this.hold), { title: t('product'), test: 'product', className: 'side', onclose: () => { if (this.dialog === dialog) this.dialog = null; } });
    this.dialog = dialog;
    this.repaint();
  }

  repaint() {
    this.paint(this.client.now(), !this.client.live);
  }

  /** What else of this product the show sells: one chip a variant, sold-out ones struck through. */
  siblings() {
    return [...this.client.state.offers.values()]
      .filter((other) => other.id === this.id || (other.product === this.offer.product && other.status !== 'closed'))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  choose(id) {
    this.id = id;
    this.qty = 1;
    this.repaint();
    this.chips.querySelector('[aria-checked=true]')?.focus();
  }

  paintChips(now) {
    const all = this.siblings();
    const print = all.map((other) => `${other.id}${phaseOf(other, now)}${other.id === this.id}`).join();
    if (print === this.chipped) return;
    this.chipped = print;
    show(this.chips, all.length > 1);
    const focused = this.chips.contains(document.activeElement);
    this.chips.replaceChildren(...all.map((other) => {
      const mine = other.id === this.id;
      const gone = !buyable(phaseOf(other, now));
      const name = [variantOf(other), other.kind === 'flash' && t('flag.flash')].filter(Boolean).join(' · ');
      return el(`button.chip${gone ? '.gone' : ''}`, { type: 'button', role: 'radio', 'aria-checked': String(mine), tabIndex: mine ? 0 : -1, 'data-test': `variant-${other.id}`, onclick: () => this.choose(other.id), onkeydown: (event) => this.walk(event, all) },
        el('bdi', {}, name), gone && el('span.for-reader', {}, `, ${words(other, now, false).left}`));
    }));
    if (focused) this.chips.querySelector('[aria-checked=true]')?.focus();
  }

  walk(event, all) {
    const by = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const turn = event.key.match(/Left|Right/) && document.dir === 'rtl' ? -by : by;
    const at = all.findIndex((other) => other.id === this.id);
    this.choose(all[(at + turn + all.length) % all.length].id);
  }

  get max() {
    const offer = this.offer;
    return Math.max(1, Math.min(offer.per_buyer || offer.quantity, offer.left));
  }

  step(by) {
    this.qty = Math.max(1, Math.min(this.max, this.qty + by));
    this.repaint();
  }

  /** Buying goes on in the checkout; waiting leaves one here. */
  press() {
    const { offer, qty } = this;
    if (this.hold.dataset.act === 'buy') this.dialog.close();
    this.onbuy(offer, this.hold, qty);
  }

  paint(now, stale) {
    if (!this.dialog) return;
    this.offer = this.client.state.offers.get(this.id) ?? this.offer;
    const { offer } = this;
    const said = words(offer, now, stale, this.waitOf(offer));
    const { phase, left, button, act, can } = said;
    this.qty = Math.min(this.qty, this.max);
    this.paintChips(now);
    put(this.title, this.siblings().length > 1 ? titleOf(offer) : fullTitle(offer));
    const rest = countdownOf(offer, now);
    show(this.countdown, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    const print = `${offer.id}${offer.v}${phase}`;
    if (print !== this.printed) {
      if (offer.image !== this.image || !this.printed) this.picture.replaceChildren(picture(offer.image));
      this.image = offer.image;
      this.printed = print;
      this.price.replaceChildren(priceTag(offer));
      this.bar.replaceChildren(stockBar(offer, phase));
    }
    put(this.left, left);
    show(this.stepper, buyable(phase));
    put(this.amount, number(this.qty));
    put(this.limit, t('qty.limit', { n: offer.per_buyer }));
    this.less.disabled = this.qty <= 1;
    this.more.disabled = this.qty >= this.max;
    put(this.fine, act === 'buy' ? t('product.hold_line', { n: Math.round(offer.hold_s / 60) || 1 }) : t('wait.honest'));
    const label = act !== 'buy' ? button : can ? t('product.hold', { amount: money(offer.price * this.qty, offer.currency) }) : stale ? t('conn.reconnecting') : button;
    paintBuy(this.hold, { button: label, act, can });
  }
}
