// The bag: every offer of the show; beside it one's own orders, which mine.js paints.
//
// On a phone the bag is a sheet that rises over the video; on a desk it is the column at the start side. It is the
// same element both times, so a row is built once and repainted in place.

import { clock, number, t } from './i18n.js';
import { el, icon, picture, put, show } from './ui.js';
import { countdownOf, fullTitle, phaseOf, priceTag, stockBar, words } from './offer.js';

const desk = matchMedia('(min-width: 960px)');

export class Bag {
  constructor({ root, opener, client, onbuy, onopen }) {
    Object.assign(this, { root, opener, client, onbuy, onopen });
    this.rows = new Map();
    this.tab = 'all';
    this.list = root.querySelector('.offer-list');
    this.empty = root.querySelector('.bag-empty');
    for (const button of root.querySelectorAll('[role=tab]')) {
      button.addEventListener('click', () => this.choose(button.dataset.tab));
      button.addEventListener('keydown', (event) => {
        if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') this.choose(this.tab === 'all' ? 'mine' : 'all', true);
      });
    }
    opener.addEventListener('click', () => this.open());
    root.querySelector('.bag-close').addEventListener('click', () => this.close());
    root.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.close(); });
    desk.addEventListener('change', () => this.place());
    this.place();
  }

  /** On a phone either the bag can be reached by Tab or what it covers; on a desk both. */
  place() {
    const shown = desk.matches || this.root.classList.contains('open');
    const covers = shown && !desk.matches;
    for (const node of this.root.parentNode.children) node.inert = node === this.root ? !shown : covers;
    document.getElementById('scrim').hidden = !covers;
  }

  open() {
    this.root.classList.add('open');
    this.place();
    this.root.querySelector('[aria-selected=true]').focus();
  }

  close() {
    if (!this.root.classList.contains('open')) return;
    this.root.classList.remove('open');
    this.place();
    this.opener.focus();
  }

  choose(tab, focus = false) {
    this.tab = tab;
    for (const button of this.root.querySelectorAll('[role=tab]')) {
      const chosen = button.dataset.tab === tab;
      button.setAttribute('aria-selected', chosen);
      button.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) button.focus();
    }
    this.root.querySelector('#bag-all').hidden = tab !== 'all';
    this.root.querySelector('#bag-mine').hidden = tab !== 'mine';
  }

  /** Pinned first, then what sells, then what is over; within that, in the host's order. */
  ordered(now) {
    const { offers, pin } = this.client.state;
    const rank = (offer) => (offer.id === pin?.offer ? 0 : { soon: 1, live: 1, low: 1, paused: 2, ended: 4, sold_out: 3, sold_out_for_now: 1 }[phaseOf(offer, now)]);
    return [...offers.values()].sort((a, b) => rank(a) - rank(b) || a.position - b.position || (a.id < b.id ? -1 : 1));
  }

  paintOffers(now, stale) {
    const offers = this.ordered(now);
    const present = new Set(offers.map((offer) => offer.id));
    for (const [id, row] of this.rows) if (!present.has(id)) { row.root.remove(); this.rows.delete(id); }
    offers.forEach((offer, index) => {
      if (!this.rows.has(offer.id)) this.rows.set(offer.id, new Row(offer, this));
      const row = this.rows.get(offer.id);
      if (this.list.children[index] !== row.root) this.list.insertBefore(row.root, this.list.children[index] ?? null);
      row.paint(offer, now, stale, offer.id === this.client.state.pin?.offer);
    });
    show(this.empty, offers.length === 0);
    const count = number(offers.filter((offer) => phaseOf(offer, now) !== 'ended').length);
    put(this.opener.querySelector('.count'), count);
    this.opener.setAttribute('aria-label', `${t('bag')} ${count}`);
  }
}

class Row {
  constructor(offer, bag) {
    this.title = el('bdi.row-title');
    this.price = el('span');
    this.bar = el('span.bar-slot');
    this.left = el('small.row-left');
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.pinned = el('span.flag', {}, icon('pin'), t('pinned'));
    this.image = el('span');
    this.buy = el('button.primary.slim', { type: 'button', 'data-test': `buy-${offer.id}`, onclick: () => bag.onbuy(this.offer, this.buy) });
    this.root = el('li.offer-row', { 'data-test': `offer-${offer.id}` },
      el('button.row-face', { type: 'button', onclick: () => bag.onopen(this.offer) }, this.image,
        el('span.row-text', {}, this.pinned, this.title, el('span.row-line', {}, this.price, this.countdown), el('span.row-line', {}, this.bar, this.left))),
      this.buy);
  }

  paint(offer, now, stale, pinned) {
    const { phase, left, button, can } = words(offer, now, stale);
    if (offer !== this.offer) {
      if (offer.image !== this.offer?.image || !this.offer) this.image.replaceChildren(picture(offer.image));
      put(this.title, fullTitle(offer));
      this.price.replaceChildren(priceTag(offer));
      this.bar.replaceChildren(stockBar(offer, phase));
      this.offer = offer;
    }
    const rest = countdownOf(offer, now);
    show(this.countdown, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    show(this.pinned, pinned);
    put(this.left, left);
    put(this.buy, button);
    this.buy.disabled = !can;
    this.root.dataset.phase = phase;
    this.root.dataset.stale = stale;
  }
}
