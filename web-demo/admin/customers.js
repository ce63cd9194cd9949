// Customers: the list with a search, and one customer with orders, notes, the block, and what is stored about them.

import { asRefusal, call, del, get, put } from '../api.js';
import { newKey } from '../client.js';
import { formatDateTime, formatMoney, formatNumber, lang, refusalText, t } from '../i18n.js';
import { anyText, field } from '../host/form.js';
import { download } from '../host/download.js';
import { orderTitle } from '../order_lines.js';
import { totalOf } from '../order_quote.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { keepFocus } from '../keep_focus.js';
import { openOrder } from './order_sheet.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { Customer, CustomerDetail, Erased, Refusal, Role, Shop, ShopOrder, Stream } from '../types.d.ts' */

/** Pages without a match that are read in a row before the reader is asked. */
const EMPTY_PAGES_MAX = 5;
const TYPING_PAUSE_MS = 300;

export class CustomerList {
  /** @param {{ root: HTMLElement, shop: Shop, shows: Stream[], role: Role }} options */
  constructor({ root, shop, shows, role }) {
    this.root = root;
    this.shop = shop;
    this.shows = new Map(shows.map((show) => [show.id, show]));
    this.isManager = role === 'owner' || role === 'admin';
    /** @type {string | null} */
    this.next = null;
    /** Counts the reloads: an answer for an earlier search is ignored. */
    this.turn = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    const oninput = () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.reload(), TYPING_PAUSE_MS);
    };
    this.search = el('input', {
      type: 'search',
      dir: 'auto',
      placeholder: t('customers.search'),
      'aria-label': t('customers.search'),
      'data-test': 'customer-search',
      oninput,
    });
    this.list = el('ul.desk-list', { 'data-test': 'customer-list' });
    this.status = el('p.empty', { 'data-test': 'customer-empty' });
    const more = { type: 'button', hidden: true, 'data-test': 'customer-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
  }

  async start() {
    this.root.replaceChildren(
      el('div.filters', {}, el('div.filter-row', {}, this.search)),
      this.list,
      this.status,
      this.more,
    );
    await this.reload(true);
  }

  /** Reads the first page again. The first time a refusal is thrown, so that the page can offer to sign in. */
  async reload(isFirst = false) {
    this.turn++;
    this.next = null;
    this.list.replaceChildren();
    this.paint(t('loading'));
    await this.readPage().catch((error) => {
      if (isFirst) throw error;
      this.paint(refusalText(asRefusal(error)));
    });
  }

  readMore() {
    return withBusy(this.more, () => this.readPage(), warn);
  }

  async readPage() {
    const turn = this.turn;
    const search = this.search.value.trim();
    for (let empty = 0; empty < EMPTY_PAGES_MAX; empty++) {
      const query = new URLSearchParams({ limit: '50' });
      if (search) query.set('search', search);
      if (this.next) query.set('after', this.next);
      /** @type {{ items: Customer[], next: string | null }} */
      const page = await get(`/shop/customers?${query}`);
      if (turn !== this.turn) return;
      this.next = page.next;
      this.list.append(...page.items.map((customer) => this.row(customer)));
      if (page.items.length || !page.next) break;
    }
    this.paint(t(search ? 'customers.none_found' : 'customers.none_yet'));
  }

  /** @param {string} text of the empty list */
  paint(text) {
    setText(this.status, text);
    setVisible(this.status, this.list.childElementCount === 0);
    setVisible(this.more, this.next !== null);
  }

  /** @param {Customer} customer */
  row(customer) {
    const { user, email, last_at, is_blocked } = customer;
    const onclick = () => new CustomerSheet({ list: this, user }).load();
    return el(
      'li.plain-row',
      { 'data-customer': user },
      el(
        'button.desk-row',
        { type: 'button', 'data-test': `customer-${user}`, onclick },
        el(
          'span.row-text',
          {},
          el('span.row-title', {}, el('bdi', {}, nameOf(customer))),
          email && el('small', {}, el('bdi', { dir: 'ltr' }, email)),
          el('small', {}, t('customers.last', { at: formatDateTime(last_at) })),
        ),
        is_blocked && el('span.status.refunded', {}, t('customers.blocked')),
      ),
    );
  }
}

class CustomerSheet {
  /** @param {{ list: CustomerList, user: string }} options */
  constructor({ list, user }) {
    this.page = list;
    this.user = user;
    this.path = `/shop/customers/${encodeURIComponent(user)}`;
    this.body = el('div.order-sheet', {}, el('p.empty', {}, t('loading')));
    const sheet = openSheet(this.body, { title: t('customers.one'), test: 'customer', className: 'side' });
    this.dialog = guardTyped(sheet, { hasDraft: () => Boolean(this.note.trim()) });
    /** What is typed and not saved yet; a repaint keeps it. */
    this.note = '';
    /** The id of the note that is typed: a retry adds it once. */
    this.noteId = newKey();
  }

  async load() {
    try {
      /** @type {CustomerDetail} */
      const detail = await get(this.path);
      /** @type {{ items: ShopOrder[] }} */
      const { items } = await get(`/shop/orders?${new URLSearchParams({ buyer: this.user, limit: '20' })}`);
      keepFocus(
        this.body,
        () => this.paint(detail, items),
        (name) => SUCCESSORS[name] ?? [],
      );
    } catch (error) {
      const again = el('button', { type: 'button', onclick: () => this.load() }, t('try_again'));
      this.body.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))), again);
    }
  }

  /**
   * @param {CustomerDetail} detail
   * @param {ShopOrder[]} orders
   */
  paint(detail, orders) {
    const { customer, orders_paid, amount_paid } = detail;
    const money = formatMoney(amount_paid, this.page.shop.currency);
    this.body.replaceChildren(
      el(
        'div.order-head',
        {},
        el(
          'span.row-text',
          {},
          el('span.row-title', {}, el('bdi', {}, nameOf(customer))),
          customer.email && el('small', {}, el('bdi', { dir: 'ltr' }, customer.email)),
          el('small', {}, t('customers.since', { at: formatDateTime(customer.since) })),
          el('small', { 'data-test': 'customer-sums' }, t('customers.paid', { n: formatNumber(orders_paid), money })),
        ),
      ),
      this.ordersPart(orders),
      this.notesPart(detail),
      this.blockPart(detail),
      ...(this.page.isManager ? [this.dataPart(detail)] : []),
    );
  }

  /** @param {ShopOrder[]} orders */
  ordersPart(orders) {
    const { shop, shows } = this.page;
    const rows = orders.map((order) => {
      const open = () => openOrder({ id: order.id, shop, shows, onchange: () => {} });
      return el(
        'li.plain-row',
        {},
        el(
          'button.desk-row',
          { type: 'button', onclick: open },
          el(
            'span.row-text',
            {},
            el('span.row-title', {}, el('bdi', {}, orderTitle(order))),
            el('small', {}, formatDateTime(order.created_at), ' · ', t(`status.${order.status}`)),
          ),
          el('bdi.num', {}, formatMoney(totalOf(order), order.currency)),
        ),
      );
    });
    const list = el('ul.desk-list', { 'data-test': 'customer-orders' }, rows);
    return part(t('desk.orders'), orders.length ? list : el('p.fine', {}, t('customers.no_orders')));
  }

  /** @param {CustomerDetail} detail */
  notesPart({ notes }) {
    const rows = notes.map((note) =>
      el(
        'li',
        {},
        el('p', { dir: 'auto' }, note.text),
        el('small', {}, el('bdi', {}, note.by_name || t('desk.erased_name')), ' · ', formatDateTime(note.at)),
      ),
    );
    const input = el('textarea', {
      rows: 2,
      dir: 'auto',
      maxLength: 1_000,
      value: this.note,
      'aria-label': t('desk.note'),
      'data-test': 'customer-note',
      oninput: () => (this.note = input.value),
    });
    const add = async () => {
      if (!input.value.trim()) return input.focus();
      await put(`${this.path}/notes/${this.noteId}`, { text: input.value });
      this.noteId = newKey();
      this.note = '';
      await this.load();
    };
    const button = el(
      'button.slim',
      { type: 'button', 'data-test': 'customer-note-add', onclick: () => withBusy(button, add, warn) },
      t('desk.add'),
    );
    return part(
      t('desk.notes'),
      el('ul.notes', { 'data-test': 'customer-notes' }, rows),
      el('div.inline', {}, input, button),
    );
  }

  /** @param {CustomerDetail} detail */
  blockPart({ customer, block }) {
    if (block) {
      const lift = async () => {
        await del(`${this.path}/block`);
        toast(t('customers.unblocked'), { kind: 'good', test: 'customer-unblocked' });
        await Promise.all([this.load(), this.page.reload()]);
      };
      const button = el(
        'button.slim',
        { type: 'button', 'data-test': 'customer-unblock', onclick: () => withBusy(button, lift, warn) },
        t('customers.unblock'),
      );
      return part(
        t('customers.block'),
        el('p', { 'data-test': 'customer-is-blocked' }, t('customers.blocked_at', { at: formatDateTime(block.at) })),
        block.reason && el('p', {}, el('bdi', {}, block.reason)),
        button,
      );
    }
    const reason = field({ label: t('customers.reason'), test: 'block-reason', check: anyText, maxLength: 200 });
    const ask = async () => {
      const name = nameOf(customer);
      const [title, text] = [t('customers.block_title', { name }), t('customers.block_about')];
      const [yes, more] = [t('customers.block_do'), reason.node];
      if (!(await confirmDialog({ title, text, yes, danger: true, more }))) return;
      const typed = reason.control.value.trim();
      const work = async () => {
        await put(`${this.path}/block`, typed ? { reason: typed } : {});
        toast(t('customers.blocked_now', { name }), { test: 'customer-blocked' });
        await Promise.all([this.load(), this.page.reload()]);
      };
      await withBusy(button, work, warn);
    };
    const button = el(
      'button.slim.danger',
      { type: 'button', 'data-test': 'customer-block', onclick: ask },
      t('customers.block_do'),
    );
    return part(t('customers.block'), el('p.fine', {}, t('customers.block_about')), button);
  }

  /** Only for owners and admins. @param {CustomerDetail} detail */
  dataPart({ customer }) {
    const save = () => download(`${this.path}/data`, 'customer-data.jsonl');
    const exports = el(
      'button.slim',
      { type: 'button', 'data-test': 'customer-export', onclick: () => withBusy(exports, save, warn) },
      t('customers.export'),
    );
    const ask = async () => {
      const name = nameOf(customer);
      const [title, text] = [t('customers.erase_title', { name }), t('customers.erase_about')];
      if (!(await confirmDialog({ title, text, yes: t('customers.erase'), danger: true }))) return;
      const work = async () => {
        /** @type {Erased} */
        const erased = await call('DELETE', `/users/${encodeURIComponent(this.user)}?lang=${lang}`);
        this.showErased(erased);
        await this.page.reload();
      };
      await withBusy(erase, work, warn);
    };
    const erase = el(
      'button.slim.danger',
      { type: 'button', 'data-test': 'customer-erase', onclick: ask },
      t('customers.erase'),
    );
    return part(
      t('customers.data'),
      el('p.fine', {}, t('customers.data_about')),
      el('div.actions', {}, exports, erase),
    );
  }

  /** What stays and why, in the language of the customer, to pass on. @param {Erased} erased */
  showErased({ kept, language }) {
    const rows = kept.map(({ why }) => el('li', {}, why));
    this.body.replaceChildren(
      el('p', {}, t('customers.erased')),
      rows.length
        ? el('ul', { lang: language, dir: language === 'ar' ? 'rtl' : 'ltr', 'data-test': 'customer-kept' }, rows)
        : el('p.fine', {}, t('customers.nothing_kept')),
    );
  }
}

/** What has the focus when a control is gone. @type {Record<string, string[]>} */
const SUCCESSORS = { 'customer-block': ['customer-unblock'], 'customer-unblock': ['customer-block'] };

/** @param {Customer} customer */
const nameOf = ({ name }) => name || t('desk.erased_name');

/** @param {Refusal} refusal */
const warn = (refusal) => toast(refusalText(refusal), { kind: 'warn' });

/**
 * @param {string} title
 * @param {...unknown} content
 */
const part = (title, ...content) => el('section.part', {}, el('h3', {}, title), .../** @type {any[]} */ (content));
