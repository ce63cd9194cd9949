// An offer as people see it: which phase it is in by the server's clock, and the card that shows it.
//
// The server says `countdown`, `open`, `closed`; between two of its messages the clock says the rest, so that a card
// opens and closes on the second even when the frame that says so is still on its way.

import { clock, money, t, titleOf, variantOf } from './i18n.js';
import { el, icon, picture, put, show } from './ui.js';

const LOW_SHARE = 0.1;

/** soon | live | low | paused | sold_out_for_now | sold_out | ended | draft */
export function phaseOf(offer, now) {
  if (offer.status === 'draft') return 'draft';
  if (offer.status === 'closed' || (offer.closes_at && offer.closes_at <= now)) return 'ended';
  if (offer.status === 'paused') return 'paused';
  if (offer.status === 'sold_out' || offer.status === 'sold_out_for_now') return offer.status;
  if (offer.opens_at && now < offer.opens_at) return 'soon';
  if (offer.left <= 0) return 'sold_out_for_now';
  return offer.left <= offer.quantity * LOW_SHARE ? 'low' : 'live';
}

export const buyable = (phase) => phase === 'live' || phase === 'low';

/** What the clock beside an offer counts down to, or null. */
export function countdownOf(offer, now) {
  const phase = phaseOf(offer, now);
  if (phase === 'soon') return offer.opens_at - now;
  if (phase !== 'ended' && phase !== 'draft' && offer.closes_at) return offer.closes_at - now;
  return null;
}

export function fullTitle(offer) {
  const variant = variantOf(offer);
  // The dot stays with the title when the line breaks.
  return variant ? `${titleOf(offer)}\u00a0· ${variant}` : titleOf(offer);
}

/**
 * The words on the stock line and on the button, in one place for card, bag and sheet. With `wait` (`{ people, mine }`)
 * one may wait where nothing is left.
 */
export function words(offer, now, stale, wait) {
  const phase = phaseOf(offer, now);
  const left = {
    soon: t('offer.units', { n: offer.quantity }), live: t('offer.left', { n: offer.left }), low: t('offer.low', { n: offer.left }),
    paused: t('offer.paused'), sold_out_for_now: t('offer.all_held'), sold_out: t('offer.sold_out'), ended: t('offer.ended'), draft: '',
  }[phase];
  const button = {
    soon: t('offer.soon'), live: t('buy'), low: t('buy'), paused: t('offer.paused_short'),
    sold_out_for_now: t('offer.held_short'), sold_out: t('offer.sold_out'), ended: t('offer.ended_short'), draft: t('buy'),
  }[phase];
  if (!wait || !phase.startsWith('sold_out')) return { phase, left, button, act: 'buy', can: buyable(phase) && !stale };
  const people = wait.people ? ` · ${t('wait.people', { n: wait.people })}` : '';
  const gone = phase === 'sold_out_for_now' && people ? t('offer.held_short') : left;
  return { phase, left: gone + people, button: t(wait.mine ? 'wait.on' : 'wait.join'), act: wait.mine ? 'unwait' : 'wait', can: !stale };
}

/** A button says what a press does now: buy, or wait for what may come back. */
export function paintBuy(node, { button, act, can }) {
  put(node, button);
  node.disabled = !can;
  node.dataset.act = act;
  if (act === 'buy') node.removeAttribute('aria-pressed');
  else node.setAttribute('aria-pressed', act === 'unwait');
}

/** Price, and the old one struck through. `bdi` keeps "SAR 49" whole inside an Arabic line. */
export function priceTag(offer) {
  const old = offer.old_price > offer.price;
  return el('span.prices', {},
    el('bdi.price', {}, money(offer.price, offer.currency)),
    old && el('s.old-price', {}, el('span.for-reader', {}, t('offer.before')), el('bdi', {}, money(offer.old_price, offer.currency))));
}

export function stockBar(offer, phase) {
  const share = offer.quantity ? Math.max(0, Math.min(1, offer.left / offer.quantity)) : 0;
  const bar = el(`span.stock-bar.${phase}`, { 'aria-hidden': 'true' }, el('i'));
  bar.firstChild.style.inlineSize = `${Math.round(share * 100)}%`;
  return bar;
}

/** The pinned card. Its parts are made once and repainted in place, so nothing jumps while a sale runs. */
export class Card {
  /** `waitOf(offer)` says who waits for it; without it one cannot. */
  constructor(root, { onbuy, onopen, waitOf = () => undefined }) {
    Object.assign(this, { root, waitOf });
    this.offer = null;
    this.face = el('button.card-face', { type: 'button', onclick: () => onopen(this.offer) });
    this.image = el('span.card-image');
    this.title = el('bdi.card-title', { 'data-test': 'card-title' });
    this.price = el('span', { 'data-test': 'card-price' });
    this.bar = el('span.bar-slot');
    this.left = el('span.card-left', { 'data-test': 'card-left' });
    this.countdown = el('bdi.countdown', { dir: 'ltr', 'data-test': 'countdown' });
    this.clockBox = el('span.clock-chip', {}, icon('clock'), this.countdown);
    this.flag = el('span.flag');
    this.buy = el('button.primary.buy', { type: 'button', 'data-test': 'card-buy', onclick: () => onbuy(this.offer, this.buy) });
    this.face.append(el('span.card-picture', {}, this.image, this.flag), el('span.card-text', {},
      el('span.card-line', {}, this.title),
      el('span.card-line', {}, this.price, this.clockBox),
      el('span.card-line.stock-line', {}, this.bar, this.left)));
    root.append(this.face, this.buy);
  }

  paint(offer, now, stale) {
    const fresh = offer !== this.offer;
    show(this.root, Boolean(offer));
    if (!offer) { this.offer = null; return; }
    if (fresh) this.dress(offer);
    const said = words(offer, now, stale, this.waitOf(offer));
    const { phase, left } = said;
    if (fresh || phase !== this.root.dataset.phase) {
      this.root.dataset.phase = phase;
      this.bar.replaceChildren(stockBar(offer, phase));
      show(this.flag, offer.kind === 'flash' && phase !== 'ended');
      put(this.flag, t(phase === 'soon' ? 'flag.soon' : 'flag.flash'));
    }
    const rest = countdownOf(offer, now);
    show(this.clockBox, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    put(this.left, left);
    paintBuy(this.buy, said);
    this.root.dataset.stale = stale;
  }

  dress(offer) {
    const other = offer.id !== this.offer?.id || offer.image !== this.offer?.image;
    if (other) this.image.replaceChildren(picture(offer.image));
    put(this.title, fullTitle(offer));
    this.price.replaceChildren(priceTag(offer));
    this.root.dataset.kind = offer.kind;
    this.root.dataset.offer = offer.id;
    this.offer = offer;
  }
}
