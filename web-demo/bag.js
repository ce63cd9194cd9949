// The bag: every offer of the show, what can be bought now, and one's own orders, which mine.js paints.
//
// On a phone it is a sheet that rises over the video and loads when it is opened; on a desk it is the column at the
// start side. It is the same element both times, so a row is built once and repainted in place.

import { clock, dir, load, t, titleOf, variantOf } from './i18n.js';
import { buyable, countdownOf, fullTitle, paintBuy, phaseOf, priceTag, stockBar, words } from './offer.js';
import { el, icon, ICONS, picture, put, show, style } from './ui.js';

Object.assign(ICONS, {
  bell: 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 20.5h4M12 5V3.5',
  search: 'M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5',
});
await Promise.all([load('buy'), style('bag')]);

const desk = matchMedia('(min-width: 960px)');
const TABS = ['all', 'sale', 'mine'];
const plain = (text) => text.normalize('NFKC').toLocaleLowerCase();

export class Bag {
  /** `tell` keeps the bells; `waitOf(offer)` says who waits. */
  constructor({ root, opener, client, onbuy, onopen, tell, waitOf }) {
    Object.assign(this, { root, opener, client, onbuy, onopen, tell, waitOf });
    this.rows = new Map();
    this.tab = 'all';
    this.build();
    root.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.close(); });
    desk.addEventListener('change', () => this.place());
    this.place();
  }

  build() {
    this.search = el('input', { type: 'search', dir: 'auto', enterkeyhint: 'search', placeholder: t('bag.search'), 'aria-label': t('bag.search'), 'data-test': 'bag-search', oninput: () => this.paintOffers(...this.painted) });
    this.list = el('ul.offer-list', { 'data-test': 'offer-list' });
    this.empty = el('p.empty.bag-empty', { 'data-test': 'bag-empty' });
    this.orders = el('ul.order-list', { id: 'order-list', 'data-test': 'order-list' });
    this.none = el('p.empty', { id: 'mine-empty' }, t('mine.empty'));
    this.tabs = TABS.map((name, index) => {
      const tab = el('button', { role: 'tab', type: 'button', id: `tab-${name}`, 'data-test': `tab-${name}`, 'aria-controls': name === 'mine' ? 'bag-mine' : 'bag-all', onclick: () => this.choose(name) }, t(`bag.${name}`));
      tab.addEventListener('keydown', (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (dir === 'rtl' ? -1 : 1);
        if (step) this.choose(TABS[(index + step + TABS.length) % TABS.length], true);
      });
      return tab;
    });
    this.offers = el('div', { id: 'bag-all', role: 'tabpanel' },
      el('label.bag-search', {}, icon('search'), this.search), this.list, this.empty);
    this.mine = el('div', { id: 'bag-mine', role: 'tabpanel', 'aria-labelledby': 'tab-mine', hidden: true }, this.orders, this.none,
      el('a.button.all-orders', { href: `/orders?from=${encodeURIComponent(this.client.stream)}`, 'data-test': 'all-orders' }, t('orders.all')));
    this.root.replaceChildren(
      el('header', {}, el('h2', {}, t('bag')), el('button.ghost.round.bag-close', { type: 'button', 'aria-label': t('close'), 'data-test': 'bag-close', onclick: () => this.close() }, icon('close'))),
      el('div.tabs', { role: 'tablist' }, this.tabs), this.offers, this.mine);
    this.choose('all');
  }

  /** On a phone either the bag can be reached by Tab or what it covers; on a desk both. */
  place() {
    this.shown = desk.matches || this.root.classList.contains('open');
    const covers = this.shown && !desk.matches;
    for (const node of this.root.parentNode.children) node.inert = node === this.root ? !this.shown : covers;
    document.getElementById('scrim').hidden = !covers;
    for (const [name, value] of [['role', 'dialog'], ['aria-modal', 'true']]) {
      if (covers) this.root.setAttribute(name, value);
      else this.root.removeAttribute(name);
    }
    if (this.painted) this.paintOffers(...this.painted);
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

  choose(name, focus = false) {
    this.tab = name;
    this.tabs.forEach((tab, index) => {
      const chosen = TABS[index] === name;
      tab.setAttribute('aria-selected', chosen);
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) tab.focus();
    });
    show(this.offers, name !== 'mine');
    show(this.mine, name === 'mine');
    this.offers.setAttribute('aria-labelledby', `tab-${name}`);
    if (this.painted) this.paintOffers(...this.painted);
  }

  /** Pinned first, then what sells, then what is over; within that, oldest offer first. */
  ordered(now) {
    const { offers, pin } = this.client.state;
    const rank = (offer) => (offer.id === pin?.offer ? 0 : { soon: 1, live: 1, low: 1, paused: 2, ended: 4, sold_out: 3, sold_out_for_now: 1 }[phaseOf(offer, now)]);
    return [...offers.values()].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  }

  paintOffers(now, stale) {
    this.painted = [now, stale];
    if (!this.shown || this.tab === 'mine') return; // nobody looks
    const offers = this.ordered(now);
    const words = plain(this.search.value.trim()).split(/\s+/);
    const wanted = (offer) => (this.tab !== 'sale' || buyable(phaseOf(offer, now))) && words.every((word) => plain(fullTitle(offer)).includes(word));
    const present = new Set(offers.map((offer) => offer.id));
    for (const [id, row] of this.rows) if (!present.has(id)) { row.root.remove(); this.rows.delete(id); }
    let found = 0;
    offers.forEach((offer, index) => {
      if (!this.rows.has(offer.id)) this.rows.set(offer.id, new Row(offer, this));
      const row = this.rows.get(offer.id);
      if (this.list.children[index] !== row.root) this.list.insertBefore(row.root, this.list.children[index] ?? null);
      const shown = wanted(offer);
      show(row.root, shown);
      if (shown) found++;
      row.paint(offer, now, stale, offer.id === this.client.state.pin?.offer);
    });
    show(this.empty, found === 0);
    put(this.empty, t(offers.length === 0 ? 'bag.empty' : this.search.value.trim() ? 'bag.nothing_found' : 'bag.nothing_on_sale'));
  }
}

class Row {
  constructor(offer, bag) {
    this.bag = bag;
    this.title = el('bdi.row-title');
    this.variant = el('small', {}, el('bdi'));
    this.price = el('span');
    this.bar = el('span.bar-slot');
    this.left = el('small.row-left');
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.pinned = el('span.flag', {}, icon('pin'), t('pinned'));
    this.image = el('span');
    this.bell = el('button.ghost.round.bell', { type: 'button', 'data-test': `bell-${offer.id}`, onclick: () => bag.tell.bell(this.offer) }, icon('bell'));
    this.buy = el('button.primary.slim', { type: 'button', 'data-test': `buy-${offer.id}`, onclick: () => bag.onbuy(this.offer, this.buy) });
    this.root = el('li.offer-row', { 'data-test': `offer-${offer.id}` },
      el('button.row-face', { type: 'button', onclick: () => bag.onopen(this.offer) }, this.image,
        el('span.row-text', {}, this.pinned, this.title, this.variant, el('span.row-line', {}, this.price, this.countdown), el('span.row-line', {}, this.bar, this.left))),
      el('span.row-acts', {}, this.buy, this.bell));
  }

  paint(offer, now, stale, pinned) {
    const said = words(offer, now, stale, this.bag.waitOf(offer));
    const { phase, left } = said;
    if (offer !== this.offer) {
      if (offer.image !== this.offer?.image || !this.offer) this.image.replaceChildren(picture(offer.image));
      put(this.title, titleOf(offer));
      put(this.variant.firstChild, variantOf(offer));
      show(this.variant, Boolean(variantOf(offer)));
      this.price.replaceChildren(priceTag(offer));
      this.bar.replaceChildren(stockBar(offer, phase));
      this.offer = offer;
    }
    const rest = countdownOf(offer, now);
    show(this.countdown, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    show(this.pinned, pinned);
    put(this.left, left);
    paintBuy(this.buy, said);
    const rung = this.bag.tell.rings(offer.id);
    // What is on sale and shown has nothing left to announce; what is sold out has the waiting list.
    show(this.bell, phase !== 'ended' && !phase.startsWith('sold_out') && !(pinned && buyable(phase)));
    this.bell.setAttribute('aria-pressed', rung);
    this.bell.setAttribute('aria-label', t(rung ? 'bell.off' : 'bell.on', { offer: fullTitle(offer) }));
    this.root.dataset.phase = phase;
    this.root.dataset.stale = stale;
    this.root.dataset.pinned = pinned;
  }
}
