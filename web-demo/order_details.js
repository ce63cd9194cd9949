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

/** @import { Order, OrderDetail, Withdrawal } from './types.d.ts' */
/** @import { OrderClient } from './order_client.js' */

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
    /** Loaded with the first order that is paid. @type {import('./order_documents.js').OrderDocuments | null} */
    this.documents = null;
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
    // The order is shown without them.
    this.loadDocuments(order).catch(() => {});
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
      ...((this.order && this.documents?.part(this.order)) ?? []),
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

  /** @param {Order} order */
  async loadDocuments(order) {
    if (order.status !== 'paid' && order.status !== 'refunded') return;
    const { OrderDocuments } = await import('./order_documents.js');
    const onload = (/** @type {Order} */ { id }) => {
      const isShown = this.order?.id === id;
      if (isShown) this.paint();
      return isShown;
    };
    this.documents ??= new OrderDocuments(onload);
    await this.documents.load(order);
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
        // The field is there to copy from.
        () => {},
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
