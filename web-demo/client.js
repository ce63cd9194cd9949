// The reference client of Livesouk: it keeps one connection to one show.
//
// It knows the protocol and nothing about pages. It runs in a browser and, given a `WebSocket` class, in Node. It needs
// only the files in client/, so that a site can copy them or import this file from the server. Its types are in client.d.ts.
//
// It promises:
//
//   - It delivers each event once and in order. It never continues over a hole: it reconnects with its own position.
//   - When events are lost permanently, it emits `gap`. Clear the chat then, because a message that is still shown may have
//     been deleted meanwhile. The events that follow are the whole chat as it is now, including messages seen before.
//   - A count never goes backwards: for each offer, and for the pin, the largest [epoch, version] wins.
//   - `now()` is the clock of the server, so two phones show the same second.
//   - It reconnects by itself, with exponential backoff and full jitter, unless the server said not to.
//
//   const client = connect(streamId, { token });
//   client.on('status', ({ status }) => …);            connecting | catching_up | live | reconnecting | closed
//   client.on('hello', ({ you, stream, recovered, events }) => …);
//   client.on('event', (event, { replay }) => …);      chat, pinned, sale_opened, …
//   client.on('gap', ({ why }) => …);                  events were lost permanently: clear the chat
//   client.on('show', (stream) => …);                  the show as it is now: with hello, after a gap, and when it was changed
//   client.on('state', (changed) => …);                read client.state; `changed` is a Set of keys and offer ids
//   client.on('order', (order) => …);                  one of your own orders changed
//   client.on('audit', (entry) => …);                  the team did something to you: { kind, message, reason, role }
//   client.on('review', (message) => …);               for the team: a message waits for review
//   client.on('reviewed', (id) => …);                  for the team: a message no longer waits for review
//   const { order } = await client.request('buy', { offer, qty: 1, key: newKey() });
//
// docs/client.md describes the whole API; examples/viewer.html is a complete page.

import { RequestError } from './client/connection.js';
import { Link, newKey } from './client/link.js';
import { retryDelay, shouldReconnect } from './client/retry.js';
import { RoomValues } from './client/room_state.js';
import { ServerClock } from './client/server_clock.js';

export { compareVersions } from './client/room_state.js';
export { newKey, RequestError, retryDelay, shouldReconnect };

/** @import { ConnectOptions, HelloFrame, LiveClient as PublicClient, LiveEvent, Message, Order, ReplyFrame, Reply, ServerFrame, SnapshotFrame, StateFrame, Stream, TickFrame, You } from './client.d.ts' */
/** @import { Connection } from './client/connection.js' */

/** How many message ids are remembered, to recognise a replayed message. */
const SEEN_MAX = 1_000;
const REQUEST_TIMEOUT_MS = 10_000;

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
export class LiveClient extends Link {
  /**
   * @param {string | null} stream
   * @param {ConnectOptions} [options]
   */
  constructor(stream, options = {}) {
    super(stream, options);
    /** @type {You | null} */
    this.you = null;
    /** @type {Stream | null} */
    this.show = null;
    this.values = new RoomValues();
    this.clock = new ServerClock(this.steadyClock);
    /** @type {Map<string, Order>} */
    this.orders = new Map();
    /** The ids of the messages delivered so far. @type {Set<string>} */
    this.seen = new Set();
    this.receipts = false;
  }

  // ---- The public API ----

  /** The time of the server now, in ms. */
  now() {
    return this.clock.now();
  }

  /** The newest values of the room. */
  get state() {
    return this.values.state;
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
    const reply = connection.request(String(this.nextRef++), { do: verb, ...fields }, deadline_ms);
    // While somebody waits for an answer, silence is noticed sooner.
    this.silence.plan();
    return reply;
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
    // A purchase that became a line of another order is no order of its own any more.
    for (const line of order.lines ?? []) if (line.id !== order.id) this.orders.delete(line.id);
    this.emit('order', order);
    return true;
  }

  // ---- What the server sends ----

  /**
   * @override
   * @param {Connection} connection
   * @param {string} data
   */
  receive(connection, data) {
    /** @type {ServerFrame} */
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (connection === this.connection && connection.hasHello) this.heard(frame.t !== 'reply');
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
    this.adopt(connection);
    this.clock.reset();
    this.clock.record(frame.now);
    this.you = frame.you ?? null;
    this.receipts = frame.receipts ?? false;
    this.emit('hello', frame);
    this.catchUp(frame);
    this.established();
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
    // A node that is behind may answer with a position before ours. What follows it counts again: with our own position,
    // the messages up to it would be hidden.
    this.moveTo(frame.epoch, Math.max(after, frame.seq));
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
    if (this.seq + fresh.length < frame.seq) return this.reconnectOverHole();
    if (frame.state) this.applyState(frame.state, false);
    for (const event of fresh) {
      this.moveTo(this.epoch, event.seq);
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
    // The show itself was changed: its title, its video.
    if (frame.stream) {
      this.show = frame.stream;
      this.emit('show', frame.stream);
    }
    const changed = this.values.apply(frame, isWhole);
    if (changed.size) this.emit('state', changed);
    if (isWhole || changed.has('pin')) this.sendReceipt();
  }

  /** Tells the server, if it asked for it, that the pin has reached a page that is on the screen. */
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
}
