// The choice of the products that a coupon is for: none means all.

import { asRefusal, get } from '../api.js';
import { refusalText, t, titleOf } from '../i18n.js';
import { el, setText } from '../ui.js';

/** @import { Product } from '../types.d.ts' */

const SEARCH_DELAY_MS = 300;
const FOUND_MAX = 8;
/** The server has the same limit. */
const PRODUCTS_MAX = 100;

export class ProductPicker {
  constructor() {
    /** @type {Map<string, Product>} */
    this.chosen = new Map();
    /** Counts the searches: an answer for an earlier one is ignored. */
    this.turn = 0;
    this.search = el('input', {
      type: 'search',
      id: 'coupon-product-search',
      dir: 'auto',
      autocomplete: 'off',
      maxLength: 120,
      'data-test': 'coupon-product-search',
      // Enter would send the form.
      onkeydown: (event) => event.key === 'Enter' && event.preventDefault(),
    });
    let waiting = 0;
    this.search.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.find(), SEARCH_DELAY_MS);
    });
    this.found = el('ul.picked', { 'data-test': 'coupon-found' });
    this.status = el('small', { role: 'status', 'data-test': 'coupon-products-state' });
    this.list = el('ul.picked', { 'data-test': 'coupon-products' });
    const label = el('label', { for: 'coupon-product-search' }, t('coupons.products'));
    this.node = el('div.field', {}, label, this.list, this.search, this.status, this.found);
    this.paint();
  }

  get ids() {
    return [...this.chosen.keys()];
  }

  async find() {
    const turn = ++this.turn;
    const search = this.search.value.trim();
    if (!search) {
      this.found.replaceChildren();
      return this.paint();
    }
    try {
      /** @type {{ items: Product[] }} */
      const { items } = await get(
        `/products?${new URLSearchParams({ search, limit: String(FOUND_MAX), status: 'active' })}`,
      );
      if (turn !== this.turn) return;
      const others = items.filter(({ id }) => !this.chosen.has(id));
      this.found.replaceChildren(...others.map((product) => this.row(product, false)));
      if (!others.length) setText(this.status, t('products.none_found'));
    } catch (error) {
      if (turn === this.turn) setText(this.status, refusalText(asRefusal(error)));
    }
  }

  /**
   * @param {Product} product
   * @param {boolean} isChosen
   */
  row(product, isChosen) {
    const onclick = () => {
      if (isChosen) this.chosen.delete(product.id);
      else if (this.chosen.size < PRODUCTS_MAX) this.chosen.set(product.id, product);
      this.search.value = '';
      this.found.replaceChildren();
      this.paint();
      this.search.focus();
    };
    const title = titleOf(product);
    const label = t(isChosen ? 'coupons.product_remove' : 'coupons.product_add', { product: title });
    const props = { type: 'button', 'aria-label': label, 'data-test': `coupon-product-${product.id}`, onclick };
    return el('li', {}, el('button.slim', props, el('bdi', {}, title), isChosen ? ' ×' : ' +'));
  }

  paint() {
    this.list.replaceChildren(...[...this.chosen.values()].map((product) => this.row(product, true)));
    setText(this.status, this.chosen.size ? '' : t('coupons.all_products'));
  }
}
