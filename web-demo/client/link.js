// One lasting link to a show: it opens connections, replaces them, notices when one is dead, and tries again.

/** @import { ConnectionStatus, ConnectOptions, StatusChange } from '../client.d.ts' */
/** @import { Timer } from './connection.js' */

import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { parseClose, retryDelay, shouldReconnect } from './retry.js';
import { SilenceWatch } from './silence.js';
import { onWake, SleepDetector } from './wake.js';

/** A connection that lasted this long worked: the next retries start from the shortest delay. */
const STEADY_MS = 10_000;
/** A handshake that takes longer counts as failed. */
const HELLO_TIMEOUT_MS = 15_000;
/** When the network changes, a handshake that is older than this is begun again. */
const STALE_HANDSHAKE_MS = 3_000;
/** How long a connection that was replaced waits for the replies to its requests. */
const RETIRED_MAX_MS = 12_000;
/** The code of the server for a connection that a newer one with the same session id replaced. */
const REPLACED = 4509;

/** The time of day when the page was loaded, plus what has passed since then. */
const pageClock = () => performance.timeOrigin + performance.now();

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
  constructor(stream, { token = null, base, WebSocket: Socket, random = Math.random, steadyClock = pageClock } = {}) {
    super();
    this.stream = stream;
    this.token = token;
    this.base = base ?? globalThis.location?.origin;
    this.Socket = Socket ?? globalThis.WebSocket;
    this.random = random;
    this.steadyClock = steadyClock;
    /** The server closes an older connection with the same session id. */
    this.session = newKey();
    /** @type {ConnectionStatus} */
    this.status = 'connecting';
    /** The position in the show: the epoch of its numbering, and the last number. @type {string | null} */
    this.epoch = null;
    this.seq = 0;
    this.attempt = 0;
    this.nextRef = 1;
    /** How many connections were opened. */
    this.opened = 0;
    /** The admission ticket of the last close, for the next connection. @type {string | null} */
    this.ticket = null;
    /** The time before which the server does not want to see this client. */
    this.notBefore = 0;
    /** The connection in use. @type {Connection | null} */
    this.connection = null;
    /** The connection that is about to replace it. @type {Connection | null} */
    this.successor = null;
    /** @type {{ retry?: Timer, steady?: Timer }} */
    this.timers = {};
    this.silence = new SilenceWatch({
      now: steadyClock,
      random,
      ask: () => this.sendHeartbeat(),
      ondoubt: () => this.doubt(),
      isWaiting: () => Boolean(this.connection?.pending.size),
    });
    this.sleep = new SleepDetector(steadyClock);
    this.stopWaking = onWake(() => this.checkConnection());
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

  /** Opens a connection. One that may still work (after `moving`, or in doubt) is kept until the new one has its hello. */
  open() {
    clearTimeout(this.timers.retry);
    if (this.successor || (this.connection && !this.connection.hasHello)) return;
    if (!this.connection) this.setStatus(this.epoch === null ? 'connecting' : 'catching_up');
    const connection = new Connection(new this.Socket(this.url(), this.protocols()), ++this.opened, this.steadyClock());
    if (this.connection) this.successor = connection;
    else this.connection = connection;
    connection.helloTimer = setTimeout(() => this.connectionLost(connection, { code: 1006 }), HELLO_TIMEOUT_MS);
    connection.socket.onmessage = ({ data }) => this.receive(connection, data);
    connection.socket.onclose = (closed) => this.connectionLost(connection, closed);
    // A close event follows.
    connection.socket.onerror = () => {};
  }

  /**
   * Reconnects with another token and keeps the position in the show.
   * @param {string | null} token
   */
  signIn(token) {
    this.token = token;
    this.attempt = 0;
    // It was for somebody else.
    this.ticket = null;
    this.discardAll();
    this.open();
  }

  close() {
    this.discardAll();
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.stopWaking();
    this.setStatus('closed', { code: 1000 });
  }

  /**
   * A connection has received its hello: it replaces the one before it.
   * @param {Connection} connection
   */
  adopt(connection) {
    clearTimeout(connection.helloTimer);
    connection.hasHello = true;
    this.ticket = null;
    if (connection !== this.successor) return;
    // Replies that are under way may still arrive on the old one; its other frames no longer count.
    this.connection?.retire(RETIRED_MAX_MS);
    this.connection = connection;
    this.successor = null;
  }

  /** The show is caught up with. */
  established() {
    this.setStatus('live');
    this.silence.begin();
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
    if (this.ticket) url.searchParams.set('ticket', this.ticket);
    if (this.epoch !== null) {
      url.searchParams.set('epoch', this.epoch);
      url.searchParams.set('seq', String(this.seq));
    }
    return url.href;
  }

  /** The token is not in the address: proxies log addresses. The server agrees on the protocol only and does not send it back. */
  protocols() {
    return this.token ? ['livesouk.v1', `token.${this.token}`] : ['livesouk.v1'];
  }

  /** Checks, after sleep or when the network has changed, whether the connection still carries anything. */
  checkConnection() {
    if (this.status === 'closed' || globalThis.document?.hidden) return;
    if (this.live) {
      // The hello of a new connection sets the clock.
      if (this.sleep.hasSlept()) this.open();
      return this.silence.ask();
    }
    const opening = this.successor ?? (this.connection?.hasHello ? null : this.connection);
    if (opening) {
      if (this.steadyClock() - opening.startedAt < STALE_HANDSHAKE_MS) return;
      this.connectionLost(opening, { code: 1006 });
    }
    if (this.steadyClock() >= this.notBefore) this.open();
  }

  discardAll() {
    this.successor?.discard();
    this.connection?.discard();
    this.connection = this.successor = null;
    this.silence.stop();
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
      // A successor that is on its way continues alone.
      this.connection = this.successor;
      this.successor = null;
      if (this.connection) return this.setStatus('catching_up');
    }
    this.silence.stop();
    clearTimeout(this.timers.steady);
    // Replaced by a connection of this client that is lost, too: nobody else has taken the show.
    const isOwn = code === REPLACED && connection.number < this.opened;
    if (!isOwn && !shouldReconnect(code)) return this.setStatus('closed', { code });
    this.retry(code, reason);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  retry(code, reason) {
    const { retry_ms, ticket } = parseClose(reason);
    if (retry_ms !== null) [this.ticket, this.notBefore] = [ticket, this.steadyClock() + retry_ms];
    const delay = retry_ms ?? retryDelay(this.attempt, this.random);
    this.attempt++;
    if (!this.connection || this.connection.isInDoubt) this.setStatus('reconnecting', { code, retry_ms: delay });
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), delay);
  }

  /** Sends a heartbeat. `ping` is not a verb, and need not be one: any answer, even a refusal, proves the connection. */
  sendHeartbeat() {
    const { connection } = this;
    if (!this.live || connection?.socket.readyState !== 1) return false;
    connection.socket.send(JSON.stringify({ ref: `p${this.nextRef++}`, do: 'ping' }));
    return true;
  }

  /**
   * The connection does not answer. Nothing may be sold or sent on it now. It is kept while another one is opened, because the
   * server may only be slow, and then all its viewers would leave at once.
   */
  doubt() {
    const { connection } = this;
    if (!this.live || !connection) return;
    connection.isInDoubt = true;
    connection.giveUpPending();
    clearTimeout(this.timers.steady);
    this.retry(1006, '');
  }

  /**
   * A frame came on the connection in use, which proves it.
   * @param {boolean} isOfRoom it is no answer to something that this client sent
   */
  heard(isOfRoom) {
    const { connection } = this;
    this.silence.heard(isOfRoom);
    if (!connection?.isInDoubt) return;
    connection.isInDoubt = false;
    if (!this.successor) clearTimeout(this.timers.retry);
    this.established();
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
