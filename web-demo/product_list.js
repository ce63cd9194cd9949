// The product list ("Shop" on the pages): every offer of the show, what can be bought now, and the viewer's own orders, which
// my_orders.js paints.
//
// On a phone it is a sheet over the video that loads when it is opened; on a desktop it is the column at the start side.
// It is the same element both times.

import { route } from './base.js';
import { dir, load, t, variantOf } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { canBuy, fullTitle, phaseOf } from './offer.js';
import { ProductRow } from './product_row.js';
import { byId, el, icon, ICONS, setText, setVisible, style } from './ui.js';

/** @import { LiveClient, Offer } from './types.d.ts' */
/** @import { ShownPin } from './shown_pin.js' */
/** @typedef {(typeof TABS)[number]} Tab */

Object.assign(ICONS, {
  bell: 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 20.5h4M12 5V3.5',
  search: 'M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5',
});
await Promise.all([load('buy'), style('product_list')]);

const desktop = matchMedia('(min-width: 60em)');
const TABS = /** @type {const} */ (['all', 'sale', 'mine']);
/** The order of the phases in the list. */
const RANK = { soon: 1, live: 1, low: 1, sold_out_for_now: 1, paused: 2, sold_out: 3, ended: 4, draft: 4 };

export class ProductList {
  /**
   * @param {{ root: HTMLElement, opener: HTMLElement, client: LiveClient, stream: string, pin: ShownPin }
   *   & import('./product_row.js').RowOptions} options `opener` is the button that opens it on a phone
   */
  constructor({ root, opener, client, stream, pin, ...rowOptions }) {
    this.root = root;
    this.opener = opener;
    this.client = client;
    this.pin = pin;
    /** Whether a title is looked for. @type {(title: string) => boolean} */
    this.isFound = () => true;
    this.rowOptions = { ...rowOptions, onchoice: () => this.paint(client.now(), this.stale) };
    /** Key of a group of offers → its row. @type {Map<string, ProductRow>} */
    this.rows = new Map();
    /** @type {Tab} */
    this.tab = 'all';
    this.isShown = false;
    this.stale = false;
    this.search = el('input', {
      type: 'search',
      dir: 'auto',
      enterKeyHint: 'search',
      placeholder: t('product_list.search'),
      'aria-label': t('product_list.search'),
      'data-test': 'product-list-search',
      oninput: () => this.find().catch(showUnreachable),
    });
    this.list = el('ul.offer-list', { 'data-test': 'offer-list' });
    this.empty = el('p.empty.product-list-empty', { 'data-test': 'product-list-empty' });
    this.orders = el('ul.order-list', { id: 'order-list', 'data-test': 'order-list' });
    this.noOrders = el('p.empty', { id: 'my-orders-empty' }, t('my_orders.empty'));
    this.tabs = TABS.map((name, index) => this.makeTab(name, index));
    this.offersPanel = el(
      'div',
      { id: 'product-list-all', role: 'tabpanel' },
      el('label.product-list-search', {}, icon('search'), this.search),
      this.list,
      this.empty,
    );
    this.ordersPanel = el(
      'div',
      {
        id: 'product-list-mine',
        role: 'tabpanel',
        'aria-labelledby': 'tab-mine',
        hidden: true,
      },
      this.orders,
      this.noOrders,
      el(
        'a.button.all-orders',
        {
          href: route(`/orders?from=${encodeURIComponent(stream)}`),
          'data-test': 'all-orders',
        },
        t('orders.all'),
      ),
    );
    const close = el(
      'button.ghost.round.product-list-close',
      {
        type: 'button',
        'aria-label': t('close'),
        'data-test': 'product-list-close',
        onclick: () => this.close(),
      },
      icon('close'),
    );
    root.replaceChildren(
      el('header', {}, el('h2', {}, t('product_list')), close),
      el('div.tabs', { role: 'tablist' }, this.tabs),
      this.offersPanel,
      this.ordersPanel,
    );
    root.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close();
    });
    desktop.addEventListener('change', () => this.updateLayout());
    this.choose('all');
    this.updateLayout();
  }

  /**
   * @param {Tab} name
   * @param {number} index
   */
  makeTab(name, index) {
    const panel = name === 'mine' ? 'product-list-mine' : 'product-list-all';
    const tab = el(
      'button',
      {
        role: 'tab',
        type: 'button',
        id: `tab-${name}`,
        'data-test': `tab-${name}`,
        'aria-controls': panel,
        onclick: () => this.choose(name),
      },
      t(`product_list.${name}`),
    );
    tab.addEventListener('keydown', (event) => {
      const arrow = { ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? 0;
      const step = dir === 'rtl' ? -arrow : arrow;
      if (step) this.choose(TABS[(index + step + TABS.length) % TABS.length], true);
    });
    return tab;
  }

  /** On a phone, Tab reaches either the list or the page below it; on a desktop it reaches both. */
  updateLayout() {
    this.isShown = desktop.matches || this.root.classList.contains('open');
    const isOverPage = this.isShown && !desktop.matches;
    for (const node of /** @type {Iterable<HTMLElement>} */ (this.root.parentElement?.children ?? [])) {
      node.inert = node === this.root ? !this.isShown : isOverPage;
    }
    byId('scrim').hidden = !isOverPage;
    for (const [name, value] of [
      ['role', 'dialog'],
      ['aria-modal', 'true'],
    ]) {
      if (isOverPage) this.root.setAttribute(name, value);
      else this.root.removeAttribute(name);
    }
    this.paint(this.client.now(), this.stale);
  }

  open() {
    this.root.classList.add('open');
    this.updateLayout();
    this.tabs[TABS.indexOf(this.tab)].focus();
  }

  close() {
    if (!this.root.classList.contains('open')) return;
    this.root.classList.remove('open');
    this.updateLayout();
    this.opener.focus();
  }

  /** @param {Tab} name */
  choose(name, focus = false) {
    this.tab = name;
    this.tabs.forEach((tab, index) => {
      const isChosen = TABS[index] === name;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      if (isChosen && focus) tab.focus();
    });
    setVisible(this.offersPanel, name !== 'mine');
    setVisible(this.ordersPanel, name === 'mine');
    this.offersPanel.setAttribute('aria-labelledby', `tab-${name}`);
    this.paint(this.client.now(), this.stale);
  }

  /**
   * The pinned offer comes first, then those that sell, then those that are over; within that the host's line-up.
   * @param {number} now
   */
  ordered(now) {
    const { offers } = this.client.state;
    /** @param {Offer} offer */
    const rank = (offer) => (offer.id === this.pin.offer ? 0 : RANK[phaseOf(offer, now)]);
    return [...offers.values()].sort((a, b) => rank(a) - rank(b) || a.position - b.position || (a.id < b.id ? -1 : 1));
  }

  /**
   * @param {number} now
   * @param {boolean} stale
   */
  paint(now, stale) {
    this.stale = stale;
    // It is not visible.
    if (!this.isShown || this.tab === 'mine') return;
    const offers = this.ordered(now);
    /** @param {Offer} offer */
    const isWanted = (offer) => (this.tab !== 'sale' || canBuy(phaseOf(offer, now))) && this.isFound(fullTitle(offer));
    const groups = groupVariants(offers, now);
    this.removeRowsExcept(new Set(groups.keys()));
    let found = 0;
    [...groups].forEach(([key, variants], index) => {
      const row = this.rows.get(key) ?? new ProductRow(variants[0], this.rowOptions);
      this.rows.set(key, row);
      const place = this.list.children[index] ?? null;
      if (place !== row.root) this.list.insertBefore(row.root, place);
      const isShown = variants.some(isWanted);
      setVisible(row.root, isShown);
      if (isShown) found++;
      row.paint(variants, now, stale, this.pin.offer);
    });
    setVisible(this.empty, found === 0);
    setText(this.empty, t(this.emptyText(offers.length)));
  }

  /** The rule by which words are alike is loaded with the first search. */
  async find() {
    const { finder } = await import('./search_text.js');
    this.isFound = finder(this.search.value);
    this.paint(this.client.now(), this.stale);
  }

  /** @param {Set<string>} present */
  removeRowsExcept(present) {
    for (const [key, row] of this.rows) {
      if (present.has(key)) continue;
      row.root.remove();
      this.rows.delete(key);
    }
  }

  /** @param {number} offers */
  emptyText(offers) {
    if (offers === 0) return 'product_list.empty';
    return this.search.value.trim() ? 'product_list.nothing_found' : 'product_list.nothing_on_sale';
  }
}

/**
 * The variants of one product make one row, in the order of the line-up. A flash sale has a row of its own, with its clock, and so has
 * what is over.
 * @param {Offer[]} offers
 * @param {number} now
 */
export function groupVariants(offers, now) {
  /** @type {Map<string, Offer[]>} */
  const groups = new Map();
  for (const offer of offers) {
    const isAlone = offer.kind === 'flash' || !variantOf(offer) || phaseOf(offer, now) === 'ended';
    const key = isAlone ? offer.id : `product ${offer.product}`;
    groups.set(key, [...(groups.get(key) ?? []), offer]);
  }
  for (const variants of groups.values()) variants.sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));
  return groups;
}
