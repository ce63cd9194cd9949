// The catalogue in pages, as the server finds it: its rule knows mistypes and the forms of letters.

import { asRefusal, get } from '../api.js';
import { refusalText } from '../i18n.js';
import { toast } from '../ui.js';

/** @import { Product } from '../types.d.ts' */

export const SEARCH_LENGTH_MAX = 120;
const PAGE = 50;
/** How long nothing must be typed before a search begins. */
const DELAY_MS = 200;

export class ProductPages {
  /** @param {(products: Product[], isFirst: boolean, hasNext: boolean) => void} onpage */
  constructor(onpage) {
    this.onpage = onpage;
    this.search = '';
    /** @type {string | null} */
    this.next = null;
    /** Counts the searches: an answer for an earlier one is ignored. */
    this.turn = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Promise<void>} */
    this.reading = Promise.resolve();
  }

  /** @param {string} text */
  find(text) {
    clearTimeout(this.timer);
    this.search = text.trim();
    this.timer = setTimeout(() => this.begin(), DELAY_MS);
  }

  begin() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.next = null;
    this.turn++;
    this.reading = this.read().catch((error) => toast(refusalText(asRefusal(error)), { kind: 'warn' }));
  }

  /** Waits for what was typed last. */
  async settled() {
    if (this.timer) this.begin();
    await this.reading;
  }

  /** Reads the next page. */
  async read() {
    const { turn, next, search } = this;
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (search) query.set('search', search);
    if (next) query.set('after', next);
    /** @type {{ items: Product[], next: string | null }} */
    const page = await get(`/products?${query}`);
    if (turn !== this.turn) return;
    this.next = page.next;
    this.onpage(page.items, next === null, page.next !== null);
  }
}
