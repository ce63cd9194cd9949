// The reference client of Livesouk: it keeps one connection to one show.
//
// It knows the protocol and nothing about pages. It runs in a browser and, given a `WebSocket` class, in Node. It needs
// only the files in client/, so that a site can copy them or import this file from the server. Its types are in client.d.ts.
//
// It promises:
//
//   - It delivers each event once and in order. It never continues over a hole: it reconnects with its own position.
//   - When events are lost for good, it emits `gap`. Clear the chat then, because a message that is still shown may have
//     been deleted meanwhile. The events that follow are the whole chat as it is now, including messages seen before.
//   - A count never goes backwards: for each offer, and for the pin, the largest [epoch, version] wins.
//   - `now()` is the clock of the server, so two phones show the same second.
//   - It reconnects by itself, with exponential backoff and full jitter, unless the server said not to.
//
//   const client = connect(streamId, { token });
//   client.on('status', ({ status }) => …);            connecting | catching_up | live | reconnecting | closed
//   client.on('hello', ({ you, stream, recovered, events }) => …);
//   client.on('event', (event, { replay }) => …);      chat, pinned, sale_opened, …
//   client.on('gap', ({ why }) => …);                  events were lost for good: clear the chat
//   client.on('show', (stream) => …);                  the show as it is now: with hello, and after a gap
//   client.on('state', (changed) => …);                read client.state; `changed` is a Set of keys and offer ids
//   client.on('order', (order) => …);                  one of your own orders changed
//   client.on('audit', (entry) => …);                  the team did something to you: { kind, message, reason, role }
//   client.on('review', (message) => …);               for the team: a message waits for review
//   client.on('reviewed', (id) => …);                  for the team: a message no longer waits for review
//   const { order } = await client.request('buy', { offer, qty: 1, key: newKey() });
//
// docs/client.md has a complete page of twenty lines, and the rest of the API.

import { Connection, RequestError } from './client/connection.js';
import { retryAfter, retryDelay, shouldReconnect } from './client/retry.js';
import { RoomValues } from './client/room_state.js';
import { ServerClock } from './client/server_clock.js';

export { compareVersions } from './client/room_state.js';
export { RequestError, retryDelay, shouldReconnect };

/** @import { ClientEvents, ConnectionStatus, ConnectOptions, HelloFrame, LiveClient as PublicClient, LiveEvent, Message, Order, ReplyFrame, Reply, ServerFrame, SnapshotFrame, StateFrame, StatusChange, Stream, TickFrame, You } from './client.d.ts' */
/** @import { Timer } from './client/connection.js' */

/** A connection that lasted this long was good: the next retries start from the shortest delay. */
const STEADY_MS = 10_000;
/** After this much silence the client sends a heartbeat … */
const QUIET_MS = 25_000;
/** … and waits this long for any frame. */
const HEARTBEAT_TIMEOUT_MS = 12_000;
/** A handshake that takes longer counts as failed. */
const HELLO_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** How many message ids are remembered, to recognise a replayed message. */
const SEEN_MAX = 1_000;

/** 128 random bits as text. `crypto.randomUUID` needs HTTPS, and a phone that opens the demo of a laptop has plain HTTP. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Opens a connection to a show and keeps it.
 * @param {string} stream
 * @param {ConnectOptions} [options]
 */
export function connect(stream, options = {}) {
  const client = new LiveClient(stream, options);
  client.open();
  return client;
}

/** @implements {PublicClient} */
export class LiveClient {
  /**
   * @param {string | null} stream
   * @param {ConnectOptions} [options]
   */
  constructor(stream, { token = null, base, WebSocket: Socket, random = Math.random, wallClock = Date.now } = {}) {
    this.stream = stream;
    this.token = token;
    this.base = base ?? globalThis.location?.origin;
    this.Socket = Socket ?? globalThis.WebSocket;
    this.random = random;
    this.wallClock = wallClock;
    /** The server closes an older connection with the same session id. */
    this.session = newKey();
    /** @type {ConnectionStatus} */
    this.status = 'connecting';
    /** @type {You | null} */
    this.you = null;
    /** @type {Stream | null} */
    this.show = null;
    this.values = new RoomValues();
    this.clock = new ServerClock(wallClock);
    /** @type {Map<string, Order>} */
    this.orders = new Map();
    /** @type {string | null} */
    this.epoch = null;
    this.seq = 0;

    /** @type {Map<string, Set<(...values: any[]) => void>>} */
    this.handlers = new Map();
    /** The ids of the messages delivered so far. @type {Set<string>} */
    this.seen = new Set();
    this.attempt = 0;
    this.nextRef = 1;
    this.receipts = false;
    /** The connection in use. @type {Connection | null} */
    this.connection = null;
    /** The connection that is about to replace it. @type {Connection | null} */
    this.successor = null;
    /** @type {{ retry?: Timer, heartbeat?: Timer, steady?: Timer }} */
    this.timers = {};
    this.onWake = () => this.checkConnection();
    globalThis.addEventListener?.('online', this.onWake);
    globalThis.document?.addEventListener?.('visibilitychange', this.onWake);
  }

  // ---- The public API ----

  /**
   * Calls `handler` on each event with this name. Returns a function that stops this.
   * @template {keyof ClientEvents} Name
   * @param {Name} name
   * @param {(...values: ClientEvents[Name]) => void} handler
   */
  on(name, handler) {
    const handlers = this.handlers.get(name) ?? new Set();
    this.handlers.set(name, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  /** The time of the server now, in ms. */
  now() {
    return this.clock.now();
  }

  /** The newest values of the room. */
  get state() {
    return this.values.state;
  }

  get live() {
    return this.status === 'live';
  }

  /**
   * Sends a verb and waits for its reply. Rejects with a RequestError.
   * @param {string} verb
   * @param {Record<string, unknown>} [fields]
   * @returns {Promise<Reply>}
   */
  request(verb, fields = {}, deadline_ms = REQUEST_TIMEOUT_MS) {
    const { connection } = this;
    if (!this.live || connection?.socket.readyState !== 1) return Promise.reject(new RequestError({ code: 'offline' }));
    const ref = String(this.nextRef++);
    return connection.request(ref, { do: verb, ...fields }, deadline_ms);
  }

  /**
   * Reconnects with another token and keeps the position in the show.
   * @param {string | null} token
   */
  signIn(token) {
    this.token = token;
    this.attempt = 0;
    this.discardAll();
    this.open();
  }

  close() {
    this.discardAll();
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    globalThis.removeEventListener?.('online', this.onWake);
    globalThis.document?.removeEventListener?.('visibilitychange', this.onWake);
    this.setStatus('closed', { code: 1000 });
  }

  /**
   * Takes in an order. Every order, from a frame or from REST, passes here; an older version never replaces a newer one.
   * @param {Order} order
   */
  applyOrder(order) {
    if (!order?.id) return false;
    const known = this.orders.get(order.id);
    if (known && !(order.version > known.version)) return false;
    if (order.now) this.clock.record(order.now);
    this.orders.set(order.id, order);
    this.emit('order', order);
    return true;
  }

  /** Opens a connection. One that still works (after `moving`) is kept until the new one has received its hello. */
  open() {
    clearTimeout(this.timers.retry);
    if (this.successor || (this.connection && this.status !== 'live')) return;
    if (!this.connection) this.setStatus(this.epoch === null ? 'connecting' : 'catching_up');
    const connection = new Connection(new this.Socket(this.url()), this.wallClock());
    if (this.connection) this.successor = connection;
    else this.connection = connection;
    connection.helloTimer = setTimeout(() => this.connectionLost(connection, { code: 1006 }), HELLO_TIMEOUT_MS);
    connection.socket.onmessage = ({ data }) => this.receive(connection, data);
    connection.socket.onclose = (closed) => this.connectionLost(connection, closed);
    connection.socket.onerror = () => {}; // A close event follows.
  }

  // ---- The connection ----

  url() {
    const url = new URL(`/v1/streams/${encodeURIComponent(this.stream ?? '')}/live`, this.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('session', this.session);
    if (this.token) url.searchParams.set('token', this.token);
    if (this.epoch !== null) {
      url.searchParams.set('epoch', this.epoch);
      url.searchParams.set('seq', String(this.seq));
    }
    return url.href;
  }

  /** Checks, after sleep or when the network is back, whether the connection still carries anything. */
  checkConnection() {
    if (this.status === 'closed' || globalThis.document?.hidden) return;
    if (this.status === 'reconnecting') this.open();
    else if (this.live && this.wallClock() - (this.connection?.lastFrameAt ?? 0) > 5_000) this.sendHeartbeat(5_000);
  }

  discardAll() {
    this.successor?.discard();
    this.connection?.discard();
    this.connection = this.successor = null;
  }

  /**
   * @param {Connection} connection
   * @param {{ code: number, reason?: string }} closed
   */
  connectionLost(connection, { code, reason = '' }) {
    if (connection !== this.connection && connection !== this.successor) return;
    connection.discard();
    if (connection === this.successor) {
      this.successor = null;
      if (this.connection) return this.retry(code, reason);
    } else {
      this.connection = this.successor; // A successor that is on its way continues alone.
      this.successor = null;
      if (this.connection) return this.setStatus('catching_up');
    }
    clearTimeout(this.timers.heartbeat);
    clearTimeout(this.timers.steady);
    if (!shouldReconnect(code)) return this.setStatus('closed', { code });
    this.retry(code, reason);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  retry(code, reason) {
    const delay = retryAfter(reason) ?? retryDelay(this.attempt, this.random);
    this.attempt++;
    if (!this.connection) this.setStatus('reconnecting', { code, retry_ms: delay });
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), delay);
  }

  /** Sends a heartbeat. `ping` is not a verb, and need not be one: any answer, even a refusal, proves the connection. */
  sendHeartbeat(timeout_ms = HEARTBEAT_TIMEOUT_MS) {
    const { connection } = this;
    if (!this.live || !connection) return;
    const sentAt = this.wallClock();
    connection.socket.send(JSON.stringify({ ref: `p${this.nextRef++}`, do: 'ping' }));
    clearTimeout(this.timers.heartbeat);
    this.timers.heartbeat = setTimeout(() => {
      if (connection === this.connection && connection.lastFrameAt < sentAt) {
        this.connectionLost(connection, { code: 1006 });
      } else this.watchSilence();
    }, timeout_ms);
  }

  /** Sends a heartbeat when no frame has come for QUIET_MS. */
  watchSilence() {
    clearTimeout(this.timers.heartbeat);
    this.timers.heartbeat = setTimeout(() => {
      if (this.connection && this.wallClock() - this.connection.lastFrameAt >= QUIET_MS - 1_000) this.sendHeartbeat();
      else this.watchSilence();
    }, QUIET_MS);
    unref(this.timers.heartbeat);
  }

  // ---- What the server sends ----

  /**
   * @param {Connection} connection
   * @param {string} data
   */
  receive(connection, data) {
    connection.lastFrameAt = this.wallClock();
    /** @type {ServerFrame} */
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (frame.t === 'reply') return this.receiveReply(connection, frame);
    if (frame.t === 'hello') return this.receiveHello(connection, frame);
    if (connection !== this.connection) return;
    if (frame.t === 'tick') this.receiveTick(frame);
    else if (frame.t === 'snapshot') this.catchUp(frame);
    else if (frame.t === 'order') this.applyOrder(frame.order);
    else if (frame.t === 'audit') this.emit('audit', frame.entry);
    else if (frame.t === 'review') this.receiveReview(frame);
    else if (frame.t === 'moving') this.move(frame.retry_ms);
  }

  /**
   * @param {Connection} connection
   * @param {HelloFrame} frame
   */
  receiveHello(connection, frame) {
    clearTimeout(connection.helloTimer);
    if (connection === this.successor) {
      if (this.connection) this.retire(this.connection);
      this.connection = connection;
      this.successor = null;
    }
    this.clock.reset();
    this.clock.record(frame.now);
    this.you = frame.you ?? null;
    this.receipts = frame.receipts ?? false;
    this.emit('hello', frame);
    this.catchUp(frame);
    this.setStatus('live');
    this.watchSilence();
    clearTimeout(this.timers.steady);
    this.timers.steady = setTimeout(() => {
      this.attempt = 0;
    }, STEADY_MS);
    unref(this.timers.steady);
  }

  /**
   * A message waits for review, or one no longer waits.
   * @param {{ message?: Message, reviewed?: string }} frame
   */
  receiveReview({ message, reviewed }) {
    if (message) this.emit('review', message);
    if (reviewed) this.emit('reviewed', reviewed);
  }

  /**
   * Leaves the old connection. Replies that are under way may still arrive on it; its other frames no longer count.
   * @param {Connection} old
   */
  retire(old) {
    old.socket.onclose = () => old.discard();
    setTimeout(() => old.discard(), 2_000);
  }

  /**
   * Hello and snapshot: a position, the events that were missed, and the whole state. If the client was not recovered,
   * the events are what is left of the chat, and all of them count: a message from before that is not among them may
   * have been deleted.
   * @param {HelloFrame | SnapshotFrame} frame
   */
  catchUp(frame) {
    const recovered = this.epoch !== null && frame.recovered;
    if (this.epoch !== null && !recovered) {
      this.seen.clear();
      this.emit('gap', { why: 'why' in frame ? frame.why : 'away' });
    }
    const after = recovered && frame.epoch === this.epoch ? this.seq : 0;
    this.seq = frame.epoch === this.epoch ? Math.max(this.seq, frame.seq) : frame.seq;
    this.epoch = frame.epoch;
    if (frame.stream) {
      this.show = frame.stream;
      this.emit('show', frame.stream);
    }
    if (frame.state) this.applyState(frame.state, true);
    for (const event of frame.events ?? []) {
      // An event with `seq` 0 is older than this epoch, so only its id can tell whether it was delivered.
      if (event.seq > 0 && event.seq <= after) continue;
      this.deliver(event, { replay: true });
    }
  }

  /**
   * The state comes first: an event may name an offer that comes with the same frame.
   * @param {TickFrame} frame
   */
  receiveTick(frame) {
    const fresh = (frame.events ?? []).filter((event) => event.seq > this.seq);
    if (fresh.some((event, index) => event.seq !== this.seq + 1 + index)) return this.reconnectOverHole();
    if (frame.state) this.applyState(frame.state, false);
    for (const event of fresh) {
      this.seq = event.seq;
      this.deliver(event, { replay: false });
    }
  }

  /** Reconnects with the own position; the server fills the hole or says that it cannot. */
  reconnectOverHole() {
    if (this.connection) this.connectionLost(this.connection, { code: 4000 });
  }

  /**
   * @param {LiveEvent} event
   * @param {{ replay: boolean }} how
   */
  deliver(event, how) {
    if (event.type === 'chat' && event.id) {
      if (this.seen.has(event.id)) return;
      this.seen.add(event.id);
      if (this.seen.size > SEEN_MAX) this.seen.delete(/** @type {string} */ (this.seen.values().next().value));
    }
    if (this.show && !how.replay) {
      const { started_at } = this.show;
      if (event.type === 'started') this.show = { ...this.show, status: 'live', started_at: started_at ?? event.at };
      if (event.type === 'ended') this.show = { ...this.show, status: 'ended', ended_at: event.at };
    }
    this.emit('event', event, how);
  }

  /**
   * @param {StateFrame} frame
   * @param {boolean} isWhole the frame has all keys, so that what is absent is gone
   */
  applyState(frame, isWhole) {
    const changed = this.values.apply(frame, isWhole);
    if (changed.size) this.emit('state', changed);
    if (isWhole || changed.has('pin')) this.sendReceipt();
  }

  /** Tells the server, if it asked for it, that the pinned card is on the screen. */
  sendReceipt() {
    const { pin } = this.state;
    if (!this.receipts || !pin) return;
    const frame = JSON.stringify({ do: 'seen', offer: pin.offer });
    globalThis.requestAnimationFrame?.(() => this.live && this.connection?.socket.send(frame));
  }

  /**
   * @param {Connection} connection
   * @param {ReplyFrame} frame
   */
  receiveReply(connection, frame) {
    connection.settle(frame, ({ order }) => {
      if (order) this.applyOrder(order);
    });
  }

  move(retry_ms = 0) {
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), this.random() * retry_ms);
  }

  // ---- Events for the page ----

  /**
   * @param {ConnectionStatus} status
   * @param {Omit<StatusChange, 'status'>} [more]
   */
  setStatus(status, more = {}) {
    if (status === this.status && status === 'live') return;
    this.status = status;
    this.emit('status', { status, ...more });
  }

  /**
   * @template {keyof ClientEvents} Name
   * @param {Name} name
   * @param {ClientEvents[Name]} values
   */
  emit(name, ...values) {
    for (const handler of this.handlers.get(name) ?? []) {
      // A faulty handler must cost neither the other handlers their event nor the client its position.
      try {
        handler(...values);
      } catch (error) {
        console.error(error);
      }
    }
  }
}

/**
 * In Node a timer keeps the process alive; these timers need not.
 * @param {unknown} timer a number in browsers, an object in Node
 */
function unref(timer) {
  /** @type {{ unref?: () => void }} */ (timer).unref?.();
}
