// Buys, pays and cancels safely: each purchase has one idempotency key, which is kept until the answer is certain.
//
// After a lost connection, a timeout or `outcome_unknown` it is open whether the server took the request. So the key is
// stored before anything is sent, and the same request is retried with the same key, over the socket or over REST, until
// there is an answer. After a reload the key is found again, and the purchase is looked up by it.

import { asRefusal, get, post, Problem, put, UNKNOWN_OUTCOME } from './api.js';
import { newKey } from './client.js';
import { MANUAL_METHODS } from './placed_order.js';

/** @import { Address, LiveClient, Offer, Order, OrderDetail } from './types.d.ts' */

/** A purchase whose answer is not certain yet. */
/** @typedef {{ key: string, offer: string, qty: number, stream: string | null }} PendingPurchase */

/** A payment by card whose answer is not certain yet. `atBank`: the bank asks the buyer, on a page of its own. */
/** @typedef {{ payment: string, version?: string, atBank?: boolean }} PaymentUnderWay */

/** Followed by the id of the show: each show has its own pending purchase. */
const SLOT = 'livesouk.buying.';
/** Followed by the id of an order whose payment by card is not answered yet. */
const UNDER_WAY = 'livesouk.paying.';
const RETRY_FOR_MS = 90_000;
const BUSY_RETRIES_MAX = 4;
const LOOKUPS_MAX = 20;

/** @param {number} ms */
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class OrderClient {
  /**
   * @param {LiveClient} client
   * @param {() => void} [onretry] called when an answer is in doubt and the request is retried
   */
  constructor(client, onretry = () => {}) {
    this.client = client;
    this.onretry = onretry;
  }

  /**
   * Resolves to the order, rejects with a refusal. When the outcome stays unknown, the pending purchase is kept.
   * @param {Offer} offer
   * @param {number} qty
   */
  async buy(offer, qty) {
    /** @type {PendingPurchase} */
    const purchase = { key: newKey(), offer: offer.id, qty, stream: this.client.stream };
    sessionStorage.setItem(SLOT + purchase.stream, JSON.stringify(purchase));
    const { key } = purchase;
    const order = await this.retry(
      () => this.send('buy', { offer: offer.id, qty, key }, `/offers/${offer.id}/orders`, { qty }),
      () => this.forget(purchase),
    );
    this.forget(purchase);
    return order;
  }

  /**
   * Pays. There is one key per order, payment token and quote, kept until that payment is answered.
   * @param {Order} order
   * @param {string} payment a token of the payment provider, one of `MANUAL_METHODS`, or such fields as JSON
   * @param {string} [quoteVersion] which quote the buyer saw
   * @param {(place: number) => void} [onplace] called with the place of the payment while it waits for its turn
   */
  async pay(order, payment, quoteVersion, onplace = () => {}) {
    const slot = `livesouk.pay.${order.id}.${payment}.${quoteVersion ?? ''}`;
    const key = sessionStorage.getItem(slot) ?? newKey();
    sessionStorage.setItem(slot, key);
    const forget = () => {
      sessionStorage.removeItem(slot);
      sessionStorage.removeItem(UNDER_WAY + order.id);
    };
    // The bank asks the buyer on another page: the same payment goes on when they come back.
    /** @param {string} code */
    const onrefused = (code) => {
      if (code !== 'needs_action') return forget();
      if (this.underWay(order)) this.keepUnderWay(order, { payment, version: quoteVersion, atBank: true });
    };
    const how = MANUAL_METHODS.includes(payment)
      ? { method: payment }
      : payment[0] === '{'
        ? JSON.parse(payment)
        : { token: payment };
    const body = quoteVersion ? { ...how, quote_version: quoteVersion } : how;
    const fields = { order: order.id, key, ...body };
    const paid = await this.retry(() => this.send('pay', fields, `/orders/${order.id}/pay`, body), onrefused, onplace);
    forget();
    return paid;
  }

  /**
   * Keeps a payment by card before it is sent: its token pays once, so after a lost answer or a reload this payment must go on, and no
   * second one may begin.
   * @param {Order} order
   * @param {PaymentUnderWay} payment
   */
  keepUnderWay(order, payment) {
    sessionStorage.setItem(UNDER_WAY + order.id, JSON.stringify(payment));
  }

  /**
   * @param {Order} order
   * @returns {PaymentUnderWay | null}
   */
  underWay(order) {
    const kept = sessionStorage.getItem(UNDER_WAY + order.id);
    return kept ? JSON.parse(kept) : null;
  }

  /**
   * Makes held orders of one show one order. A repeated request does no harm.
   * @param {Order[]} orders
   * @returns {Promise<Order>}
   */
  async putTogether(orders) {
    const reservations = orders.flatMap(({ id, lines }) =>
      lines ? lines.filter(({ status }) => status === 'held').map((line) => line.id) : [id],
    );
    /** @type {Order} */
    const order = await this.retry(() => post('/orders', { reservations }));
    this.client.applyOrder(order);
    return order;
  }

  /** @param {Order} order */
  async cancel(order) {
    const fields = { order: order.id, key: newKey() };
    return this.retry(() => this.send('cancel', fields, `/orders/${order.id}/cancel`, {}));
  }

  /**
   * Sets where the order is delivered. A repeated request does no harm.
   * @param {Order} order
   * @param {Address} address
   */
  async setAddress(order, address) {
    await this.retry(() => put(`/orders/${order.id}/address`, address));
  }

  /**
   * The purchase that was under way before a reload, if any.
   * @returns {PendingPurchase | null}
   */
  pendingPurchase() {
    try {
      const purchase = JSON.parse(sessionStorage.getItem(SLOT + this.client.stream) ?? 'null');
      return purchase?.key ? purchase : null;
    } catch {
      return null;
    }
  }

  /**
   * Finds out what became of a pending purchase: an order, or null if it was never placed.
   * @param {PendingPurchase} purchase
   */
  async resolvePurchase(purchase) {
    for (let attempt = 0; attempt < LOOKUPS_MAX; attempt++) {
      try {
        /** @type {Order} */
        const order = await get(`/orders/by-key/${encodeURIComponent(purchase.key)}`);
        this.forget(purchase);
        this.client.applyOrder(order);
        return order;
      } catch (error) {
        const { code } = asRefusal(error);
        // The purchase may still be on its way through the server: look twice before saying that there is none.
        if (!UNKNOWN_OUTCOME.has(code) && attempt >= 1) {
          this.forget(purchase);
          if (code === 'no_such_order') return null;
          throw error;
        }
        await sleep(Math.min(1_500 * (attempt + 1), 8_000));
      }
    }
    throw new Problem('outcome_unknown');
  }

  /** Loads the orders of this show. */
  async loadOrders() {
    const { stream } = this.client;
    /** @type {{ items: Order[] }} */
    const { items } = await get(`/orders?${stream ? `stream=${stream}&` : ''}limit=100`);
    for (const order of items) this.client.applyOrder(order);
  }

  /**
   * Loads one order with its history and address.
   * @param {Order} order
   * @returns {Promise<OrderDetail>}
   */
  async refresh(order) {
    /** @type {OrderDetail} */
    const detail = await get(`/orders/${order.id}`);
    this.client.applyOrder(detail);
    return detail;
  }

  /**
   * Sends a request over the socket if it is up, or else over REST.
   * @param {string} verb
   * @param {{ key: string, [more: string]: unknown }} fields
   * @param {string} path
   * @param {Record<string, unknown>} body
   * @returns {Promise<Order>}
   */
  async send(verb, fields, path, body) {
    if (this.client.live) {
      const { order } = await this.client.request(verb, fields);
      if (!order) throw new Problem('outcome_unknown');
      return order;
    }
    /** @type {Order} */
    const order = await post(path, body, { key: fields.key });
    this.client.applyOrder(order);
    return order;
  }

  /**
   * Retries a request until its outcome is certain.
   * @template T
   * @param {() => Promise<T>} request
   * @param {(code: string) => void} [onrefused] called before a refusal is thrown; not when the outcome is unknown
   * @param {(place: number) => void} [onplace] called when a payment waits in the queue
   * @returns {Promise<T>}
   */
  async retry(request, onrefused = () => {}, onplace = () => {}) {
    let until = performance.now() + RETRY_FOR_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await request();
      } catch (error) {
        const { code, retry_ms, detail } = asRefusal(error);
        const isUnknown = UNKNOWN_OUTCOME.has(code);
        const isQueued = code === 'payment_queued';
        if (isQueued) {
          // The server has it and keeps the units: there is no reason to give up.
          until = performance.now() + RETRY_FOR_MS;
          onplace(Number(detail?.place ?? 1));
        }
        // Too fast is no answer to the request itself, so it is repeated later, with the same key.
        const again =
          isUnknown || isQueued || code === 'too_many_requests'
            ? performance.now() < until
            : code === 'busy' && attempt < BUSY_RETRIES_MAX;
        if (!again) {
          if (!isUnknown) onrefused(code);
          throw error;
        }
        if (isUnknown) this.onretry();
        await sleep(retry_ms ?? Math.min(400 * 2 ** attempt, 5_000) * (0.5 + Math.random() / 2));
      }
    }
  }

  /** @param {PendingPurchase} purchase */
  forget(purchase) {
    if (this.pendingPurchase()?.key === purchase.key) sessionStorage.removeItem(SLOT + purchase.stream);
  }
}
