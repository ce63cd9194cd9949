// The grid: prices, stock and categories of many products at once. What is typed is only sent by the save, all of it by one request,
// and the whole save can be undone.

import { asRefusal, get } from '../api.js';
import { addOnce } from '../host/add_once.js';
import { formatNumber, load, refusalText, t } from '../i18n.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el, setText, setVisible, speak, style, toast } from '../ui.js';
import { COLUMNS, Entry, ROWS_MAX, takeResult } from './bulk_cells.js';
import { listenToKeys } from './bulk_keys.js';
import { rowNode } from './bulk_row.js';
import { savedLine } from './bulk_undo.js';
import { sectionAddress } from './sections.js';

/** @import { BulkEditResult, Product, Refusal, Shop } from '../types.d.ts' */
/** @import { Column, Row } from './bulk_cells.js' */
/** @import { Place } from './bulk_keys.js' */

await Promise.all([load('bulk'), load('imports'), style('admin/bulk')]);

const VIEWS = /** @type {const} */ (['active', 'archived', 'any']);

export class BulkPage {
  /** @param {{ root: HTMLElement, shop: Shop }} options */
  constructor({ root, shop }) {
    this.root = root;
    this.currency = shop.currency;
    const asked = new URLSearchParams(location.search);
    this.view = VIEWS.find((view) => view === asked.get('status')) ?? 'active';
    this.words = asked.get('search') ?? '';
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<Row, { paint: () => void, inputs: Partial<Record<Column, HTMLInputElement>> }>} */
    this.nodes = new Map();
    this.body = el('div.bulk-body', { role: 'rowgroup' });
    const names = ['product', ...COLUMNS].map((name) =>
      el('span', { role: 'columnheader' }, t(`bulk.column.${name}`, { currency: this.currency })),
    );
    const head = el('div.bulk-row.bulk-names', { role: 'row' }, names);
    this.table = el(
      'div.bulk-grid',
      { role: 'table', 'aria-label': t('bulk.title'), 'data-test': 'bulk-grid' },
      el('div.bulk-head', { role: 'rowgroup' }, head),
      this.body,
    );
    this.note = el('p.empty', { hidden: true, 'data-test': 'bulk-note' });
    this.alert = el('div.alert', { role: 'alert', hidden: true, 'data-test': 'bulk-alert' });
    this.saved = el('div');
    this.count = el('span', { role: 'status', 'data-test': 'bulk-count' });
    const discard = { type: 'button', 'data-test': 'bulk-discard', onclick: () => this.discard() };
    this.discardButton = el('button', discard, t('bulk.discard'));
    const save = { type: 'button', 'data-test': 'bulk-save', onclick: () => this.save(this.saveButton, 'all') };
    /** @type {HTMLButtonElement} */
    this.saveButton = el('button.primary', save, t('save'));
    this.bar = el('div.bulk-bar', {}, this.alert, this.count, this.discardButton, this.saveButton);
    this.categories = el('datalist', { id: 'bulk-categories' });
    this.search = el('input', {
      type: 'search',
      dir: 'auto',
      autocomplete: 'off',
      maxLength: 120,
      value: this.words,
      placeholder: t('products.search'),
      'aria-label': t('products.search'),
      'data-test': 'bulk-search',
    });
    listenToKeys(this.body, {
      at: ({ row, column }) => this.nodes.get(this.rows[row])?.inputs[column],
      placeOf: (input) => this.placeOf(input),
      rows: () => this.rows.length,
      type: (place, text) => this.cell(place)?.set(text),
      reset: (place) => this.cell(place)?.reset(),
      typed: (places) => this.typed(places.map(({ row }) => this.rows[row])),
    });
    globalThis.addEventListener('beforeunload', (event) => {
      if (this.changed().length) event.preventDefault();
    });
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    const back = el('a', { href: sectionAddress('products'), 'data-test': 'bulk-back' }, t('products.all'));
    const find = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.find();
    };
    const button = el('button', { type: 'submit', 'data-test': 'bulk-find' }, t('bulk.find'));
    this.root.replaceChildren(
      el('nav.crumbs', { 'aria-label': t('products.where') }, back),
      el('div.desk-head', {}, el('h2', {}, t('bulk.title'))),
      el('p.bulk-about', {}, t('bulk.about')),
      el('form.filter-row', { role: 'search', onsubmit: find }, this.search, button),
      this.saved,
      this.table,
      this.note,
      this.categories,
      this.bar,
    );
    await this.read();
  }

  async find() {
    if (this.changed().length) {
      const [title, text] = [t('bulk.discard_title'), t('bulk.discard_sure')];
      if (!(await confirmDialog({ title, text, yes: t('bulk.discard'), no: t('bulk.keep'), danger: true }))) return;
    }
    this.words = this.search.value.trim();
    const address = new URLSearchParams({ section: 'products', bulk: 'grid', status: this.view, search: this.words });
    history.replaceState(null, '', `?${address}`);
    await this.read().catch((error) => toast(refusalText(asRefusal(error)), { kind: 'warn', test: 'bulk-fault' }));
  }

  /** Reads products until the grid is full. */
  async read() {
    this.show([]);
    this.say(t('loading'));
    /** @type {Product[]} */
    const found = [];
    let [rows, after] = [0, /** @type {string | null} */ ('')];
    while (after !== null && rows < ROWS_MAX) {
      const query = new URLSearchParams({ limit: '100', status: this.view });
      if (this.words) query.set('search', this.words);
      if (after) query.set('after', after);
      /** @type {{ items: Product[], next: string | null }} */
      const page = await get(`/products?${query}`);
      for (const product of page.items) {
        rows += product.variants.length;
        if (rows <= ROWS_MAX) found.push(product);
      }
      after = page.next;
    }
    this.show(found);
    const isCut = rows > ROWS_MAX || after !== null;
    const none = t(this.words ? 'products.none_found' : `products.none.${this.view}`);
    this.say(isCut ? t('bulk.cut', { max: ROWS_MAX }) : found.length ? '' : none);
  }

  /** @param {string} text */
  say(text) {
    setText(this.note, text);
    setVisible(this.note, Boolean(text));
  }

  /** @param {Product[]} products */
  show(products) {
    this.entries = products.map((product) => new Entry(product));
    this.rows = this.entries.flatMap((entry) => entry.rows);
    this.nodes.clear();
    const nodes = this.rows.map((row) => {
      const made = rowNode(row, { currency: this.currency, ontype: () => this.typed([row]) });
      this.nodes.set(row, made);
      return made.node;
    });
    this.body.replaceChildren(...nodes);
    const known = new Set(products.flatMap(({ category }) => category ?? []));
    this.categories.replaceChildren(...[...known].map((value) => el('option', { value })));
    setVisible(this.table, this.rows.length > 0);
    setVisible(this.alert, false);
    this.paintBar();
  }

  /** @param {EventTarget | null} input @returns {Place | null} */
  placeOf(input) {
    if (!(input instanceof HTMLInputElement)) return null;
    const column = COLUMNS.find((one) => one === input.dataset.column);
    const row = this.rows.findIndex((one) => column && this.nodes.get(one)?.inputs[column] === input);
    return column && row >= 0 ? { row, column } : null;
  }

  /** @param {Place} place */
  cell = ({ row, column }) => this.rows[row]?.cells[column];

  /** @param {Row[]} rows */
  typed(rows) {
    setVisible(this.alert, false);
    for (const entry of new Set(rows.map((row) => row.entry))) {
      entry.refused = '';
      for (const row of entry.rows) this.nodes.get(row)?.paint();
    }
    this.paintBar();
  }

  changed() {
    return this.entries.filter((entry) => entry.isChanged());
  }

  paintBar() {
    const changed = this.changed();
    const cells = changed.flatMap((entry) => entry.cells().filter((cell) => cell.isChanged()));
    setText(
      this.count,
      cells.length ? t('bulk.changed', { n: cells.length, products: formatNumber(changed.length) }) : '',
    );
    this.saveButton.disabled = !cells.length;
    this.discardButton.disabled = !cells.length;
    setVisible(this.bar, cells.length > 0 || !this.alert.hidden);
  }

  async discard() {
    const [title, text] = [t('bulk.discard_title'), t('bulk.discard_sure')];
    if (!(await confirmDialog({ title, text, yes: t('bulk.discard'), no: t('bulk.keep'), danger: true }))) return;
    for (const entry of this.entries) {
      entry.refused = '';
      for (const cell of entry.cells()) cell.reset();
    }
    this.paintAll();
    setVisible(this.alert, false);
  }

  paintAll() {
    for (const { paint } of this.nodes.values()) paint();
    this.paintBar();
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {'all' | 'good'} rows
   */
  save(button, rows) {
    setVisible(this.alert, false);
    const changed = this.changed();
    const wrong = changed.filter((entry) => entry.isWrong());
    if (wrong.length && rows === 'all') {
      return this.warn(t('bulk.wrong', { n: wrong.length }), changed.length > wrong.length);
    }
    // A conflict that nobody has looked at is not valid.
    const isGood = (/** @type {Entry} */ entry) => !entry.isWrong() && (rows === 'all' || !entry.refused);
    const sent = changed.filter(isGood).map((entry) => ({ entry, ...entry.edit() }));
    if (!sent.length) return undefined;
    const send = async () => {
      const body = { source: 'grid', rows, products: sent.map(({ edit }) => edit) };
      /** @type {BulkEditResult} */
      const result = await addOnce('/bulk-edits', body);
      this.take(result, sent);
    };
    // A button that was busy is enabled again, also where there is nothing more to save.
    return withBusy(button, send, (refusal) => this.refuse(refusal)).finally(() => this.paintBar());
  }

  /**
   * @param {BulkEditResult} result
   * @param {{ entry: Entry, rows: Row[] }[]} sent
   */
  take(result, sent) {
    const { saved, refused } = takeResult(result, sent);
    this.paintAll();
    if (result.import) {
      const text = t('bulk.saved', { n: saved });
      speak(text);
      this.saved.replaceChildren(savedLine({ id: result.import, text, onundone: () => this.read() }));
    }
    if (refused) {
      const text = t(result.import ? 'bulk.refused_some' : 'bulk.refused_all', { n: refused });
      this.warn(text, !result.import && sent.length > refused);
    }
  }

  /**
   * Says why something was not saved, and shows the first such row.
   * @param {string} text
   * @param {boolean} hasGood whether the others can be saved alone
   */
  warn(text, hasGood) {
    const good = el(
      'button',
      { type: 'button', 'data-test': 'bulk-save-good', onclick: () => this.save(good, 'good') },
      t('bulk.save_good'),
    );
    this.alert.replaceChildren(el('p', {}, text), ...(hasGood ? [good] : []));
    setVisible(this.alert, true);
    const first = this.rows.find(
      (row) => row.entry.refused || row.list().some((cell) => cell.isChanged() && cell.fault()),
    );
    const cell = first?.list().find((one) => one.isChanged() && one.fault()) ?? first?.list()[0];
    if (!first || !cell) return;
    const input = this.nodes.get(first)?.inputs[cell.column];
    input?.focus({ preventScroll: true });
    input?.scrollIntoView({ block: 'center' });
  }

  /** @param {Refusal} refusal */
  refuse(refusal) {
    this.warn(refusalText(refusal), false);
  }
}
