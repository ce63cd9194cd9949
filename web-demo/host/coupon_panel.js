// The coupon over the video: the team chooses one of the shop's coupons and shows it to the viewers, who claim it with a tap.

import { del, get, put } from '../api.js';
import { formatMoney, locale, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible } from '../ui.js';

/** @import { Coupon, LiveClient, Refusal, Stream } from '../types.d.ts' */

const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 2 });
/** The list is read again when it is opened and older than this. */
const FRESH_MS = 5_000;

export class CouponPanel {
  /**
   * @param {HTMLElement} root
   * @param {{ client: LiveClient, stream: Stream, onrefused: (refusal: Refusal) => void }} options
   */
  constructor(root, { client, stream, onrefused }) {
    this.root = root;
    this.client = client;
    this.stream = stream;
    this.onrefused = onrefused;
    this.readAt = -Infinity;
    /** @type {Coupon[]} */
    this.coupons = [];
    const id = 'coupon-choice';
    this.choice = el('select', { id, 'data-test': 'coupon-choice', onfocus: () => this.load() });
    this.state = el('span', { role: 'status', 'data-test': 'coupon-state' });
    this.showButton = el(
      'button.slim',
      { type: 'button', 'data-test': 'coupon-show', onclick: () => this.show() },
      t('host.coupon_show'),
    );
    this.hideButton = el(
      'button.slim.ghost',
      { type: 'button', 'data-test': 'coupon-hide', onclick: () => this.hide() },
      t('host.coupon_hide'),
    );
    root.append(
      el('label', { for: id }, t('host.coupon')),
      el('span.inline', {}, this.choice, this.showButton, this.hideButton),
      this.state,
    );
  }

  /** The coupons that viewers could use now. Somebody who may not see them has no panel. */
  async load() {
    if (performance.now() - this.readAt < FRESH_MS) return;
    this.readAt = performance.now();
    /** @type {{ items: Coupon[] }} */
    const { items } = await get('/shop/coupons?limit=100').catch(() => ({ items: [] }));
    const chosen = this.choice.value;
    this.coupons = items.filter((coupon) => canBeUsed(coupon, this.stream.id));
    this.choice.replaceChildren(...this.coupons.map((coupon) => new Option(nameOf(coupon), coupon.id)));
    if (this.coupons.some((coupon) => coupon.id === chosen)) this.choice.value = chosen;
    this.paint();
  }

  show() {
    const coupon = this.choice.value;
    return withBusy(this.showButton, () => put(`/streams/${this.stream.id}/coupon`, { coupon }), this.onrefused);
  }

  hide() {
    return withBusy(this.hideButton, () => del(`/streams/${this.stream.id}/coupon`), this.onrefused);
  }

  paint() {
    const { coupon } = this.client.state;
    setVisible(this.root, this.coupons.length > 0 || coupon !== null);
    setVisible(this.showButton, this.coupons.length > 0);
    setVisible(this.hideButton, coupon !== null);
    setText(this.state, coupon ? t('host.coupon_on', { code: coupon.code }) : '');
  }
}

/** @param {Coupon} coupon */
function nameOf({ code, percent_bp, amount, currency, quota, uses }) {
  const value = percent_bp ? percents.format(percent_bp / 10_000) : formatMoney(amount ?? 0, currency);
  const left = quota === null ? [] : [t('host.coupon_left', { n: quota - uses })];
  return [code, value, ...left].join(' · ');
}

/**
 * @param {Coupon} coupon
 * @param {string} show
 */
function canBeUsed({ ended_at, ends_at, starts_at, quota, uses, stream, now }, show) {
  const isOn = !ended_at && starts_at <= now && (!ends_at || ends_at > now);
  return isOn && (quota === null || uses < quota) && (stream === null || stream === show);
}
