// A payment provider in memory, for the sample and its tests. It has words of its own, as every provider has, and takes no money.
//
// Tokens: `page` (the buyer pays on a page of the provider, and the money is taken at once), `mada` (taken at once), `visa` (authorised, and
// captured later), `declined`, `later` (the bank answers later), `expired_card` (refused before anything is made).

/** The provider has certainly done nothing, and never will. */
export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const PAGE = 100;
const STATE = { page: 'initiated', mada: 'paid', visa: 'authorized', declined: 'failed', later: 'pending' };
const escape = (text) => String(text).replace(/[&<>"']/g, (char) => `&#${char.codePointAt(0)};`);

export class Provider {
  /**
   * @param {number} seed of the ids: two providers with one seed that are asked the same give the same
   * @param {(id: string, type: string, charge: object) => void} notify sends an event
   */
  constructor(seed, notify) {
    this.seed = seed;
    this.notify = notify;
    this.base = '';
    this.charges = new Map();
    /** What was done under each key: the request, and the object that it gave. */
    this.done = new Map();
    this.count = 0;
  }

  newId(kind) {
    return `${kind}_${this.seed}_${++this.count}`;
  }

  /** Carries out a request once. The same key with another request is a mistake of the caller. */
  once(key, request, work) {
    if (!key) throw new Refused('key_missing');
    const print = JSON.stringify(request);
    const known = this.done.get(key);
    if (known && known.print !== print) throw new Error('the key came with another request before');
    if (known) return known.result;
    const result = work();
    this.done.set(key, { print, result });
    return result;
  }

  charge({ key, amount, currency, token, return_url, metadata }) {
    return this.once(key, [amount, currency, token, return_url, metadata], () => {
      const state = Object.hasOwn(STATE, token) ? STATE[token] : null;
      if (!state) throw new Refused(token === 'expired_card' ? token : 'unknown_token');
      const id = this.newId('ch');
      const url = `${this.base}/pay/${id}`;
      const captured = state === 'paid' ? amount : 0;
      const charge = { id, amount, currency, state, captured, metadata, url, return_url, created: Date.now() };
      Object.assign(charge, { manual: token === 'visa', live: false, card: `card-of-${token}`, refunds: [] });
      this.charges.set(id, charge);
      this.changed(charge);
      return charge;
    });
  }

  /** Events have ids of their own, so that one that comes twice is one. */
  changed(charge, type = charge.state === 'paid' ? 'payment.captured' : 'payment.updated') {
    this.notify(this.newId('evt'), type, charge);
  }

  find(id) {
    return this.charges.get(id);
  }

  known(id) {
    const charge = this.find(id);
    if (!charge) throw new Error(`there is no charge ${id}`);
    return charge;
  }

  list(from, until) {
    return [...this.charges.values()].filter(({ created }) => created >= from && created <= until);
  }

  page(from, until, after) {
    const all = this.list(from, until);
    const start = after ? all.findIndex(({ id }) => id === after) + 1 : 0;
    const charges = all.slice(start, start + PAGE);
    return { charges, next: start + PAGE < all.length ? charges.at(-1).id : null };
  }

  capture(id, amount, key) {
    return this.once(key, ['capture', id, amount], () => {
      const charge = this.known(id);
      if (charge.state !== 'authorized' || amount !== charge.amount) throw new Refused('not_authorized');
      this.set(charge, 'paid');
      return charge;
    });
  }

  void(id, key) {
    return this.once(key, ['void', id], () => {
      const charge = this.known(id);
      if (!['initiated', 'pending', 'authorized'].includes(charge.state)) throw new Refused('too_late');
      this.set(charge, 'voided');
      return charge;
    });
  }

  refund(id, amount, key, metadata = { key }) {
    return this.once(key, ['refund', id, amount], () => {
      const charge = this.known(id);
      const given = charge.refunds.reduce((sum, refund) => sum + refund.amount, 0);
      if (charge.state !== 'paid' || given + amount > charge.captured) throw new Refused('more_than_captured');
      const refund = { id: this.newId('re'), state: 'done', amount, metadata };
      charge.refunds.push(refund);
      this.changed(charge, 'refund.updated');
      return refund;
    });
  }

  set(charge, state) {
    charge.state = state;
    if (state === 'paid') charge.captured = charge.amount;
    this.changed(charge);
  }

  /** The page where the buyer pays. */
  serve(request, body, response) {
    const charge = this.find(request.url.slice('/pay/'.length));
    if (!charge) return response.writeHead(404).end('There is no such payment.');
    if (request.method === 'POST') {
      const said = new URLSearchParams(body.toString()).get('pay');
      if (charge.state === 'initiated' && said === 'yes') this.set(charge, 'paid');
      if (charge.state === 'initiated' && said === 'no') this.set(charge, 'failed');
      // As if somebody did it in the dashboard of the provider.
      if (charge.state === 'paid' && said === 'refund')
        this.refund(charge.id, charge.captured, `hand:${charge.id}`, {});
      return response.writeHead(303, { location: `${charge.return_url}&charge=${charge.id}` }).end();
    }
    const button = (value, text) => `<button name="pay" value="${value}">${text}</button>`;
    const sum = `${escape(charge.amount)} ${escape(charge.currency)} (minor units)`;
    const buttons = button('yes', 'Pay') + button('no', 'Decline') + button('', 'Back to the shop');
    const page = `<!doctype html><meta name="viewport" content="width=device-width"><title>Pay</title>
      <h1>Sample provider</h1><p>${sum}</p><form method="post">${buttons}</form>`;
    return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
  }
}
