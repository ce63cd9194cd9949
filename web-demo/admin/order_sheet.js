// One order: what the seller does with it, and all that is known about it.

import { addressLines } from '../address.js';
import { asRefusal, call, del, get, put } from '../api.js';
import { route } from '../base.js';
import { newKey } from '../client.js';
import { documentLinks } from '../document_links.js';
import { formatDateTime, formatDuration, formatMoney, refusalText, t, titleOf } from '../i18n.js';
import { lineList, numberBefore, orderTitle } from '../order_lines.js';
import { quoteTable, totalOf } from '../order_quote.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, picture, toast } from '../ui.js';
import { printConfirmation } from './confirmation.js';
import { keepFocus } from '../keep_focus.js';
import { orderMails } from './mail_list.js';
import { parcelPart, sendParcel } from './parcel_part.js';
import { printSlip } from './packing_slip.js';
import { placedControls } from './placed_controls.js';
import { isSendable } from './sendable.js';
import { openRefund, refundList } from './refund_form.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { Fulfilment, FulfilmentStep, Refusal, Shop, ShopOrder, ShopOrderDetail, Stream } from '../types.d.ts' */

/** @type {FulfilmentStep[]} */
const STEPS = ['packed', 'sent', 'delivered'];

/**
 * @param {{
 *   id: string,
 *   shop: Shop,
 *   shows: Map<string, Stream>,
 *   onchange: (order: ShopOrder) => void,
 *   onparcel?: (sent: Map<string, Fulfilment>) => void,
 * }} options
 */
export function openOrder(options) {
  new OrderSheet(options).load();
}

class OrderSheet {
  /** @param {Parameters<typeof openOrder>[0]} options */
  constructor({ id, shop, shows, onchange, onparcel = () => {} }) {
    this.id = id;
    this.onparcel = onparcel;
    this.shop = shop;
    this.shows = shows;
    this.onchange = onchange;
    this.body = el('div.order-sheet', {}, el('p.empty', {}, t('loading')));
    const sheet = openSheet(this.body, { title: t('desk.order'), test: 'order', className: 'side' });
    guardTyped(sheet, { hasDraft: () => this.hasDraft() });
    /** What is typed and not saved yet; a repaint keeps it. */
    this.drafts = {
      carrier: /** @type {string | null} */ (null),
      tracking: /** @type {string | null} */ (null),
      note: '',
      tag: '',
    };
    /** The id of the note that is typed: a retry adds it once. */
    this.noteId = newKey();
  }

  /** Whether something was typed that is not saved yet. */
  hasDraft() {
    const { carrier, tracking, note, tag } = this.drafts;
    const saved = this.order?.fulfilment;
    const isOther = (/** @type {string | null} */ draft, /** @type {string | null | undefined} */ was) =>
      draft !== null && draft !== (was ?? '');
    return Boolean(note.trim() || tag.trim()) || isOther(carrier, saved?.carrier) || isOther(tracking, saved?.tracking);
  }

  async load() {
    try {
      /** @type {ShopOrderDetail} */
      const order = await get(`/shop/orders/${this.id}`);
      this.order = order;
      keepFocus(this.body, () => this.paint(order), successors);
      this.onchange(order);
    } catch (error) {
      const again = el('button', { type: 'button', onclick: () => this.load() }, t('try_again'));
      this.body.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))), again);
    }
  }

  /** @param {ShopOrderDetail} order */
  paint(order) {
    const show = this.shows.get(order.stream);
    this.body.replaceChildren(
      el(
        'div.order-head',
        {},
        picture(order.image, order),
        el(
          'span.row-text',
          {},
          el('bdi.row-title', {}, orderTitle(order)),
          el(
            'small',
            {},
            numberBefore(order),
            t('order.qty', { n: order.qty }),
            ' · ',
            el('bdi', {}, formatMoney(totalOf(order), order.currency)),
          ),
          show && el('small', {}, el('bdi', {}, titleOf(show))),
          replayLine(order),
        ),
      ),
      ...[lineList(order)].filter((list) => list !== null),
      this.fulfilmentPart(order),
      this.addressPart(order),
      this.buyerPart(order),
      this.tagsPart(order),
      this.notesPart(order),
      this.moneyPart(order),
      ...(order.documents.length ? [part(t('document.title'), documentLinks(order.documents))] : []),
      part(t('desk.mails'), orderMails(order.mails)),
      this.historyPart(order),
    );
  }

  /** @param {ShopOrderDetail} order */
  fulfilmentPart(order) {
    const { fulfilment, status } = order;
    if (!isSendable(order) && status !== 'refunded') {
      return part(t('desk.fulfilment'), el('p.fine', {}, t('desk.not_paid')));
    }
    const rows = STEPS.map((step) => this.stepRow(order, step));
    return part(
      t('desk.fulfilment'),
      status === 'refunded' && el('p.alert', {}, t('desk.refunded_warning')),
      el('ol.steps', {}, rows),
      this.consignmentForm(order),
      parcelPart(order, (button, orders) => this.act(button, () => this.sendParcel(orders))),
      el(
        'button.slim',
        { type: 'button', 'data-test': 'print-slip', onclick: () => printSlip(order, this.shop) },
        t('desk.print_slip'),
      ),
      el(
        'button.slim',
        { type: 'button', 'data-test': 'print-confirmation', onclick: () => printConfirmation(order, this.shop) },
        t('desk.print_confirmation'),
      ),
      fulfilment.tracking &&
        el(
          'p.fine',
          {},
          el('bdi', {}, fulfilment.carrier ?? ''),
          ' ',
          el('bdi.num', { dir: 'ltr' }, fulfilment.tracking),
        ),
    );
  }

  /**
   * @param {ShopOrderDetail} order
   * @param {FulfilmentStep} step
   */
  stepRow(order, step) {
    const at = order.fulfilment[`${step}_at`];
    const work = () =>
      at ? del(`/orders/${this.id}/${step}`) : put(`/orders/${this.id}/${step}`, this.consignment(step));
    const isPossible = at
      ? !STEPS.slice(STEPS.indexOf(step) + 1).some((later) => order.fulfilment[`${later}_at`])
      : step !== 'delivered' || order.fulfilment.sent_at !== null;
    const look = at ? 'button.slim.ghost' : 'button.slim.primary';
    const props = {
      type: 'button',
      disabled: !isPossible,
      'data-test': `${at ? 'undo' : 'do'}-${step}`,
      onclick: () => this.act(button, work),
    };
    const button = el(look, props, t(at ? 'desk.undo' : `desk.do.${step}`));
    const done = el(
      'span.row-text',
      {},
      el('strong', {}, t(`desk.is.${step}`)),
      at && el('time', { dateTime: new Date(at).toISOString() }, formatDateTime(at)),
    );
    return el('li', { 'data-done': String(at !== null) }, done, button);
  }

  /** @param {FulfilmentStep} step */
  consignment(step) {
    if (step !== 'sent') return {};
    const { carrier, tracking } = this.order?.fulfilment ?? { carrier: null, tracking: null };
    return { carrier: this.drafts.carrier ?? carrier, tracking: this.drafts.tracking ?? tracking };
  }

  /** @param {ShopOrderDetail} order */
  consignmentForm(order) {
    const input = (/** @type {'carrier' | 'tracking'} */ name, /** @type {number} */ maxLength) => {
      const control = el('input', {
        type: 'text',
        dir: name === 'tracking' ? 'ltr' : 'auto',
        autocomplete: 'off',
        maxLength,
        value: this.drafts[name] ?? order.fulfilment[name] ?? '',
        'data-test': `order-${name}`,
        oninput: () => {
          this.drafts[name] = control.value;
        },
      });
      return el('label', {}, t(`desk.${name}`), control);
    };
    const save = async () => {
      await put(`/orders/${this.id}/sent`, this.consignment('sent'));
      this.drafts.carrier = this.drafts.tracking = null;
    };
    const isSent = order.fulfilment.sent_at !== null;
    const props = { type: 'button', 'data-test': 'save-consignment', onclick: () => this.act(button, save) };
    const button = el('button.slim', props, t('desk.save'));
    return el('div.consignment', {}, input('carrier', 60), input('tracking', 80), isSent && button);
  }

  /** @param {string[]} orders this one, and those in the same parcel */
  async sendParcel(orders) {
    const sent = await sendParcel(orders, this.consignment('sent'));
    this.drafts.carrier = this.drafts.tracking = null;
    this.onparcel(sent);
  }

  /** @param {ShopOrderDetail} order */
  addressPart(order) {
    const address = order.address ? addressLines(order.address) : el('p.fine', {}, t('desk.no_address'));
    const email = order.address?.email;
    return part(t('address.title'), address, email && el('p', {}, el('bdi', { dir: 'ltr' }, email)));
  }

  /** @param {ShopOrderDetail} order */
  buyerPart(order) {
    return part(
      t('desk.buyer'),
      el(
        'p',
        {},
        el('bdi', {}, order.buyer_name || t('desk.erased_name')),
        ' ',
        el('small', {}, el('bdi', {}, order.buyer)),
      ),
    );
  }

  /** @param {ShopOrderDetail} order */
  tagsPart(order) {
    const path = (/** @type {string} */ tag) => `/orders/${this.id}/tags/${encodeURIComponent(tag)}`;
    const tags = order.tags.map((tag) => {
      const onclick = () => this.act(button, () => del(path(tag)));
      const button = el(
        'button.tag',
        { type: 'button', 'aria-label': t('desk.untag', { tag }), 'data-test': `untag-${tag}`, onclick },
        el('bdi', {}, tag),
        ' ×',
      );
      return button;
    });
    const input = el('input', {
      type: 'text',
      dir: 'auto',
      maxLength: 30,
      value: this.drafts.tag,
      'aria-label': t('desk.tag'),
      'data-test': 'order-tag',
      oninput: () => (this.drafts.tag = input.value),
    });
    const add = async () => {
      if (!input.value.trim()) return;
      await put(path(input.value.trim()));
      this.drafts.tag = '';
    };
    return part(t('desk.tags'), el('div.tags', {}, tags), this.inlineForm(input, t('desk.add'), 'add-tag', add));
  }

  /** @param {ShopOrderDetail} order */
  notesPart(order) {
    const notes = order.notes.map((note) =>
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
      value: this.drafts.note,
      'aria-label': t('desk.note'),
      'data-test': 'order-note',
      oninput: () => (this.drafts.note = input.value),
    });
    const add = async () => {
      if (!input.value.trim()) return;
      await put(`/orders/${this.id}/notes/${this.noteId}`, { text: input.value });
      this.noteId = newKey();
      this.drafts.note = '';
    };
    return part(
      t('desk.notes'),
      el('ul.notes', { 'data-test': 'order-notes' }, notes),
      this.inlineForm(input, t('desk.add'), 'add-note', add),
    );
  }

  /**
   * @param {HTMLElement} input
   * @param {string} label
   * @param {string} test
   * @param {() => Promise<void>} add
   */
  inlineForm(input, label, test, add) {
    const button = el('button.slim', { type: 'submit', 'data-test': test }, label);
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.act(button, add);
    };
    return el('form.inline', { onsubmit }, input, button);
  }

  /** @param {ShopOrderDetail} order */
  moneyPart(order) {
    const attempts = order.payments.map((payment) =>
      el(
        'li',
        {},
        el('span', {}, t('desk.attempt', { n: payment.attempt }), ' · ', t(`desk.payment.${payment.status}`)),
        el(
          'small',
          {},
          el('bdi.num', { dir: 'ltr' }, payment.reference ?? ''),
          ' ',
          formatDateTime(payment.changed_at),
        ),
      ),
    );
    return part(
      t('desk.payment'),
      order.quote && quoteTable(order),
      placedControls(order, (button, work) => this.act(button, work)),
      attempts.length ? el('ul.attempts', {}, attempts) : !order.placement && el('p.fine', {}, t('desk.no_payment')),
      refundList(order),
      this.refundButton(order),
    );
  }

  /** @param {ShopOrderDetail} order */
  refundButton(order) {
    const { amount: left, delivery, whole } = order.refundable;
    if (order.status !== 'paid' && left === 0) return null;
    const key = newKey();
    const amount = formatMoney(whole, order.currency);
    const isShared = delivery > 0 && whole < left;
    const onclick = async () => {
      const isCertain = await confirmDialog({
        title: t('desk.refund'),
        text: [
          t(order.placement ? 'desk.refund_by_hand' : 'desk.refund_text', { amount }),
          isShared && t('desk.refund_shared'),
        ]
          .filter(Boolean)
          .join(' '),
        yes: t('desk.refund_yes', { amount }),
        danger: true,
      });
      if (isCertain) {
        this.act(button, () => call('POST', `/orders/${this.id}/refund`, { body: { restock: restock.checked }, key }));
      }
    };
    const restock = el('input', {
      type: 'checkbox',
      checked: order.fulfilment.sent_at === null,
      'data-test': 'refund-restock',
    });
    const button = el('button.slim.danger', { type: 'button', 'data-test': 'order-refund', onclick }, t('desk.refund'));
    const openPart = () => openRefund(order, () => this.load());
    const some = el(
      'button.slim',
      { type: 'button', 'data-test': 'order-refund-part', onclick: openPart },
      t('desk.refund_part'),
    );
    const isWhole = order.status === 'paid' || whole > 0;
    const tick = order.status === 'paid' && el('label.tick', {}, restock, t('desk.restock'));
    return el('div.refund', {}, tick, some, isWhole && button);
  }

  /** @param {ShopOrderDetail} order */
  historyPart(order) {
    const lines = order.history.map(({ at, step }) =>
      el(
        'li',
        { 'data-step': step },
        el('span', {}, t(`history.${step}`)),
        el('time', { dateTime: new Date(at).toISOString() }, formatDateTime(at)),
      ),
    );
    return part(t('order.history'), el('ol.history-list', {}, lines));
  }

  /**
   * Runs the work of a button, then loads the order again.
   * @param {HTMLButtonElement} button
   * @param {() => Promise<unknown>} work
   */
  async act(button, work) {
    let isRefused = false;
    await withBusy(button, work, (/** @type {Refusal} */ refusal) => {
      // A refund that failed has ended: the order shows it, and the next try is another one.
      isRefused = refusal.code !== 'refund_failed';
      toast(refusalText(refusal), { kind: 'warn' });
    });
    if (!isRefused) await this.load();
  }
}

/**
 * What has the focus after a button did its work: the step that was done can be undone, and the next one be done.
 * @param {string} name of the control that is gone
 */
function successors(name) {
  const [kind, step] = name.split('-');
  if (kind === 'untag') return ['order-tag'];
  if (name === 'send-parcel') return ['undo-sent'];
  if (name.startsWith('order-refund')) return ['order-refund-part', 'print-slip'];
  return kind === 'do' ? [`undo-${step}`] : [`do-${step}`];
}

/**
 * The second of the recording in which the order was made.
 * @param {ShopOrderDetail} order
 */
function replayLine({ stream, replay_ms }) {
  if (replay_ms === null) return null;
  const seconds = Math.floor(replay_ms / 1000);
  const href = route(`/watch?stream=${encodeURIComponent(stream)}&t=${seconds}`);
  const link = el('a', { href, target: '_blank', 'data-test': 'order-replay-watch' }, t('desk.replay_watch'));
  return el(
    'small',
    { 'data-test': 'order-replay' },
    t('desk.replay_at', { at: formatDuration(seconds * 1000) }),
    ' · ',
    link,
  );
}

/**
 * @param {string} title
 * @param {...import('../types.d.ts').Child} children
 */
function part(title, ...children) {
  return el('section.part', {}, el('h3', {}, title), ...children);
}
