// The catalogue: the products of the shop, to search, to correct, and to add to.

import { asRefusal, get } from '../api.js';
import { formatMoney, refusalText, t, titleOf } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, icon, picture, queryAll, setText, setVisible, toast } from '../ui.js';
import { bulkAddress, importAddress, productAddress } from './sections.js';

/** @import { Product, Refusal } from '../types.d.ts' */

const VIEWS = /** @type {const} */ (['active', 'archived', 'any']);
const SEARCH_DELAY_MS = 300;

export class ProductList {
  /** @param {{ root: HTMLElement }} options */
  constructor({ root }) {
    this.root = root;
    const asked = new URLSearchParams(location.search);
    /** @type {(typeof VIEWS)[number]} */
    this.view = VIEWS.find((view) => view === asked.get('status')) ?? 'active';
    /** @type {string | null} */
    this.next = null;
    /** Counts the reloads: an answer for an earlier search is ignored. */
    this.turn = 0;
    this.search = el('input', {
      type: 'search',
      dir: 'auto',
      autocomplete: 'off',
      maxLength: 120,
      value: asked.get('search') ?? '',
      placeholder: t('products.search'),
      'aria-label': t('products.search'),
      'data-test': 'product-search',
    });
    let waiting = 0;
    this.search.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.changed(), SEARCH_DELAY_MS);
    });
    this.tabs = el(
      'div.views',
      { role: 'tablist', 'aria-label': t('desk.views') },
      VIEWS.map((view) => this.tab(view)),
    );
    this.list = el('ul.desk-list', { 'data-test': 'product-list' });
    this.status = el('p.empty', { 'data-test': 'product-empty' });
    const more = { type: 'button', hidden: true, 'data-test': 'product-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    const add = { href: productAddress('new'), 'data-test': 'product-new' };
    const files = { href: importAddress('new'), 'data-test': 'product-files' };
    this.root.replaceChildren(
      el(
        'div.filters',
        {},
        el(
          'div.filter-row',
          {},
          this.search,
          el('a.button', { href: bulkAddress('grid'), 'data-test': 'product-bulk' }, t('products.bulk')),
          el('a.button', { href: bulkAddress('count'), 'data-test': 'product-count' }, t('products.stock_take')),
          el('a.button', files, t('products.files')),
          el('a.button.primary', add, icon('plus'), t('products.new')),
        ),
        this.tabs,
      ),
      this.list,
      this.status,
      this.more,
    );
    await this.read();
  }

  /** @param {(typeof VIEWS)[number]} view */
  tab(view) {
    const onclick = () => {
      this.view = view;
      this.changed();
    };
    const props = { type: 'button', role: 'tab', 'data-test': `products-${view}`, onclick };
    return el('button', props, t(`products.view.${view}`));
  }

  async changed() {
    const address = new URLSearchParams({ section: 'products', status: this.view, search: this.search.value.trim() });
    history.replaceState(null, '', `?${address}`);
    try {
      await this.read();
    } catch (error) {
      this.paint(refusalText(asRefusal(error)));
    }
  }

  async read() {
    this.turn++;
    this.next = null;
    this.list.replaceChildren();
    for (const tab of queryAll('[role=tab]', this.tabs)) {
      tab.setAttribute('aria-selected', String(tab.dataset.test === `products-${this.view}`));
    }
    this.paint(t('loading'));
    await this.readPage();
  }

  readMore() {
    const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn' });
    return withBusy(this.more, () => this.readPage(), fail);
  }

  async readPage() {
    const turn = this.turn;
    const search = this.search.value.trim();
    const query = new URLSearchParams({ limit: '50', status: this.view });
    if (search) query.set('search', search);
    if (this.next) query.set('after', this.next);
    /** @type {{ items: Product[], next: string | null }} */
    const page = await get(`/products?${query}`);
    if (turn !== this.turn) return;
    this.next = page.next;
    this.list.append(...page.items.map(productRow));
    this.paint(t(search ? 'products.none_found' : `products.none.${this.view}`));
  }

  /** @param {string} text of the empty list */
  paint(text) {
    setText(this.status, text);
    setVisible(this.status, this.list.childElementCount === 0);
    setVisible(this.more, this.next !== null);
  }
}

/** @param {Product} product */
function productRow(product) {
  const { id, category, image, status, variants } = product;
  const prices = variants.map(({ price }) => price);
  const { currency } = variants[0];
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const money = [low, ...(high > low ? [high] : [])].map((price) => formatMoney(price, currency)).join(' – ');
  const stock = variants.reduce((sum, variant) => sum + (variant.stock ?? 0), 0);
  const facts = [category, variants.length > 1 && t('products.variants', { n: variants.length })].filter(Boolean);
  return el(
    'li',
    {},
    el(
      'a.desk-row.product-row',
      { href: productAddress(id), 'data-product': id },
      picture(image, product),
      el(
        'span.row-text',
        {},
        el('bdi.row-title', {}, titleOf(product)),
        el('small', {}, el('bdi', {}, facts.join(' · '))),
      ),
      el('span.desk-money', {}, el('bdi', {}, money), el('small', {}, t('products.in_stock', { n: stock }))),
      status === 'archived' && el('span.status', {}, t('products.is_archived')),
    ),
  );
}
