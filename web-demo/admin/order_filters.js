// The filters over the list of orders. They are in the address of the page, so that a view can be kept as a bookmark.

import { locale, t, titleOf } from '../i18n.js';
import { el, icon, queryAll } from '../ui.js';

/** @import { Stream } from '../types.d.ts' */

/** What a tab shows: the query of the list. */
export const VIEWS = /** @type {Record<string, Record<string, string>>} */ ({
  all: {},
  to_pack: { fulfilment: 'unfulfilled' },
  to_send: { fulfilment: 'packed' },
  sent: { fulfilment: 'sent' },
  delivered: { fulfilment: 'delivered' },
  placed: { status: 'placed' },
  unpaid: { status: 'held' },
  refunded: { status: 'refunded' },
});

const SEARCH_DELAY_MS = 300;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export class OrderFilters {
  /**
   * @param {{ shows: Stream[], tags: string[], onchange: () => void }} options
   */
  constructor({ shows, tags, onchange }) {
    this.onchange = onchange;
    const asked = new URLSearchParams(location.search);
    this.view = asked.get('view') ?? 'all';
    if (!(this.view in VIEWS)) this.view = 'all';
    this.search = el('input', {
      type: 'search',
      dir: 'auto',
      autocomplete: 'off',
      maxLength: 100,
      value: asked.get('search') ?? '',
      placeholder: t('desk.search'),
      'aria-label': t('desk.search'),
      'data-test': 'desk-search',
    });
    this.stream = choice('desk-show', t('desk.show'), t('desk.every_show'), asked.get('stream'));
    this.stream.append(...shows.map((show) => el('option', { value: show.id }, titleOf(show))));
    this.stream.value = asked.get('stream') ?? '';
    this.tag = choice('desk-tag', t('desk.tag'), t('desk.every_tag'), asked.get('tag'));
    this.tag.append(...tags.map((tag) => el('option', { value: tag }, tag)));
    this.tag.value = asked.get('tag') ?? '';
    this.tag.hidden = tags.length === 0;
    for (const control of [this.stream, this.tag]) control.addEventListener('change', () => this.changed());
    let waiting = 0;
    this.search.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.changed(), SEARCH_DELAY_MS);
    });
    const tabs = Object.keys(VIEWS).map((view) => this.tab(view));
    this.tabs = el('div.views', { role: 'tablist', 'aria-label': t('desk.views') }, tabs);
    /** Orders that were placed in this time, as the page of payments asks for a day of the shop. */
    this.since = timeOf(asked.get('since'));
    this.until = timeOf(asked.get('until'));
    const everyDay = () => {
      this.since = this.until = '';
      this.changed();
      // The button is gone.
      this.search.focus({ preventScroll: true });
    };
    this.day = el('button.slim', { type: 'button', 'data-test': 'desk-day', onclick: everyDay });
    this.row = el('div.filter-row', {}, this.search, this.stream, this.tag, this.day);
    this.root = el('div.filters', {}, this.row, this.tabs);
    this.paint();
  }

  /** @param {string} view */
  tab(view) {
    const onclick = () => {
      this.view = view;
      this.changed();
    };
    return el('button', { type: 'button', role: 'tab', 'data-test': `view-${view}`, onclick }, t(`desk.view.${view}`));
  }

  changed() {
    this.paint();
    const address = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries({ ...this.values(), view: this.view === 'all' ? '' : this.view })) {
      if (value) address.set(key, value);
      else address.delete(key);
    }
    history.replaceState(null, '', `${location.pathname}${address.size ? `?${address}` : ''}`);
    this.onchange();
  }

  paint() {
    for (const tab of queryAll('[role=tab]', this.tabs)) {
      tab.setAttribute('aria-selected', String(tab.dataset.test === `view-${this.view}`));
    }
    this.paintDay();
  }

  paintDay() {
    this.day.hidden = !this.since && !this.until;
    const start = this.since ? Number(this.since) : Number(this.until) - DAY_MS;
    const placed = t('desk.placed_on', { day: formatDay(start) });
    this.day.replaceChildren(placed, icon('close'));
    this.day.setAttribute('aria-label', `${placed}. ${t('desk.every_day')}`);
    this.day.title = t('desk.every_day');
  }

  /** The filters as the address of the page has them. */
  address() {
    const values = { ...this.values(), view: this.view === 'all' ? '' : this.view };
    return new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  }

  /**
   * Sets the filters, and reads the list again.
   * @param {URLSearchParams} address
   */
  apply(address) {
    const view = address.get('view') ?? 'all';
    this.view = view in VIEWS ? view : 'all';
    this.search.value = address.get('search') ?? '';
    this.since = timeOf(address.get('since'));
    this.until = timeOf(address.get('until'));
    for (const [control, name] of /** @type {const} */ ([
      [this.stream, 'stream'],
      [this.tag, 'tag'],
    ])) {
      const value = address.get(name) ?? '';
      // A show or tag that no longer has an option still filters.
      if (value && ![...control.options].some((option) => option.value === value)) {
        control.append(el('option', { value, hidden: true }, value));
      }
      control.value = value;
    }
    this.changed();
  }

  values() {
    const { since, until } = this;
    return { search: this.search.value.trim(), stream: this.stream.value, tag: this.tag.value, since, until };
  }

  /** The query of the list. */
  query() {
    const query = new URLSearchParams(VIEWS[this.view]);
    for (const [key, value] of Object.entries(this.values())) if (value) query.set(key, value);
    return query;
  }

  isEmpty() {
    return this.view === 'all' && Object.values(this.values()).every((value) => !value);
  }
}

/** A time of the address, in milliseconds; what is none filters nothing. @param {string | null} asked */
const timeOf = (asked) => (asked && /^\d{1,15}$/.test(asked) ? asked : '');

/**
 * The day of the shop that begins at this time, whatever the time zone of this device is: thirteen hours later it is that day in UTC too,
 * for every shop from UTC−11 to UTC+13.
 * @param {number} start
 */
const formatDay = (start) =>
  new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(
    start + 13 * HOUR_MS,
  );

/**
 * @param {string} test
 * @param {string} label
 * @param {string} all the first option: no filter
 * @param {string | null} asked a value that no option may have: it still filters
 */
function choice(test, label, all, asked) {
  const select = el('select', { 'aria-label': label, 'data-test': test }, el('option', { value: '' }, all));
  if (asked) select.append(el('option', { value: asked, hidden: true }, asked));
  return select;
}
