// One lasting link to a show: it opens connections, replaces them, notices when one is dead, and tries again.

/** @import { ConnectionStatus, ConnectOptions, StatusChange } from '../client.d.ts' */
/** @import { Timer } from './connection.js' */

import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { retryAfter, retryDelay, shouldReconnect } from './retry.js';

/** A connection that lasted this long was good: the next retries start from the shortest delay. */
const STEADY_MS = 10_000;
/** After this much silence the client sends a heartbeat … */
const QUIET_MS = 25_000;
/** … and waits this long for any frame. */
const HEARTBEAT_TIMEOUT_MS = 12_000;
/** A handshake that takes longer counts as failed. */
const HELLO_TIMEOUT_MS = 15_000;

/** 128 random bits as text. `crypto.randomUUID` needs HTTPS, and a phone that opens the demo of a laptop has plain HTTP. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Link extends Emitter {
  /**
   * @param {string | null} stream
   * @param {ConnectOptions} [options]
   */
  constructor(stream, { token = null, base, WebSocket: Socket, random = Math.random, wallClock = Date.now } = {}) {
    super();
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
    /** The position in the show: the epoch of its numbering, and the last number. @type {string | null} */
    this.epoch = null;
    this.seq = 0;
    this.attempt = 0;
    this.nextRef = 1;
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

  get live() {
    return this.status === 'live';
  }

  /**
   * Receives what the server sends; the class that knows the frames overrides it.
   * @type {(connection: Connection, data: string) => void}
   */
  receive() {}

  /**
   * The client has read the show up to this position, from which a new connection continues.
   * @param {string | null} epoch
   * @param {number} seq
   */
  moveTo(epoch, seq) {
    this.epoch = epoch;
    this.seq = seq;
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
   * A connection has received its hello: it replaces the one before it.
   * @param {Connection} connection
   */
  adopt(connection) {
    clearTimeout(connection.helloTimer);
    if (connection !== this.successor) return;
    if (this.connection) this.retire(this.connection);
    this.connection = connection;
    this.successor = null;
  }

  /** The show is caught up with. */
  established() {
    this.setStatus('live');
    this.watchSilence();
    clearTimeout(this.timers.steady);
    this.timers.steady = setTimeout(() => {
      this.attempt = 0;
    }, STEADY_MS);
    unref(this.timers.steady);
  }

  url() {
    // The base may have a path, when the shop is a part of another site.
    const url = new URL(`${this.base?.replace(/\/+$/, '')}/v1/streams/${encodeURIComponent(this.stream ?? '')}/live`);
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

  /**
   * Leaves the old connection. Replies that are under way may still arrive on it; its other frames no longer count.
   * @param {Connection} old
   */
  retire(old) {
    old.socket.onclose = () => old.discard();
    setTimeout(() => old.discard(), 2_000);
  }

  /** The server asks to leave this connection within `retry_ms`. */
  move(retry_ms = 0) {
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), this.random() * retry_ms);
  }

  /**
   * @param {ConnectionStatus} status
   * @param {Omit<StatusChange, 'status'>} [more]
   */
  setStatus(status, more = {}) {
    if (status === this.status && status === 'live') return;
    this.status = status;
    this.emit('status', { status, ...more });
  }
}

/**
 * In Node a timer keeps the process alive; these timers need not.
 * @param {unknown} timer a number in browsers, an object in Node
 */
function unref(timer) {
  /** @type {{ unref?: () => void }} */ (timer).unref?.();
}
