// Buying without fear: one key per purchase, kept until the answer is certain.
//
// A drop, a timeout or `outcome_unknown` leaves it open whether the shop took the order. So the key is written down
// before anything is sent and the same request is repeated with the same key, over the socket or over REST, until
// there is an answer. A reload finds the key again and asks by it.

import { get, post, Problem, put, UNKNOWN } from './api.js';
import { newKey } from './client.js';

const RUN = 'livesouk.buying.'; // and the show: a purchase in another one is not forgotten for this one
const GIVE_UP_MS = 90_000;
const BUSY_TRIES_MAX = 4;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Buyer {
  /** `told` hears `'checking'` whenever an answer is in doubt and is being asked for again. */
  constructor(client, told = () => {}) {
    this.client = client;
    this.told = told;
  }

  async buy(offer, qty) {
    const run = { key: newKey(), offer: offer.id, qty, stream: this.client.stream };
    this.remember(run);
    return this.settle(run);
  }

  /** Resolves with the order, rejects with a refusal; throws `outcome_unknown` with the run kept if nobody answers. */
  async settle(run) {
    const order = await this.insist(
      () => this.ask('buy', { offer: run.offer, qty: run.qty, key: run.key }, `/offers/${run.offer}/orders`, { qty: run.qty }),
      () => this.forget(run));
    this.forget(run);
    return order;
  }

  /** One key per order and way of paying, kept until that payment has been answered. */
  async pay(order, token) {
    const slot = `livesouk.pay.${order.id}.${token}`;
    const key = sessionStorage.getItem(slot) ?? newKey();
    sessionStorage.setItem(slot, key);
    const forget = () => sessionStorage.removeItem(slot);
    const paid = await this.insist(() => this.ask('pay', { order: order.id, token, key }, `/orders/${order.id}/pay`, { token }), forget);
    forget();
    return paid;
  }

  /** Where it goes. Kept with the order, so it is asked for until there is an answer, like a payment. */
  async deliver(order, address) {
    return this.insist(() => put(`/orders/${order.id}/address`, address));
  }

  async cancel(order) {
    const key = newKey();
    return this.insist(() => this.ask('cancel', { order: order.id, key }, `/orders/${order.id}/cancel`, {}));
  }

  /** After a reload: the run that was under way, if any, and what became of it (an order, or null: never placed). */
  unfinished() {
    try {
      const run = JSON.parse(sessionStorage.getItem(RUN + this.client.stream));
      return run?.key ? run : null;
    } catch {
      return null;
    }
  }

  async resolve(run) {
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        const order = await get(`/orders/by-key/${encodeURIComponent(run.key)}`);
        this.forget(run);
        this.client.noteOrder(order);
        return order;
      } catch (problem) {
        // The purchase may still be on its way through the server; look twice before saying that there is none.
        if (!UNKNOWN.has(problem.code) && attempt >= 1) {
          this.forget(run);
          if (problem.code === 'no_such_order') return null;
          throw problem;
        }
        await sleep(Math.min(1_500 * (attempt + 1), 8_000));
      }
    }
    throw new Problem('outcome_unknown');
  }

  async mine() {
    const { items } = await get(`/orders?${this.client.stream ? `stream=${this.client.stream}&` : ''}limit=100`);
    for (const order of items) this.client.noteOrder(order);
    return items;
  }

  async refresh(order) {
    await this.detail(order);
    return this.client.orders.get(order.id);
  }

  /** The order with `history` and `address`. */
  async detail(order) {
    const detail = await get(`/orders/${order.id}`);
    this.client.noteOrder(detail);
    return detail;
  }

  // ---- the same request, by whichever door is open ----

  async ask(verb, fields, path, body) {
    if (this.client.live) {
      const { order } = await this.client.request(verb, fields);
      return order;
    }
    const order = await post(path, body, { key: fields.key });
    this.client.noteOrder(order);
    return order;
  }

  async insist(ask, certain = () => {}) {
    const until = Date.now() + GIVE_UP_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask();
      } catch (problem) {
        const doubtful = UNKNOWN.has(problem.code);
        const again = doubtful ? Date.now() < until : problem.code === 'busy' && attempt < BUSY_TRIES_MAX;
        if (!again) {
          if (!doubtful) certain();
          throw problem;
        }
        if (doubtful) this.told('checking');
        await sleep(problem.retry_ms ?? Math.min(400 * 2 ** attempt, 5_000) * (0.5 + Math.random() / 2));
      }
    }
  }

  remember(run) {
    sessionStorage.setItem(RUN + run.stream, JSON.stringify(run));
  }

  forget(run) {
    if (this.unfinished()?.key === run.key) sessionStorage.removeItem(RUN + run.stream);
  }
}
