// The list of orders: pages of it, the selection, and what is done to all selected orders.

import { asRefusal, del, get, put } from '../api.js';
import { formatDateTime, formatMoney, refusalText, t, titleOf } from '../i18n.js';
import { numberBefore, orderTitle } from '../order_lines.js';
import { withBusy } from '../sheet.js';
import { totalOf } from '../order_quote.js';
import { el, isFocusLost, picture, setText, setVisible, toast } from '../ui.js';
import { download } from '../host/download.js';
import { OrderFilters } from './order_filters.js';
import { openOrder } from './order_sheet.js';
import { sendParcel } from './parcel_part.js';
import { openPickList, parcelsOf } from './pick_list.js';
import { SavedViews } from './saved_views.js';
import { isSendable, isToSend } from './sendable.js';

/** @import { Fulfilment, Shop, ShopOrder, Stream } from '../types.d.ts' */

/** Pages without a match that are read in a row before the reader is asked. */
const EMPTY_PAGES_MAX = 5;

export class OrderList {
  /** @param {{ root: HTMLElement, shop: Shop, shows: Stream[], tags: string[] }} options */
  constructor({ root, shop, shows, tags }) {
    this.root = root;
    this.shop = shop;
    this.shows = new Map(shows.map((show) => [show.id, show]));
    this.filters = new OrderFilters({
      shows,
      tags,
      onchange: () => {
        this.saved.changed();
        this.reload();
      },
    });
    this.saved = new SavedViews({
      current: () => this.filters.address().toString(),
      apply: (query) => this.filters.apply(new URLSearchParams(query)),
    });
    /** Whether the orders of one buyer in one show stand together. */
    this.isGrouped = false;
    /** @type {Map<string, ShopOrder>} */
    this.orders = new Map();
    /** @type {Set<string>} */
    this.selected = new Set();
    /** @type {string | null} */
    this.next = null;
    /** Counts the reloads: an answer for earlier filters is ignored. */
    this.turn = 0;
    this.list = el('ul.desk-list', { 'data-test': 'desk-list' });
    this.status = el('p.empty', { 'data-test': 'desk-empty' });
    const more = { type: 'button', hidden: true, 'data-test': 'desk-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
    this.count = el('strong', { 'data-test': 'bulk-count' });
    this.bar = this.bulkBar();
  }

  async start() {
    // What is on the screen is what is exported: the same filters.
    const save = () => download(`/shop/export/orders.csv?${this.filters.query()}`, 'orders.csv');
    const onclick = () => withBusy(button, save, (refusal) => toast(refusalText(refusal), { kind: 'warn' }));
    const button = el('button', { type: 'button', 'data-test': 'desk-export', onclick }, t('desk.export'));
    const grouped = el('input', {
      type: 'checkbox',
      'data-test': 'desk-grouped',
      onchange: () => {
        this.isGrouped = grouped.checked;
        this.paintRows();
      },
    });
    const pick = () => openPickList(this.ordersToPick(), this.shop);
    this.filters.row.append(
      button,
      el('button', { type: 'button', 'data-test': 'desk-pick-list', onclick: pick }, t('desk.pick_list')),
      this.saved.root,
      el('label.tick.grouped', {}, grouped, el('span', {}, t('desk.grouped'))),
    );
    // Before anything is shown: the list of views would move what stands below it.
    await this.saved.load().catch((error) => toast(refusalText(asRefusal(error)), { kind: 'warn' }));
    this.root.replaceChildren(this.filters.root, this.list, this.status, this.more, this.bar);
    await this.reload(true);
  }

  /** Reads the first page again. The first time a refusal is thrown, so that the page can offer to sign in. */
  async reload(isFirst = false) {
    this.turn++;
    this.orders.clear();
    this.selected.clear();
    this.next = null;
    this.list.replaceChildren();
    this.paint(t('loading'));
    await this.readPage().catch((error) => {
      if (isFirst) throw error;
      this.paint(refusalText(asRefusal(error)));
    });
  }

  readMore() {
    return withBusy(
      this.more,
      () => this.readPage(),
      (refusal) => toast(refusalText(refusal), { kind: 'warn' }),
    );
  }

  async readPage() {
    const turn = this.turn;
    for (let empty = 0; empty < EMPTY_PAGES_MAX; empty++) {
      const query = this.filters.query();
      query.set('limit', '50');
      if (this.next) query.set('after', this.next);
      /** @type {{ items: ShopOrder[], next: string | null }} */
      const page = await get(`/shop/orders?${query}`);
      if (turn !== this.turn) return;
      this.next = page.next;
      for (const order of page.items) {
        this.orders.set(order.id, order);
        if (!this.isGrouped) this.list.append(this.row(order));
      }
      if (page.items.length || !page.next) break;
    }
    if (this.isGrouped) this.paintRows();
    this.paint(t(this.filters.isEmpty() ? 'desk.none_yet' : 'desk.none_found'));
  }

  /** @param {string} text of the empty list */
  paint(text) {
    setText(this.status, text);
    setVisible(this.status, this.orders.size === 0);
    setVisible(this.more, this.next !== null);
    this.paintSelection();
  }

  /** What a pick list has: the selected orders, else those on the screen that are still to be sent. */
  ordersToPick() {
    const all = [...this.orders.values()];
    if (this.selected.size) return all.filter(({ id }) => this.selected.has(id));
    return all.filter(isToSend);
  }

  /** The rows in the order of the list, or one group for each buyer and show. */
  paintRows() {
    const all = [...this.orders.values()];
    const rows = this.isGrouped
      ? parcelsOf(all).flatMap((parcel) => [this.groupHead(parcel), ...parcel.map((order) => this.row(order))])
      : all.map((order) => this.row(order));
    // The row that has the focus is another one now.
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const name = focused && this.list.contains(focused) ? focused.dataset.test : null;
    this.list.replaceChildren(...rows);
    const row = name ? this.list.querySelector(`[data-test="${name}"]`) : null;
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
  }

  /** @param {ShopOrder[]} parcel */
  groupHead(parcel) {
    const [first] = parcel;
    const ids = parcel.map(({ id }) => id);
    const name = first.buyer_name || t('desk.erased_name');
    const box = el('input', {
      type: 'checkbox',
      checked: ids.every((id) => this.selected.has(id)),
      'aria-label': t('desk.select_all_of', { name }),
      'data-test': `group-${first.id}`,
      onchange: () => {
        for (const id of ids) {
          if (box.checked) this.selected.add(id);
          else this.selected.delete(id);
        }
        this.paintRows();
        this.paintSelection();
      },
    });
    const show = this.shows.get(first.stream);
    const about = [t('desk.n_orders', { n: parcel.length }), show && titleOf(show)].filter(Boolean).join(' · ');
    return el(
      'li.group',
      {},
      el('label.pick', {}, box),
      el('span.row-text', {}, el('bdi.row-title', {}, name), el('small', {}, about)),
    );
  }

  /** @param {ShopOrder} order */
  row(order) {
    const box = el('input', {
      type: 'checkbox',
      'aria-label': t('desk.select', { name: order.buyer_name || order.buyer }),
      checked: this.selected.has(order.id),
      'data-test': `select-${order.id}`,
      onchange: () => {
        if (box.checked) this.selected.add(order.id);
        else this.selected.delete(order.id);
        this.paintSelection();
      },
    });
    const open = () =>
      openOrder({
        id: order.id,
        shop: this.shop,
        shows: this.shows,
        onchange: (now) => this.replace(now),
        onparcel: (sent) => sent.forEach((fulfilment, id) => this.showFulfilment(id, fulfilment)),
      });
    return el(
      'li',
      { 'data-order': order.id },
      el('label.pick', {}, box),
      el(
        'button.desk-row',
        { type: 'button', 'data-test': `order-${order.id}`, onclick: open },
        picture(order.image, order),
        el(
          'span.row-text',
          {},
          el('bdi.row-title', {}, orderTitle(order)),
          el(
            'small',
            {},
            numberBefore(order),
            el('bdi', {}, order.buyer_name || t('desk.erased_name')),
            ' · ',
            formatDateTime(order.created_at),
          ),
          order.tags.length > 0 &&
            el(
              'span.tags',
              {},
              order.tags.map((tag) => el('bdi.tag', {}, tag)),
            ),
        ),
        el(
          'span.desk-money',
          {},
          el('bdi.num', {}, formatMoney(totalOf(order), order.currency)),
          el('small', {}, t('order.qty', { n: order.qty })),
        ),
        statusBadge(order),
      ),
    );
  }

  /** @param {ShopOrder} order */
  replace(order) {
    this.orders.set(order.id, order);
    this.selected.delete(order.id);
    const old = this.list.querySelector(`[data-order="${CSS.escape(order.id)}"]`);
    old?.replaceWith(this.row(order));
    this.paintSelection();
  }

  bulkBar() {
    const action = (/** @type {string} */ step) => {
      const onclick = () => this.bulk(step, button);
      const button = el('button.slim', { type: 'button', 'data-test': `bulk-${step}`, onclick }, t(`desk.do.${step}`));
      return button;
    };
    const clear = () => {
      const last = [...this.selected].at(-1);
      this.selected.clear();
      for (const box of this.list.querySelectorAll('input')) box.checked = false;
      this.paintSelection();
      this.focusRow(last);
    };
    const none = el(
      'button.slim.ghost',
      { type: 'button', 'data-test': 'bulk-clear', onclick: clear },
      t('desk.clear'),
    );
    return el(
      'div.bulk',
      { role: 'region', 'aria-label': t('desk.selected'), hidden: true, 'data-test': 'bulk' },
      this.count,
      action('packed'),
      action('sent'),
      none,
    );
  }

  paintSelection() {
    setVisible(this.bar, this.selected.size > 0);
    setText(this.count, t('desk.n_selected', { n: this.selected.size }));
  }

  /**
   * Does a step for every selected order, one after the other. Orders for which it is refused stay selected.
   * @param {string} step
   * @param {HTMLButtonElement} button
   */
  async bulk(step, button) {
    const last = [...this.selected].at(-1);
    await withBusy(button, async () => {
      /** @type {string[]} */
      const done = [];
      let refused = null;
      const all = [...this.selected];
      let n = 0;
      for (const ids of this.together(step, all)) {
        n += ids.length;
        setText(this.count, t('desk.progress', { n, all: all.length }));
        try {
          const sent =
            ids.length > 1 ? await sendParcel(ids) : new Map([[ids[0], await put(`/orders/${ids[0]}/${step}`)]]);
          sent.forEach((fulfilment, id) => this.showFulfilment(id, fulfilment));
          done.push(...ids);
        } catch (error) {
          refused ??= asRefusal(error);
        }
      }
      if (refused) {
        toast(t('desk.some_refused', { n: all.length - done.length, why: refusalText(refused) }), {
          kind: 'warn',
          ms: 9_000,
        });
      }
      if (done.length) this.offerUndo(step, done);
    });
    if (isFocusLost()) this.focusRow(last);
  }

  /**
   * The bar goes with the selection, and a row with its change: the focus goes to the row of the order.
   * @param {string | undefined} id
   */
  focusRow(id) {
    const box = id && this.list.querySelector(`[data-test="select-${CSS.escape(id)}"]`);
    if (box instanceof HTMLElement) box.focus({ preventScroll: true });
  }

  /**
   * What is done in one go: the orders of one buyer in one show are sent as one parcel, with one e-mail; everything else one by one.
   * @param {string} step
   * @param {string[]} ids
   * @returns {string[][]}
   */
  together(step, ids) {
    if (step !== 'sent') return ids.map((id) => [id]);
    const orders = ids.map((id) => this.orders.get(id)).filter((order) => order !== undefined);
    return parcelsOf(orders).flatMap((parcel) => chunks(parcel.map(({ id }) => id)));
  }

  /**
   * Shows the steps of an order that the server answered with.
   * @param {string} id
   * @param {Fulfilment} fulfilment
   */
  showFulfilment(id, fulfilment) {
    const known = this.orders.get(id);
    if (known) this.replace({ ...known, fulfilment, fulfilment_status: lastStep(fulfilment) });
  }

  /**
   * @param {string} step
   * @param {string[]} ids
   */
  offerUndo(step, ids) {
    const undo = async () => {
      for (const id of ids) this.showFulfilment(id, await del(`/orders/${id}/${step}`));
      button.closest('.toast')?.remove();
      toast(t('desk.undone'));
      this.focusRow(ids.at(-1));
    };
    const button = el(
      'button.slim',
      {
        type: 'button',
        'data-test': 'bulk-undo',
        onclick: () => withBusy(button, undo, (refusal) => toast(refusalText(refusal), { kind: 'warn' })),
      },
      t('desk.undo'),
    );
    toast(t(`desk.done.${step}`, { n: ids.length }), { ms: 12_000, action: button });
  }
}

/**
 * How far the order is: its fulfilment once it is paid or something was done, its status before.
 * @param {ShopOrder} order
 */
export function statusBadge(order) {
  const hasStep = order.fulfilment_status !== 'unfulfilled';
  const isOnItsWay = order.status === 'paid' || (isSendable(order) && hasStep);
  const key = isOnItsWay ? `desk.is.${order.fulfilment_status}` : `status.${order.status}`;
  return el(`span.status.${isOnItsWay ? order.fulfilment_status : order.status}`, {}, t(key));
}

/**
 * The last step that was done, as the server gives it with a whole order.
 * @param {Fulfilment} fulfilment
 */
function lastStep({ packed_at, sent_at, delivered_at }) {
  if (delivered_at) return 'delivered';
  if (sent_at) return 'sent';
  return packed_at ? 'packed' : 'unfulfilled';
}

/** Orders that one parcel can have. */
const PARCEL_ORDERS_MAX = 50;

/**
 * @param {string[]} ids
 * @returns {string[][]}
 */
function chunks(ids) {
  const all = [];
  for (let at = 0; at < ids.length; at += PARCEL_ORDERS_MAX) all.push(ids.slice(at, at + PARCEL_ORDERS_MAX));
  return all;
}
