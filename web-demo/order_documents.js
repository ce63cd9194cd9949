// The invoice and the credit notes of an order, under the order. They are loaded with the first order that is paid.

import { get } from './api.js';
import { documentLinks } from './document_links.js';
import { t } from './i18n.js';
import { el } from './ui.js';

/** @import { BillingDocument, Order } from './types.d.ts' */

/** An invoice is made a moment after the payment: how often it is asked for, and in which pauses. */
const TRIES = 4;
const PAUSE_MS = 3_000;
/** The invoice of an order that was paid long ago is there, or there is none. */
const JUST_PAID_MS = 120_000;

/** @param {Order} order */
const isJustPaid = ({ paid_at, now, quote }) => quote?.total !== 0 && paid_at !== null && now - paid_at < JUST_PAID_MS;

export class OrderDocuments {
  /** @param {(order: Order) => boolean} onload called after each answer; `false`: the order is not shown any more */
  constructor(onload) {
    this.onload = onload;
    /** Order id → its documents. @type {Map<string, BillingDocument[]>} */
    this.known = new Map();
  }

  /** @param {Order} order */
  async load(order) {
    for (let left = TRIES; left > 0; left--) {
      /** @type {{ items: BillingDocument[] }} */
      const { items } = await get(`/orders/${order.id}/documents`);
      this.known.set(order.id, items);
      if (!this.onload(order) || items.length || !isJustPaid(order)) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** @param {Order} order */
  part(order) {
    const items = this.known.get(order.id);
    if (!items || (!items.length && !isJustPaid(order))) return [];
    const coming = () => el('small', { 'data-test': 'document-coming' }, t('document.coming'));
    const content = items.length ? documentLinks(items) : coming();
    return [el('section.delivery', {}, el('h3', {}, t('document.title')), content)];
  }
}
