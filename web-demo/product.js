// The sheet of one product: picture, price, how many, and the button that holds them.

import { clock, money, number, t } from './i18n.js';
import { el, icon, picture, put, show } from './ui.js';
import { countdownOf, fullTitle, priceTag, stockBar, words } from './offer.js';
import { sheet } from './sheet.js';

export class ProductSheet {
  constructor({ client, onbuy }) {
    Object.assign(this, { client, onbuy });
  }

  open(offer) {
    this.id = offer.id;
    this.qty = 1;
    this.title = el('bdi');
    this.price = el('span');
    this.bar = el('span.bar-slot');
    this.left = el('span', { 'data-test': 'product-left' });
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.less = el('button.step', { type: 'button', 'aria-label': t('qty.less'), 'data-test': 'qty-less', onclick: () => this.step(-1) }, icon('minus'));
    this.more = el('button.step', { type: 'button', 'aria-label': t('qty.more'), 'data-test': 'qty-more', onclick: () => this.step(1) }, icon('plus'));
    this.amount = el('output', { 'data-test': 'qty', 'aria-live': 'polite' });
    this.limit = el('small');
    this.hold = el('button.primary.wide', { type: 'button', 'data-test': 'product-buy', onclick: () => this.buy() });
    this.dialog = sheet(el('div.product', {},
      el('div.product-picture', {}, picture(offer.image)),
      el('h3', {}, this.title),
      el('p.row-line', {}, this.price, this.countdown),
      el('p.row-line.stock-line', {}, this.bar, this.left),
      el('div.stepper', { role: 'group', 'aria-label': t('qty') }, el('span', {}, t('qty')), this.less, this.amount, this.more, this.limit),
      el('p.fine', {}, t('product.hold_line', { n: Math.round(offer.hold_s / 60) || 1 })),
      this.hold), { title: t('product'), test: 'product', className: 'side', onclose: () => { this.dialog = null; } });
    this.paint(this.client.now(), !this.client.live);
  }

  get max() {
    const offer = this.offer;
    return Math.max(1, Math.min(offer.per_buyer || offer.quantity, offer.left));
  }

  step(by) {
    this.qty = Math.max(1, Math.min(this.max, this.qty + by));
    this.paint(this.client.now(), !this.client.live);
  }

  async buy() {
    const { offer, qty } = this;
    this.dialog.close();
    this.onbuy(offer, null, qty);
  }

  paint(now, stale) {
    if (!this.dialog) return;
    this.offer = this.client.state.offers.get(this.id) ?? this.offer;
    const { offer } = this;
    const { phase, left, button, can } = words(offer, now, stale);
    this.qty = Math.min(this.qty, this.max);
    put(this.title, fullTitle(offer));
    const rest = countdownOf(offer, now);
    show(this.countdown, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    const print = `${offer.v}${phase}`;
    if (print !== this.printed || !this.price.firstChild) {
      this.printed = print;
      this.price.replaceChildren(priceTag(offer));
      this.bar.replaceChildren(stockBar(offer, phase));
    }
    put(this.left, left);
    put(this.amount, number(this.qty));
    put(this.limit, t('qty.limit', { n: offer.per_buyer }));
    this.less.disabled = this.qty <= 1;
    this.more.disabled = this.qty >= this.max;
    put(this.hold, can ? t('product.hold', { amount: money(offer.price * this.qty, offer.currency) }) : stale ? t('conn.reconnecting') : button);
    this.hold.disabled = !can;
  }
}
