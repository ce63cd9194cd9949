// The coupons of the shop: what each takes off, until when, and how many orders have it.

import { asRefusal, get, patch } from '../api.js';
import { formatDateTime, formatMoney, load, locale, refusalText, t } from '../i18n.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el, icon, setText, setVisible, toast } from '../ui.js';
import { openChange, openNew } from './coupon_form.js';

/** @import { Coupon, Refusal, Role, Shop, Stream } from '../types.d.ts' */

await load('coupons');

const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 2 });

export class CouponList {
  /** @param {{ root: HTMLElement, shop: Shop, shows: Stream[], role: Role }} options */
  constructor({ root, shop, shows, role }) {
    this.root = root;
    this.shop = shop;
    this.shows = shows;
    /** Who sells sees the coupons; who runs shows makes them. */
    this.mayChange = role !== 'producer';
    /** @type {string | null} */
    this.next = null;
    this.list = el('ul.staff-list', { 'data-test': 'coupon-list' });
    this.status = el('p.empty', { 'data-test': 'coupon-empty' });
    const more = { type: 'button', hidden: true, 'data-test': 'coupon-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    const onclick = () => openNew(this.shop, this.shows, () => this.reload());
    const add = el(
      'button.primary',
      { type: 'button', 'data-test': 'coupon-new', onclick },
      icon('plus'),
      t('coupons.new'),
    );
    const head = el('div.desk-head', {}, el('p.fine', {}, t('coupons.about')), this.mayChange && add);
    this.root.replaceChildren(head, this.list, this.status, this.more);
    await this.reload();
  }

  async reload() {
    this.next = null;
    this.list.replaceChildren();
    this.paint(t('loading'));
    await this.readPage();
  }

  readMore() {
    return withBusy(this.more, () => this.readPage(), showRefusal);
  }

  async readPage() {
    const query = new URLSearchParams({ limit: '50', ...(this.next ? { after: this.next } : {}) });
    /** @type {{ items: Coupon[], next: string | null }} */
    const page = await get(`/shop/coupons?${query}`);
    this.next = page.next;
    this.list.append(...page.items.map((coupon) => this.row(coupon)));
    this.paint(t('coupons.none'));
  }

  /** @param {string} text of the empty list */
  paint(text) {
    setText(this.status, text);
    setVisible(this.status, this.list.childElementCount === 0);
    setVisible(this.more, this.next !== null);
  }

  /** @param {Coupon} coupon */
  row(coupon) {
    const state = stateOf(coupon);
    const isOver = Boolean(coupon.ended_at);
    const change = () => openChange(coupon, (changed) => this.replace(changed));
    const buttons = [
      el(
        'button.slim',
        { type: 'button', 'data-test': `coupon-change-${coupon.id}`, onclick: change },
        t('coupons.change'),
      ),
      el(
        'button.slim.danger',
        { type: 'button', 'data-test': `coupon-end-${coupon.id}`, onclick: () => this.end(coupon) },
        t('coupons.end'),
      ),
    ];
    const uses = coupon.quota
      ? t('coupons.uses_of', { n: coupon.uses, quota: coupon.quota })
      : t('coupons.uses', { n: coupon.uses });
    return el(
      'li',
      { 'data-coupon': coupon.id, 'data-in-force': String(state === 'on') },
      el(
        'span.row-text',
        {},
        el('b.row-title', {}, el('bdi', { dir: 'auto' }, coupon.code), ' · ', discountOf(coupon)),
        el('small', { 'data-test': 'coupon-uses' }, `${t(`coupons.is_${state}`)} · ${uses}`),
        el('small', {}, this.rulesOf(coupon).join(' · ')),
      ),
      this.mayChange && !isOver && buttons,
    );
  }

  /** @param {Coupon} coupon */
  rulesOf({ minimum, currency, per_person, products, stream, starts_at, ends_at, ended_at, now }) {
    const show = this.shows.find(({ id }) => id === stream);
    return [
      t('coupons.per_person_n', { n: per_person }),
      minimum > 0 && t('coupons.from', { amount: formatMoney(minimum, currency) }),
      products.length > 0 && t('coupons.products_n', { n: products.length }),
      stream && t('coupons.in_show', { show: show?.title ?? '' }),
      starts_at > now && t('coupons.starts', { at: formatDateTime(starts_at) }),
      ended_at
        ? t('coupons.ended_at', { at: formatDateTime(ended_at) })
        : ends_at && t('coupons.until', { at: formatDateTime(ends_at) }),
    ].filter((rule) => typeof rule === 'string');
  }

  /** @param {Coupon} coupon */
  replace(coupon) {
    this.list.querySelector(`[data-coupon="${coupon.id}"]`)?.replaceWith(this.row(coupon));
  }

  /** @param {Coupon} coupon */
  async end(coupon) {
    const title = t('coupons.end_title', { code: coupon.code });
    if (!(await confirmDialog({ title, text: t('coupons.end_about'), yes: t('coupons.end'), danger: true }))) return;
    const work = async () => {
      /** @type {Coupon} */
      const ended = await patch(`/shop/coupons/${coupon.id}`, { version: coupon.version, ended: true });
      this.replace(ended);
      toast(t('coupons.ended_now', { code: coupon.code }), { test: 'coupon-ended' });
    };
    await withBusy(null, work, async (refusal) => {
      showRefusal(refusal);
      if (refusal.code === 'outdated') await this.reload().catch((error) => showRefusal(asRefusal(error)));
    });
  }
}

/** @param {Refusal} refusal */
const showRefusal = (refusal) => toast(refusalText(refusal), { kind: 'warn' });

/** @param {Coupon} coupon */
function discountOf({ percent_bp, amount, currency }) {
  return el('bdi', {}, percent_bp ? percents.format(percent_bp / 10_000) : formatMoney(amount ?? 0, currency));
}

/** @param {Coupon} coupon @returns {'ended' | 'over' | 'later' | 'used_up' | 'on'} */
function stateOf({ ended_at, ends_at, starts_at, quota, uses, now }) {
  if (ended_at) return 'ended';
  if (ends_at && ends_at <= now) return 'over';
  if (starts_at > now) return 'later';
  return quota !== null && quota <= uses ? 'used_up' : 'on';
}
