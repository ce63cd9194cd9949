// What stands under an order that is over: the delivery address, which the buyer can delete once the shop does not need it, the
// history, and the withdrawal from the purchase.

import { addressLines } from './address.js';
import { call, get, post, session, token } from './api.js';
import { shopAddress } from './base.js';
import { formatDateTime, refusalText, t } from './i18n.js';
import { fullTitle } from './offer.js';
import { withBusy } from './sheet.js';
import { el, toast } from './ui.js';
import { withdrawalPart } from './withdrawal_part.js';

/** @import { BillingDocument, Order, OrderDetail, Withdrawal } from './types.d.ts' */
/** @import { OrderClient } from './order_client.js' */

/** An invoice is made a moment after the payment: how often it is asked for, and in which pauses. */
const DOCUMENT_TRIES = 4;
const DOCUMENT_PAUSE_MS = 3_000;
/** The invoice of an order that was paid long ago is there, or there is none. */
const JUST_PAID_MS = 120_000;

export class OrderDetails {
  /**
   * @param {OrderClient} orderClient
   * @param {(detail: OrderDetail) => void} [onload]
   */
  constructor(orderClient, onload = () => {}) {
    this.orderClient = orderClient;
    this.onload = onload;
    this.root = el('div.more');
    /** Order id → its details, as they were at a version. @type {Map<string, Pick<OrderDetail, 'history' | 'address' | 'version'>>} */
    this.known = new Map();
    /** Order id → its withdrawal, as it was at a version. @type {Map<string, Withdrawal & { version: number }>} */
    this.withdrawals = new Map();
    /** Order id → its invoice and credit notes, as they were at a version. @type {Map<string, { items: BillingDocument[], version: number }>} */
    this.documents = new Map();
    /** Loaded with the first documents. @type {typeof import('./document_links.js').documentLinks | null} */
    this.documentLinks = null;
    /** @type {Order | null} */
    this.order = null;
  }

  /**
   * Shows the details of an order; they are loaded once per version.
   * @param {Order} order
   */
  async show(order) {
    this.order = order;
    this.paint();
    const known = this.known.get(order.id);
    if (known?.version === order.version) return;
    this.loadDocuments(order, DOCUMENT_TRIES).catch(() => {}); // The order is shown without them.
    try {
      const detail = await this.orderClient.refresh(order);
      const { history, address, version } = detail;
      this.known.set(order.id, { history, address, version });
      this.onload(detail);
      if (this.order.id === order.id) this.paint();
      await this.loadWithdrawal(order);
    } catch {
      // The order is shown without its details.
    }
  }

  paint() {
    this.root.replaceChildren(
      ...this.addressPart(),
      ...this.documentsPart(),
      ...historyPart(this.history),
      ...this.withdrawalPart(),
      ...this.linkPart(),
    );
  }

  addressPart() {
    const details = this.order && this.known.get(this.order.id);
    if (!this.order || !details?.address) return [];
    const { id, status } = this.order;
    const title = el('h3', {}, t('address.title'));
    const isSent = details.history.some(({ step }) => step === 'sent');
    // A parcel that was sent and not paid may come back.
    if (status === 'placed' || (['paid', 'capturing'].includes(status) && !isSent)) {
      const note = el('small', { 'data-test': 'address-needed' }, t('address.needed'));
      return [el('section.delivery', {}, title, addressLines(details.address), note)];
    }
    const erase = async () => {
      await call('DELETE', `/orders/${id}/address`);
      details.address = null;
      toast(t('address.erased'));
      this.paint();
    };
    const button = el(
      'button.slim',
      {
        type: 'button',
        'data-test': 'address-erase',
        onclick: () => withBusy(button, erase, (refusal) => toast(refusalText(refusal), { kind: 'warn' })),
      },
      t('address.erase'),
    );
    return [el('section.delivery', {}, title, addressLines(details.address), button)];
  }

  /** Only for what was paid there is something to withdraw from. @param {Order} order */
  async loadWithdrawal(order) {
    if (order.status !== 'paid' || this.withdrawals.get(order.id)?.version === order.version) return;
    /** @type {Withdrawal} */
    const found = await get(`/orders/${order.id}/withdrawal`);
    this.withdrawals.set(order.id, { ...found, version: order.version });
    if (this.order?.id === order.id) this.paint();
  }

  /**
   * @param {Order} order
   * @param {number} tries
   */
  async loadDocuments(order, tries) {
    if (order.status !== 'paid' && order.status !== 'refunded') return;
    /** @type {{ items: BillingDocument[] }} */
    const { items } = await get(`/orders/${order.id}/documents`);
    this.documentLinks ??= (await import('./document_links.js')).documentLinks;
    this.documents.set(order.id, { items, version: order.version });
    if (this.order?.id === order.id) this.paint();
    if (items.length || tries <= 1 || !isJustPaid(order)) return;
    await new Promise((resolve) => setTimeout(resolve, DOCUMENT_PAUSE_MS));
    if (this.order?.id === order.id) await this.loadDocuments(order, tries - 1);
  }

  documentsPart() {
    const { order } = this;
    const known = order && this.documents.get(order.id);
    if (!known || !this.documentLinks || (!known.items.length && !isJustPaid(order))) return [];
    const content = known.items.length
      ? this.documentLinks(known.items)
      : el('small', { 'data-test': 'document-coming' }, t('document.coming'));
    return [el('section.delivery', {}, el('h3', {}, t('document.title')), content)];
  }

  withdrawalPart() {
    const { order } = this;
    const known = order && this.withdrawals.get(order.id);
    if (!order || !known) return [];
    return withdrawalPart({
      title: fullTitle(order),
      known,
      send: () => post(`/orders/${order.id}/withdrawal`),
      onDone: (done) => {
        this.withdrawals.set(order.id, { ...done, version: order.version });
        this.paint();
      },
    });
  }

  get history() {
    return (this.order && this.known.get(this.order.id)?.history) ?? [];
  }

  /** A guest has nothing to sign in with later: a link leads back to the order. */
  linkPart() {
    const { order } = this;
    if (!order || token.get() || !session.get()?.sub.startsWith('guest:')) return [];
    const made = el('input', { readOnly: true, hidden: true, dir: 'ltr', 'data-test': 'order-link' });
    made.setAttribute('aria-label', t('order.link'));
    const make = async () => {
      /** @type {{ secret: string }} */
      const { secret } = await post(`/orders/${order.id}/link`);
      made.value = `${shopAddress()}/orders#order=${secret}`;
      made.hidden = false;
      made.select();
      await navigator.clipboard?.writeText(made.value).then(
        () => toast(t('order.link_copied'), { kind: 'good' }),
        () => {}, // The field is there to copy from.
      );
    };
    const button = el(
      'button.slim',
      {
        type: 'button',
        'data-test': 'order-link-make',
        onclick: () => withBusy(button, make, (refusal) => toast(refusalText(refusal), { kind: 'warn' })),
      },
      t('order.link'),
    );
    return [el('section.delivery', {}, button, made, el('small', {}, t('order.link_about')))];
  }
}

/** @param {Order} order */
const isJustPaid = ({ paid_at, now, quote }) => quote?.total !== 0 && paid_at !== null && now - paid_at < JUST_PAID_MS;

/**
 * What became of an order, the oldest step first.
 * @param {OrderDetail['history']} history
 */
export function historyPart(history) {
  if (!history.length) return [];
  const lines = history.map(({ at, step }) =>
    el(
      'li',
      { 'data-step': step },
      el('span', {}, t(`history.${step}`)),
      el('time', { dateTime: new Date(at).toISOString() }, formatDateTime(at)),
    ),
  );
  const list = el('ol', { 'data-test': 'order-history' }, lines);
  return [el('section.history', {}, el('h3', {}, t('order.history')), list)];
}
