// The end of a show on the viewer page: it says that it is over, and leads on to the products, the reader's orders and the next show.

import { get, token } from './api.js';
import { hostPath } from './avatar.js';
import { route } from './base.js';
import { formatDateTime, lang, load, t, titleOf } from './i18n.js';
import { fullTitle, priceTag } from './offer.js';
import { byId, el, picture, style } from './ui.js';

/** @import { Offer, Stream } from './types.d.ts' */

const PRODUCTS_MAX = 24;

await Promise.all([load('player'), style('show_end')]);

export class ShowEnd {
  /** @param {Stream} stream */
  constructor(stream) {
    /** @type {Offer[]} */
    this.sold = [];
    this.products = el('div.end-products', { 'data-test': 'end-products', hidden: true });
    this.follow = el('div.follow-slot');
    this.next = el('div.next-show', { 'data-test': 'next-show', hidden: true });
    const orders = route(`/orders?from=${encodeURIComponent(stream.id)}`);
    this.root = el(
      'section.show-end',
      { 'data-test': 'show-end', 'aria-labelledby': 'show-end-title', tabindex: '0' },
      el('h2', { id: 'show-end-title' }, t(stream.cancelled_at ? 'end.cancelled' : 'end.title')),
      el('p', {}, t(stream.cancelled_at ? 'end.sorry' : 'end.thanks', { name: stream.host })),
      this.next,
      this.follow,
      this.products,
      el(
        'div.actions',
        {},
        token.get() && el('a.button', { href: orders, 'data-test': 'end-orders' }, t('my_orders')),
        el(
          'a.button',
          { href: route(hostPath(stream.host)), 'data-test': 'end-host' },
          t('show_header.all', { name: stream.host }),
        ),
        el('a.button', { href: route('/'), 'data-test': 'end-shop' }, t('end.shop')),
      ),
    );
    byId('layout').append(this.root);
    // The end is an end without them too.
    this.loadNext(stream).catch(() => {});
    this.loadProducts(stream)
      .catch(() => {})
      .then(async () => (await import('./following.js')).atEnd(this))
      .catch(() => {});
  }

  /**
   * A show that is live now, or the one that comes next.
   * @param {Stream} stream
   */
  async loadNext(stream) {
    const [live, scheduled] = await Promise.all(
      ['live', 'scheduled'].map((status) => get(`/streams?status=${status}&limit=100`)),
    );
    const others = /** @param {{ items: Stream[] }} list */ ({ items }) => items.filter(({ id }) => id !== stream.id);
    const coming = others(scheduled).filter(({ scheduled_at, now }) => (scheduled_at ?? 0) > now);
    coming.sort((a, b) => (a.scheduled_at ?? 0) - (b.scheduled_at ?? 0));
    const show = others(live)[0] ?? coming[0];
    if (!show) return;
    const id = encodeURIComponent(show.id);
    const isLive = show.status === 'live';
    const calendar = { href: route(`/v1/streams/${id}/calendar.ics?lang=${lang}`), download: 'show.ics' };
    this.next.append(
      el('p.next-label', {}, t(isLive ? 'end.live' : 'end.next')),
      el('bdi.next-title', {}, titleOf(show)),
      show.scheduled_at && !isLive ? el('p', {}, formatDateTime(show.scheduled_at)) : '',
      el(
        'div.actions',
        {},
        el(
          'a.button.primary',
          { href: route(`/watch?stream=${id}`), 'data-test': 'end-next' },
          t(isLive ? 'end.watch' : 'end.see'),
        ),
        !isLive && el('a.button', { ...calendar, 'data-test': 'end-calendar' }, t('remind.calendar')),
      ),
    );
    this.next.hidden = false;
  }

  /**
   * What was sold in the show, each product once.
   * @param {Stream} stream
   */
  async loadProducts({ id }) {
    /** @type {{ items: Offer[] }} */
    const { items } = await get(`/streams/${encodeURIComponent(id)}/offers?limit=100`);
    const sold = items.filter((offer) => offer.opens_at !== null);
    this.sold = sold;
    const byVariant = new Map(sold.map((offer) => [offer.variant, offer]));
    const cards = [...byVariant.values()]
      .slice(0, PRODUCTS_MAX)
      .map((offer) =>
        el(
          'li',
          { 'data-product': offer.product },
          picture(offer.image, offer),
          el('bdi', {}, fullTitle(offer)),
          priceTag(offer),
        ),
      );
    if (!cards.length) return;
    const label = { id: 'end-products-title' };
    this.products.append(
      el('h3', label, t('end.products')),
      el('ul', { 'aria-labelledby': 'end-products-title' }, cards),
    );
    this.products.hidden = false;
  }
}
