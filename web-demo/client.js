// The reference client of Livesouk: one show, one link, kept alive.
//
// It knows the protocol and nothing of pages; it runs in a browser and, given a `WebSocket` class, in node. It promises:
//
//   - an event is handed on once, in order; over a hole it never continues, it comes back with its position;
//   - a count never goes backwards: per offer (and for the pin) the largest [epoch, version] wins;
//   - `now()` is the server's clock, so two phones show the same second;
//   - a lost link comes back by itself, unless the server said not to.
//
//   const client = connect(streamId, { token });
//   client.on('status', ({ status }) => …);            connecting | catching_up | live | reconnecting | closed
//   client.on('hello', ({ you, stream, recovered, events }) => …);
//   client.on('event', (event, { replay }) => …);      chat, pinned, sale_opened, …
//   client.on('gap', ({ why }) => …);                  something was missed for good; said before the events that follow
//   client.on('state', (changed) => …);                read client.state; `changed` is a Set of keys and offer ids
//   client.on('order', (order) => …);                  your own order changed
//   client.on('action', (action) => …);                the team did something to you: { kind, message, reason, role }
//   client.on('held', ({ message, settled }) => …);    for the team: a message waits for it, or does not any more
//   const { order } = await client.request('buy', { offer, qty: 1, key: newKey() });
//
// docs/client.md has a page of twenty lines that works, and the rest of what there is.

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 20_000;
const STEADY_MS = 10_000; // a link that lasted this long was a good one: retries start from the beginning
const QUIET_MS = 25_000; // after this much silence ask whether anyone is there
const PROBE_MS = 12_000; // … and wait this long for any frame at all
const HELLO_MS = 15_000; // a handshake that takes longer is as good as lost
const REQUEST_MS = 10_000;
const SEEN_MAX = 1_000; // message ids remembered, to tell a replayed one

/** 128 random bits as text. Not `crypto.randomUUID`: a phone that opens a laptop's demo has plain HTTP. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Compares versions as tuples, `[epoch, version]`; a missing one is the oldest. */
export function compareVersions(a, b) {
  const left = [].concat(a ?? []);
  const right = [].concat(b ?? []);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (left[i] === undefined) return -1;
    if (right[i] === undefined) return 1;
    if (left[i] !== right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return 0;
}

/** Full jitter: anywhere between nothing and a ceiling that doubles. A crowd that fell together comes back spread out. */
export function retryDelay(attempt, random = Math.random) {
  return Math.round(random() * Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(attempt, 10)));
}

/** 4000–4499 and 1006 come back; 4500–4999 do not. Any other code is somebody's restart: come back. */
export function comesBack(code) {
  return !(code >= 4500 && code <= 4999);
}

/** `code` is the server's, or `link_lost`, `timeout`, `offline`: the outcome is not known. */
export class RequestError extends Error {
  constructor(error) {
    super(error.message ?? error.code);
    this.code = error.code;
    this.retry_ms = error.retry_ms ?? null;
    this.detail = error;
  }
}

export function connect(stream, options = {}) {
  const client = new LiveClient(stream, options);
  client.open();
  return client;
}

export class LiveClient {
  constructor(stream, { token = null, base, WebSocket: Socket, random = Math.random, wallClock = Date.now } = {}) {
    this.stream = stream;
    this.token = token;
    this.base = base ?? globalThis.location?.origin;
    this.Socket = Socket ?? globalThis.WebSocket;
    this.random = random;
    this.wallClock = wallClock;
    this.session = newKey();
    this.status = 'connecting';
    this.you = null;
    this.show = null;
    this.state = { pin: null, offers: new Map(), viewers: 0, likes: 0, chat: {}, delayed: null, waiting: new Map() };
    this.orders = new Map();
    this.epoch = null;
    this.seq = 0;

    this.handlers = new Map();
    this.versions = new Map(); // key → largest version seen, kept even after the offer has left
    this.seen = new Set();
    this.samples = [];
    this.attempt = 0;
    this.nextRef = 1;
    this.link = null; // the link we listen to
    this.next = null; // the one about to take over
    this.timers = {};
    this.wake = () => this.check();
    globalThis.addEventListener?.('online', this.wake);
    globalThis.document?.addEventListener?.('visibilitychange', this.wake);
  }

  // ---- what a page uses ----

  on(name, handler) {
    if (!this.handlers.has(name)) this.handlers.set(name, new Set());
    this.handlers.get(name).add(handler);
    return () => this.handlers.get(name).delete(handler);
  }

  /** The server's time now, in ms. */
  now() {
    return this.wallClock() + this.offset;
  }

  get live() {
    return this.status === 'live';
  }

  /** Sends a verb and waits for its reply; rejects with a RequestError. */
  request(verb, fields = {}, deadline_ms = REQUEST_MS) {
    const link = this.link;
    if (!this.live || link?.socket.readyState !== 1) return Promise.reject(new RequestError({ code: 'offline' }));
    const ref = String(this.nextRef++);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        link.waiting.delete(ref);
        reject(new RequestError({ code: 'timeout' }));
      }, deadline_ms);
      link.waiting.set(ref, { resolve, reject, timer });
      link.socket.send(JSON.stringify({ ref, do: verb, ...fields }));
    });
  }

  /** Comes back as somebody else, keeping the place in the room. */
  signIn(token) {
    this.token = token;
    this.attempt = 0;
    this.dropAll();
    this.open();
  }

  close() {
    this.dropAll();
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    globalThis.removeEventListener?.('online', this.wake);
    globalThis.document?.removeEventListener?.('visibilitychange', this.wake);
    this.say('closed', { code: 1000 });
  }

  /** After sleep, or when the network comes back: does the link still carry anything? */
  check() {
    if (this.status === 'closed' || globalThis.document?.hidden) return;
    if (this.status === 'reconnecting') return this.open();
    if (this.live && this.wallClock() - this.link.heardAt > 5_000) this.probe(5_000);
  }

  /** Every order, by frame or by REST, passes here; an older version never replaces a newer one. */
  noteOrder(order) {
    if (!order?.id) return false;
    const known = this.orders.get(order.id);
    if (known && !(order.version > known.version)) return false;
    if (order.now) this.noteTime(order.now);
    this.orders.set(order.id, order);
    this.emit('order', order);
    return true;
  }

  // ---- the link ----

  url() {
    const url = new URL(`/v1/streams/${encodeURIComponent(this.stream)}/live`, this.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('session', this.session);
    if (this.token) url.searchParams.set('token', this.token);
    if (this.epoch !== null) {
      url.searchParams.set('epoch', this.epoch);
      url.searchParams.set('seq', this.seq);
    }
    return url.href;
  }

  /** Opens a link; one that still works (`moving`) is kept until the new one has said hello. */
  open() {
    clearTimeout(this.timers.retry);
    if (this.next || (this.link && this.status !== 'live')) return;
    if (!this.link) this.say(this.epoch === null ? 'connecting' : 'catching_up');
    const link = { socket: new this.Socket(this.url()), waiting: new Map(), heardAt: this.wallClock() };
    if (this.link) this.next = link;
    else this.link = link;
    link.hello = setTimeout(() => this.lost(link, { code: 1006, reason: '' }), HELLO_MS);
    link.socket.onmessage = ({ data }) => this.read(link, data);
    link.socket.onclose = (closed) => this.lost(link, closed);
    link.socket.onerror = () => {}; // a close follows
  }

  /** Forgets a link without waiting for its goodbye: a dead one may take minutes to notice. */
  drop(link) {
    if (!link) return;
    clearTimeout(link.hello);
    link.socket.onmessage = link.socket.onclose = null;
    link.socket.close(1000);
    for (const { reject, timer } of link.waiting.values()) {
      clearTimeout(timer);
      reject(new RequestError({ code: 'link_lost' }));
    }
    link.waiting.clear();
  }

  dropAll() {
    this.drop(this.next);
    this.drop(this.link);
    this.link = this.next = null;
  }

  lost(link, { code, reason }) {
    if (link !== this.link && link !== this.next) return;
    this.drop(link);
    if (link === this.next) {
      this.next = null;
      if (this.link) return this.retry(code, reason);
    } else {
      this.link = this.next; // the heir, if one is on its way, carries on alone
      this.next = null;
      if (this.link) return this.say('catching_up');
    }
    clearTimeout(this.timers.probe);
    clearTimeout(this.timers.steady);
    if (!comesBack(code)) return this.say('closed', { code });
    this.retry(code, reason);
  }

  retry(code, reason) {
    const delay = retryAfter(reason) ?? retryDelay(this.attempt, this.random);
    this.attempt++;
    if (!this.link) this.say('reconnecting', { code, retry_ms: delay });
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), delay);
  }

  /** `ping` is no verb, and need not be: any answer, even a refusal, proves the link. */
  probe(wait_ms = PROBE_MS) {
    const link = this.link;
    if (!this.live || !link) return;
    const asked = this.wallClock();
    link.socket.send(JSON.stringify({ ref: `p${this.nextRef++}`, do: 'ping' }));
    clearTimeout(this.timers.probe);
    this.timers.probe = setTimeout(() => {
      if (link === this.link && link.heardAt < asked) this.lost(link, { code: 1006, reason: '' });
      else this.listen();
    }, wait_ms);
  }

  listen() {
    clearTimeout(this.timers.probe);
    this.timers.probe = setTimeout(() => {
      if (this.link && this.wallClock() - this.link.heardAt >= QUIET_MS - 1_000) this.probe();
      else this.listen();
    }, QUIET_MS);
    this.timers.probe?.unref?.();
  }

  // ---- what the server says ----

  read(link, data) {
    link.heardAt = this.wallClock();
    let frame;
    try { frame = JSON.parse(data); } catch { return; }
    if (frame.t === 'reply') return this.answer(link, frame);
    if (frame.t === 'hello') return this.hello(link, frame);
    if (link !== this.link) return;
    if (frame.t === 'tick') this.tick(frame);
    else if (frame.t === 'snapshot') this.catchUp(frame);
    else if (frame.t === 'order') this.noteOrder(frame.order);
    else if (frame.t === 'action') this.emit('action', frame.action);
    else if (frame.t === 'held') this.emit('held', frame);
    else if (frame.t === 'moving') this.move(frame.retry_ms);
  }

  hello(link, frame) {
    clearTimeout(link.hello);
    if (link === this.next) {
      this.leave(this.link);
      this.link = link;
      this.next = null;
    }
    this.samples = [];
    this.noteTime(frame.now);
    this.you = frame.you ?? null;
    this.show = frame.stream ?? null;
    this.receipts = frame.receipts;
    this.emit('hello', frame);
    this.catchUp(frame);
    this.say('live');
    this.listen();
    clearTimeout(this.timers.steady);
    this.timers.steady = setTimeout(() => { this.attempt = 0; }, STEADY_MS);
    this.timers.steady.unref?.();
  }

  /** Replies already under way may still arrive on the old link; its frames no longer count. */
  leave(old) {
    old.socket.onclose = () => this.drop(old);
    setTimeout(() => this.drop(old), 2_000);
  }

  /** Hello and snapshot: a position, the events we lack, and the whole state. */
  catchUp(frame) {
    const sameEpoch = frame.epoch === this.epoch;
    const first = this.epoch === null;
    if (!first && !frame.recovered) this.emit('gap', { why: frame.why ?? 'away' });
    const after = sameEpoch ? this.seq : 0;
    this.epoch = frame.epoch;
    this.seq = sameEpoch ? Math.max(this.seq, frame.seq) : frame.seq;
    if (frame.state) this.merge(frame.state, true);
    for (const event of frame.events ?? []) {
      // `seq` 0 was said before this epoch began, so only its id can tell whether we had it.
      if (event.seq > 0 && event.seq <= after) continue;
      this.hand(event, { replay: true });
    }
  }

  /** State goes first: an event may name an offer that comes with the same frame. */
  tick(frame) {
    const fresh = (frame.events ?? []).filter((event) => event.seq > this.seq);
    if (fresh.some((event, index) => event.seq !== this.seq + 1 + index)) return this.hole();
    if (frame.state) this.merge(frame.state, false);
    for (const event of fresh) {
      this.seq = event.seq;
      this.hand(event, { replay: false });
    }
  }

  /** Comes back with our own position; the server fills the hole or says that it cannot. */
  hole() {
    this.lost(this.link, { code: 4000, reason: '' });
  }

  hand(event, how) {
    if (event.type === 'chat' && event.id) {
      if (this.seen.has(event.id)) return;
      this.seen.add(event.id);
      if (this.seen.size > SEEN_MAX) this.seen.delete(this.seen.values().next().value);
    }
    if (this.show && !how.replay) {
      if (event.type === 'started') this.show = { ...this.show, status: 'live', started_at: this.show.started_at ?? event.at };
      if (event.type === 'ended') this.show = { ...this.show, status: 'ended', ended_at: event.at };
    }
    this.emit('event', event, how);
  }

  merge(state, whole) {
    const changed = new Set();
    if ('pin' in state || whole) this.mergePin(state.pin ?? null, changed);
    for (const key of ['viewers', 'likes', 'chat']) {
      if (!(key in state)) continue;
      this.state[key] = state[key];
      changed.add(key);
    }
    // The server does not hear the others: talk waits, numbers may be late. Absent from the whole state when all is well.
    const delayed = 'delayed' in state || whole ? (state.delayed ?? null) : this.state.delayed;
    if (delayed?.since !== this.state.delayed?.since) changed.add('delayed');
    this.state.delayed = delayed;
    this.mergeWaiting(state.waiting ?? {}, whole, changed);
    const offers = Object.values(state.offers ?? {});
    if (whole) {
      const present = new Set(offers.map((offer) => offer.id));
      for (const id of this.state.offers.keys()) {
        if (present.has(id)) continue;
        this.state.offers.delete(id);
        changed.add(id).add('offers');
      }
    }
    for (const offer of offers) this.mergeOffer(offer, changed);
    if (changed.size) this.emit('state', changed);
    const { pin } = this.state;
    if (this.receipts && pin && (whole || changed.has('pin'))) { // is it on the screen?
      globalThis.requestAnimationFrame?.(() => this.live && this.link.socket.send(JSON.stringify({ do: 'seen', offer: pin.offer })));
    }
  }

  /** Offer id → how many wait; nobody is no entry. */
  mergeWaiting(waiting, whole, changed) {
    const known = this.state.waiting;
    const gone = whole ? [...known.keys()].filter((id) => !waiting[id]).map((id) => [id, 0]) : [];
    for (const [id, people] of [...Object.entries(waiting), ...gone]) {
      if (people) known.set(id, people);
      else known.delete(id);
      changed.add('waiting');
    }
  }

  mergePin(pin, changed) {
    if (pin && compareVersions(pin.v, this.versions.get('pin')) < 0) return;
    if (pin) this.versions.set('pin', pin.v);
    if (pin?.offer === this.state.pin?.offer) return;
    this.state.pin = pin;
    changed.add('pin');
  }

  mergeOffer(offer, changed = new Set()) {
    if (compareVersions(offer.v, this.versions.get(offer.id)) < 0) return changed;
    this.versions.set(offer.id, offer.v);
    this.state.offers.set(offer.id, offer);
    return changed.add(offer.id).add('offers');
  }

  answer(link, { ref, ok, error }) {
    const waiting = link.waiting.get(ref);
    if (!waiting) return;
    link.waiting.delete(ref);
    clearTimeout(waiting.timer);
    if (ok?.order) this.noteOrder(ok.order);
    if (error) waiting.reject(new RequestError(error));
    else waiting.resolve(ok ?? {});
  }

  move(retry_ms = 0) {
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), this.random() * retry_ms);
  }

  // ---- the clock ----

  /** A `now` is always a little old when it arrives, so the largest difference is the least delayed one. */
  noteTime(now) {
    if (!Number.isFinite(now)) return;
    const at = this.wallClock();
    this.samples = this.samples.filter((sample) => at - sample.at < 300_000).slice(-20);
    this.samples.push({ at, difference: now - at });
  }

  get offset() {
    return this.samples.length ? Math.max(...this.samples.map((sample) => sample.difference)) : 0;
  }

  // ---- telling the page ----

  say(status, more = {}) {
    if (status === this.status && status === 'live') return;
    this.status = status;
    this.emit('status', { status, ...more });
  }

  emit(name, ...values) {
    for (const handler of this.handlers.get(name) ?? []) {
      // One faulty listener must not cost the others their event, nor us our place.
      try { handler(...values); } catch (fault) { console.error(fault); }
    }
  }
}

function retryAfter(reason) {
  try {
    const { retry_ms } = JSON.parse(reason);
    return Number.isFinite(retry_ms) ? retry_ms : null;
  } catch {
    return null;
  }
}
