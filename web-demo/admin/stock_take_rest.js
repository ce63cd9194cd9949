// What was not scanned in a stock take, with what should be there: goods that are missing leave no scan. It is read when somebody asks for
// it, page by page, for the whole catalogue or for what a search finds.

import { asRefusal, get } from '../api.js';
import { formatNumber, refusalText, t, titleOf } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, picture, setText, setVisible, toast } from '../ui.js';
import { productAddress } from './sections.js';
import { variantName } from './stock_take_rows.js';

/** @import { CountedVariant, Refusal } from '../types.d.ts' */

const SEARCH_DELAY_MS = 300;
/** Rows after which a reader is asked before more are read. */
const ROWS_TOGETHER = 50;
/** Pages in a row of which everything was scanned, or nothing should be there. */
const EMPTY_PAGES_MAX = 10;

export class RestOfStock {
  /**
   * @param {{ isCounted: (variant: string) => boolean, onmissing: (variant: CountedVariant) => void, isLocked: () => boolean }} options
   *   `onmissing`: somebody looked, and nothing is there
   */
  constructor(options) {
    this.options = options;
    /** What was read and was not scanned then. @type {CountedVariant[]} */
    this.found = [];
    /** @type {string | null} */
    this.next = null;
    this.isRead = false;
    /** Counts the searches: an answer for an earlier one is ignored. */
    this.turn = 0;
    let waiting = 0;
    this.search = el('input', {
      id: 'rest-search',
      type: 'search',
      dir: 'auto',
      autocomplete: 'off',
      maxLength: 120,
      'data-test': 'rest-search',
      oninput: () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => this.read(), SEARCH_DELAY_MS);
      },
    });
    this.list = el('ul.desk-list.scan-list', { 'data-test': 'rest-list' });
    this.status = el('p.empty', { role: 'status', 'data-test': 'rest-status' });
    const more = { type: 'button', hidden: true, 'data-test': 'rest-more', onclick: () => this.readMore() };
    /** @type {HTMLButtonElement} */
    this.more = el('button', more, t('desk.more'));
    const field = el('div.field', {}, el('label', { for: 'rest-search' }, t('count.rest_search')), this.search);
    this.node = el(
      'details.scan-rest',
      { 'data-test': 'rest', ontoggle: () => this.node.open && !this.isRead && this.read() },
      el('summary', { 'data-test': 'rest-open' }, t('count.rest')),
      el('p.bulk-about', {}, t('count.rest_about')),
      field,
      this.list,
      this.status,
      this.more,
    );
  }

  /** Reads again, because of another search or because the stock was changed. */
  async read() {
    this.turn += 1;
    this.isRead = true;
    this.found = [];
    this.next = null;
    this.paint(t('loading'));
    try {
      await this.readPages();
    } catch (error) {
      this.isRead = false;
      this.paint(refusalText(asRefusal(error)));
    }
  }

  readMore() {
    const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn' });
    return withBusy(this.more, () => this.readPages(), fail);
  }

  /** Pages until there are rows to look at. */
  async readPages() {
    const turn = this.turn;
    const wanted = this.missing().length + ROWS_TOGETHER;
    for (let pages = 0; pages < EMPTY_PAGES_MAX && this.missing().length < wanted; pages += 1) {
      const query = new URLSearchParams();
      if (this.search.value.trim()) query.set('search', this.search.value.trim());
      if (this.next) query.set('after', this.next);
      /** @type {{ items: CountedVariant[], next: string | null }} */
      const page = await get(`/variants?${query}`);
      if (turn !== this.turn) return;
      this.found.push(...page.items.filter(({ expected }) => expected > 0));
      this.next = page.next;
      if (!page.next) break;
    }
    this.repaint();
  }

  /** What should be there and was not scanned. */
  missing() {
    return this.found.filter(({ variant }) => !this.options.isCounted(variant));
  }

  /** After a scan: what was counted is missing no longer. */
  repaint() {
    if (this.isRead) this.paint(t(this.search.value.trim() ? 'count.rest_none_found' : 'count.rest_none'));
  }

  /** @param {string} text where no row is shown */
  paint(text) {
    const missing = this.missing();
    this.list.replaceChildren(...missing.map((variant) => this.row(variant)));
    setText(this.status, missing.length || (this.next && text !== t('loading')) ? '' : text);
    setVisible(this.status, this.status.textContent !== '');
    setVisible(this.more, this.next !== null);
  }

  /** @param {CountedVariant} variant */
  row(variant) {
    const name = [titleOf(variant), variantName(variant)].filter(Boolean).join(' · ');
    const props = {
      type: 'button',
      disabled: this.options.isLocked(),
      'aria-label': t('count.none_there_of', { name }),
      'data-test': `none-${variant.variant}`,
      onclick: () => this.options.onmissing(variant),
    };
    return el(
      'li.scan-row',
      { 'data-rest': variant.variant },
      picture(variant.image, variant),
      el(
        'div.row-text',
        {},
        el('a.row-title', { href: productAddress(variant.product) }, el('bdi', {}, name)),
        el('small', {}, el('bdi', {}, [variant.sku, variant.barcode].filter(Boolean).join(' · '))),
        el(
          'small',
          {},
          t('count.places', { stock: variant.stock, offers: variant.in_offers, orders: variant.to_send }),
        ),
      ),
      el(
        'dl.scan-numbers',
        {},
        el('div', {}, el('dt', {}, t('count.expected')), el('dd', {}, formatNumber(variant.expected))),
      ),
      el('button.slim', props, t('count.none_there')),
    );
  }
}
