// Imports and exports of the catalogue: a file is uploaded and checked, its products are seen row by row, and then they are imported.

import { asRefusal, call, get } from '../api.js';
import { download } from '../host/download.js';
import { formatDateTime, formatNumber, lang, load, refusalText, t } from '../i18n.js';
import { sendFile } from '../picture_upload.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el, icon, queryAll, setText, setVisible, style, toast } from '../ui.js';
import { importAddress, productAddress, sectionAddress } from './sections.js';

/** @import { Import, ImportedProduct, ImportedState, ImportStatus, Refusal } from '../types.d.ts' */

await Promise.all([load('imports'), load('pictures'), style('admin/import')]);

/** How prices may be written: a value of the API, and an example. */
const NUMBERS = { en: '1,500.25', id: '1.500,25', ar: '١٬٥٠٠٫٢٥' };
/** Longer than the server waits for a file of 100 MB over a slow line. */
const UPLOAD_TIMEOUT_MS = 20 * 60_000;
const POLL_MS = 700;
/** @type {Set<ImportStatus>} */
const WORKING = new Set(['receiving', 'checking', 'applying', 'fetching', 'undoing']);
/** @type {ImportedState[]} */
const STATES = ['bad', 'create', 'change', 'same', 'created', 'changed', 'refused', 'undone', 'kept'];

const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn', test: 'import-fault' });

/** @param {string} address @param {string} label */
const crumbs = (address, label) =>
  el(
    'nav.crumbs',
    { 'aria-label': t('products.where') },
    el('a', { href: address, 'data-test': 'import-back' }, label),
  );

/** The name of the file, or of the edit that is kept like an import. @param {Import} one */
const nameOf = ({ source, file_name }) => (source === 'file' ? file_name : t(`imports.source.${source}`));

/** @param {Pick<Import, 'source' | 'status'>} one */
const statusOf = ({ source, status }) =>
  t(source !== 'file' && status === 'applied' ? 'imports.saved' : `imports.status.${status}`);

/** The upload, the exports, and the imports of the last time. */
export class ImportList {
  /** @param {{ root: HTMLElement }} options */
  constructor({ root }) {
    this.root = root;
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    /** @type {{ items: Import[] }} */
    const { items } = await get('/imports?limit=50');
    this.root.replaceChildren(
      crumbs(sectionAddress('products'), t('products.all')),
      el('div.desk-head', {}, el('h2', {}, t('imports.title'))),
      this.upload(),
      this.exports(),
      el('h3', {}, t('imports.earlier')),
      items.length
        ? el('ul.desk-list', { 'data-test': 'import-list' }, items.map(importRow))
        : el('p.empty', {}, t('imports.none')),
    );
  }

  upload() {
    const own = lang in NUMBERS ? lang : 'en';
    const numbers = el(
      'select',
      { id: 'import-numbers', 'data-test': 'import-numbers' },
      Object.entries(NUMBERS).map(([value, example]) => el('option', { value, selected: value === own }, example)),
    );
    const picker = el('input', {
      type: 'file',
      accept: '.csv,.txt,.tsv,text/csv',
      hidden: true,
      'data-test': 'import-file',
    });
    const progress = el('progress', { max: 1, value: 0, hidden: true });
    const choose = el(
      'button.primary',
      { type: 'button', 'data-test': 'import-choose', onclick: () => picker.click() },
      icon('plus'),
      t('imports.choose'),
    );
    const send = async (/** @type {File} */ file) => {
      const query = new URLSearchParams({ file_name: file.name, numbers: numbers.value });
      progress.setAttribute('aria-label', t('imports.sending', { name: file.name }));
      setVisible(progress, true);
      const onprogress = (/** @type {number} */ part) => (progress.value = part);
      const signal = new AbortController().signal;
      const made = await sendFile(`/v1/imports?${query}`, file, { onprogress, signal, timeout: UPLOAD_TIMEOUT_MS });
      location.assign(importAddress(/** @type {Import} */ (made).id));
    };
    const take = (/** @type {File | undefined} */ file) => {
      if (!file) return;
      withBusy(choose, () => send(file), fail).finally(() => setVisible(progress, false));
    };
    picker.addEventListener('change', () => {
      take(picker.files?.[0]);
      picker.value = ''; // The same file can be chosen again.
    });
    const node = el(
      'div.import-drop',
      {},
      el('p', {}, t('imports.about')),
      el('label.import-numbers', { for: 'import-numbers' }, el('span', {}, t('imports.numbers')), numbers),
      choose,
      picker,
      el('small', {}, t('imports.drop')),
      progress,
    );
    node.addEventListener('dragover', (event) => event.preventDefault());
    node.addEventListener('drop', (event) => {
      event.preventDefault();
      take(event.dataTransfer?.files[0]);
    });
    return node;
  }

  exports() {
    const button = (/** @type {string} */ file, /** @type {string} */ label) => {
      const one = el(
        'button',
        {
          type: 'button',
          'data-test': file,
          onclick: () => withBusy(one, () => download(`/catalogue/${file}`, file), fail),
        },
        label,
      );
      return one;
    };
    return el(
      'div.import-exports',
      {},
      el('h3', {}, t('imports.export')),
      el(
        'div.row-actions',
        {},
        button('products.csv', t('imports.export_own')),
        button('products-shopify.csv', t('imports.export_shopify')),
      ),
    );
  }
}

/** @param {Import} one */
function importRow(one) {
  return el(
    'li',
    {},
    el(
      'a.desk-row.import-link',
      { href: importAddress(one.id), 'data-import': one.id },
      el(
        'span.row-text',
        {},
        el('bdi.row-title', {}, nameOf(one)),
        el('small', {}, formatDateTime(one.at), ' · ', el('bdi', {}, one.by_name)),
      ),
      el('span.status', {}, statusOf(one)),
    ),
  );
}

/** One import: what it would do, what it does, and what it did. */
export class ImportPage {
  /** @param {{ root: HTMLElement, id: string }} options */
  constructor({ root, id }) {
    this.root = root;
    this.path = `/imports/${id}`;
    /** The products in this state are shown; null: all. @type {ImportedState | null} */
    this.view = null;
    /** @type {string | null} */
    this.next = null;
    /** Counts the reloads: an answer for an earlier view is ignored. */
    this.turn = 0;
    this.isFile = true;
    this.title = el('bdi');
    this.state = el('span.status', { role: 'status', 'data-test': 'import-status' });
    this.facts = el('p.import-facts', { 'data-test': 'import-facts' });
    this.bar = el('progress', { max: 1 });
    this.error = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'import-error' });
    this.actions = el('div.row-actions.import-actions');
    this.tabs = el('div.views', { role: 'tablist', 'aria-label': t('desk.views') });
    this.list = el('ul.desk-list.import-rows', { 'data-test': 'import-rows' });
    this.empty = el('p.empty', { hidden: true }, t('imports.no_rows'));
    const more = { type: 'button', hidden: true, 'data-test': 'import-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    /** @type {Import} */
    const now = await get(this.path);
    this.root.replaceChildren(
      crumbs(importAddress('new'), t('imports.all')),
      el('div.desk-head', {}, el('h2', {}, this.title), this.state),
      this.facts,
      this.bar,
      this.error,
      this.actions,
      this.tabs,
      this.list,
      this.empty,
      this.more,
    );
    await this.show(now);
  }

  /** @param {Import} now */
  async show(now) {
    this.paint(now);
    await this.reload();
    if (WORKING.has(now.status)) this.poll(now.status);
  }

  /** Reads again until the work is done. @param {ImportStatus} before */
  poll(before) {
    setTimeout(async () => {
      try {
        /** @type {Import} */
        const now = await get(this.path);
        this.paint(now);
        if (!WORKING.has(now.status) || now.status !== before) await this.reload();
        if (WORKING.has(now.status)) this.poll(now.status);
      } catch (error) {
        fail(asRefusal(error));
        this.poll(before);
      }
    }, POLL_MS);
  }

  /** @param {Import} now */
  paint(now) {
    const { counts, status } = now;
    setText(this.title, nameOf(now));
    this.isFile = now.source === 'file';
    setText(this.state, statusOf(now));
    this.state.dataset.status = status;
    const facts = [
      this.isFile && now.rows > 0 && t('imports.rows', { n: formatNumber(now.rows) }),
      now.encoding && t('imports.encoding', { encoding: now.encoding }),
      status === 'fetching' && t('imports.pictures_left', { n: formatNumber(now.pictures_left ?? 0) }),
    ].filter(Boolean);
    setText(this.facts, facts.join(' · '));
    setText(this.error, now.error);
    setVisible(this.error, Boolean(now.error));
    setVisible(this.bar, WORKING.has(status));
    if (counts) this.paintProgress(status, counts);
    this.actions.replaceChildren(...this.buttons(now));
    const tabs = STATES.filter((state) => counts?.[state]);
    if (this.view && !tabs.includes(this.view)) this.view = null;
    this.tabs.replaceChildren(this.tab(null, null), ...tabs.map((state) => this.tab(state, counts?.[state] ?? 0)));
    setVisible(this.tabs, tabs.length > 0);
  }

  /**
   * @param {ImportStatus} status
   * @param {Record<ImportedState, number>} counts
   */
  paintProgress(status, counts) {
    const written = counts.created + counts.changed + counts.refused;
    const undone = counts.undone + counts.kept;
    const [done, left] =
      status === 'undoing' ? [undone, counts.created + counts.changed] : [written, counts.create + counts.change];
    if (status === 'applying' || status === 'undoing') this.bar.value = done / Math.max(1, done + left);
    else this.bar.removeAttribute('value');
  }

  /** @param {Import} now */
  buttons({ status, counts, can_undo, by_name }) {
    const button = (
      /** @type {string} */ name,
      /** @type {string} */ label,
      /** @type {() => Promise<unknown>} */ act,
      kind = /** @type {'button' | 'button.primary'} */ ('button'),
    ) => {
      const one = el(
        kind,
        { type: 'button', 'data-test': `import-${name}`, onclick: () => withBusy(one, act, fail) },
        label,
      );
      return one;
    };
    const post = async (/** @type {string} */ verb, body = {}) =>
      this.show(await call('POST', `${this.path}/${verb}`, { body }));
    const found = (counts?.create ?? 0) + (counts?.change ?? 0);
    const cancel = button('cancel', t('imports.cancel'), () => post('cancel'));
    if (status === 'ready') {
      const bad = counts?.bad ?? 0;
      const apply = bad
        ? button('apply-good', t('imports.apply_good'), () => post('apply', { rows: 'good' }), 'button.primary')
        : button('apply', t('imports.apply'), () => post('apply', { rows: 'all' }), 'button.primary');
      return found ? [apply, cancel] : [cancel];
    }
    if (status === 'applied' || (status === 'cancelled' && counts && counts.created + counts.changed > 0)) {
      if (can_undo === false) {
        return [el('small', { 'data-test': 'import-not-yours' }, t('imports.undo_for_maker', { name: by_name }))];
      }
      const title = t(this.isFile ? 'imports.undo' : 'imports.undo_all');
      const undo = async () => {
        const text = t(this.isFile ? 'imports.undo_sure' : 'imports.undo_all_sure');
        if (await confirmDialog({ title, text, yes: title, danger: true })) await post('undo');
      };
      return [button('undo', title, undo)];
    }
    return WORKING.has(status) && status !== 'undoing' ? [cancel] : [];
  }

  /**
   * @param {ImportedState | null} state
   * @param {number | null} n
   */
  tab(state, n) {
    const onclick = () => {
      this.view = state;
      for (const tab of queryAll('[role=tab]', this.tabs)) tab.setAttribute('aria-selected', String(tab === one));
      this.reload().catch((error) => fail(asRefusal(error)));
    };
    const selected = String(this.view === state);
    const props = {
      type: 'button',
      role: 'tab',
      'aria-selected': selected,
      'data-test': `import-view-${state ?? 'any'}`,
      onclick,
    };
    const count = n !== null && el('small', {}, ` ${formatNumber(n)}`);
    const one = el('button', props, t(`imports.view.${state ?? 'any'}`), count);
    return one;
  }

  async reload() {
    this.turn++;
    this.next = null;
    await this.readPage(true);
  }

  readMore() {
    return withBusy(this.more, () => this.readPage(false), fail);
  }

  /** @param {boolean} isFirst */
  async readPage(isFirst) {
    const turn = this.turn;
    const query = new URLSearchParams({ limit: '50' });
    if (this.view) query.set('state', this.view);
    if (this.next) query.set('after', this.next);
    /** @type {{ items: ImportedProduct[], next: string | null }} */
    const page = await get(`${this.path}/products?${query}`);
    if (turn !== this.turn) return;
    this.next = page.next;
    if (isFirst) this.list.replaceChildren();
    this.list.append(...page.items.map((product) => productRow(product, this.isFile)));
    setVisible(this.empty, this.list.childElementCount === 0);
    setVisible(this.more, this.next !== null);
  }
}

/**
 * @param {ImportedProduct} product
 * @param {boolean} isFile only rows of a file have numbers that say something
 */
function productRow(product, isFile) {
  const place = isFile ? cellOfFile : cellOfEdit;
  const name = el('bdi.row-title', {}, product.title || product.handle);
  return el(
    'li.import-row',
    { 'data-state': product.state },
    el(
      'div.import-head',
      {},
      product.product ? el('a', { href: productAddress(product.product) }, name) : name,
      isFile && el('small', {}, t('imports.row', { row: formatNumber(product.row) })),
      el('span.status', { 'data-state': product.state }, t(`imports.view.${product.state}`)),
    ),
    product.problems.length > 0 &&
      el(
        'ul.import-problems',
        {},
        product.problems.map((problem) =>
          el(
            'li',
            { 'data-warning': problem.is_warning },
            el('b', {}, place(problem)),
            ' ',
            t(`imports.problem.${problem.code}`),
            el('small', { dir: 'ltr' }, problem.message),
          ),
        ),
      ),
    product.changes.length > 0 &&
      el(
        'ul.import-changes',
        {},
        product.changes.map((change) =>
          el(
            'li',
            {},
            el('b', {}, place(change)),
            ' ',
            el('bdi', {}, change.before || t('imports.empty')),
            el('span.import-arrow', { 'aria-hidden': 'true' }, ' → '),
            el('bdi', {}, change.after || t('imports.empty')),
          ),
        ),
      ),
  );
}

/** @param {{ column: string, variant?: string }} cell */
function cellOfEdit({ column, variant }) {
  const name = column && t(`imports.column.${column}`);
  return variant && name ? t('imports.variant_cell', { name: variant, column: name }) : name;
}

/** @param {{ row: number, column: string }} cell */
const cellOfFile = ({ row, column }) =>
  column ? t('imports.cell', { row: formatNumber(row), column }) : t('imports.row', { row: formatNumber(row) });
