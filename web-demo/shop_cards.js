// The cards of the front page and of the page of a host: a live show, a product that is on sale in one, and an upcoming or past show.

import { get } from './api.js';
import { route } from './base.js';
import { formatDateTime, t, titleOf } from './i18n.js';
import { fullTitle, offerTexts, phaseOf, priceTag } from './offer.js';
import { el, icon, picture } from './ui.js';

/** @import { Offer, Stream } from './types.d.ts' */

const PICTURES_MAX = 4;

/** @param {Stream} show */
const watchAddress = (show) => route(`/watch?stream=${encodeURIComponent(show.id)}`);

/**
 * A product that is on sale in a show that is live, or in the recording of one. Its link opens the show with this product.
 * @param {Stream} show
 * @param {Offer} offer
 */
export function productCard(show, offer) {
  const { left, phase } = offerTexts(offer, show.now, false);
  const href = `${watchAddress(show)}&offer=${encodeURIComponent(offer.id)}`;
  return el(
    'a.product-card',
    { href, 'data-test': `product-${offer.id}` },
    picture(offer.image, offer),
    el(
      'span.row-text',
      {},
      el('bdi.row-title', {}, fullTitle(offer)),
      priceTag(offer),
      el(`small.${phase}`, {}, left),
      show.replay && el('small', {}, t('shop.in_recording')),
    ),
  );
}

/**
 * @param {Stream} show
 * @param {Offer[]} offers
 */
export function liveCard(show, offers) {
  const images = [...new Set(offers.map((offer) => offer.image).filter(Boolean))].slice(0, PICTURES_MAX);
  const arches = (images.length ? images : [null]).map((image) => el('span.arch', {}, picture(image, show)));
  const watching = el('span', { 'data-watching': show.id }, t('shop.watching', { n: show.viewers }));
  return el(
    'a.live-card',
    { href: watchAddress(show), 'data-test': `show-${show.id}` },
    show.poster
      ? el('span.poster', {}, picture(show.poster, show))
      : el('span.arches', { 'aria-hidden': 'true' }, arches),
    el(
      'span.live-texts',
      {},
      el('span.live-line', {}, el('b.live-badge', {}, t('badge.live')), el('span.watching', {}, icon('eye'), watching)),
      el('bdi.live-title', {}, titleOf(show)),
      el('span.host-line', {}, t('shop.host', { name: show.host })),
      el('span.button.primary', {}, icon('play'), t('shop.watch')),
    ),
  );
}

/**
 * A show that is not live. The countdown of an upcoming show is painted from `data-at`, a time of this page's clock, which nobody can set.
 * @param {Stream} show
 */
export function showCard(show) {
  const isOver = show.status === 'ended';
  const isCancelled = Boolean(show.cancelled_at);
  const at = isOver && !isCancelled ? show.ended_at : show.scheduled_at;
  const countdown = el('bdi.num', { dir: 'ltr' });
  if (!isOver && show.scheduled_at) countdown.dataset.at = String(show.scheduled_at - show.now + performance.now());
  return el(
    'a.show-card',
    { href: watchAddress(show), 'data-test': `show-${show.id}` },
    el(
      'span.show-mark',
      { 'aria-hidden': 'true' },
      icon(isCancelled ? 'close' : show.replay ? 'play' : isOver ? 'check' : 'clock'),
    ),
    el(
      'span.row-text',
      {},
      el('bdi.row-title', {}, titleOf(show)),
      el('small', {}, t('shop.host', { name: show.host }), at ? ` · ${formatDateTime(at)}` : ''),
      isCancelled && el('small.cancelled', {}, t('badge.cancelled')),
      show.replay && el('small.recorded', {}, t('shop.recording')),
    ),
    countdown,
  );
}

/**
 * The offers of a show. A show whose offers cannot be read is still a show.
 * @param {Stream} show
 * @returns {Promise<[id: string, offers: Offer[]]>}
 */
export async function loadOffers(show) {
  try {
    /** @type {{ items: Offer[] }} */
    const { items } = await get(`/streams/${show.id}/offers`);
    return [show.id, items.filter((offer) => phaseOf(offer, show.now) !== 'ended')];
  } catch {
    return [show.id, []];
  }
}

/**
 * A section with a title, or nothing if it has no cards.
 * @param {string} title
 * @param {HTMLElement[]} cards
 * @param {string} name
 */
export function section(title, cards, name) {
  if (!cards.length) return [];
  const list = el(
    'ul',
    {},
    cards.map((card) => el('li', {}, card)),
  );
  return [el(`section.${name}`, {}, el('h2', {}, title), list)];
}
