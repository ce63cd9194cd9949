// One WebSocket, and the requests that wait for their replies on it.

/** @import { ErrorDetail, Reply, ReplyFrame } from '../client.d.ts' */
/** @typedef {ReturnType<typeof setTimeout>} Timer */

/** `code` is the code of the server, or `link_lost` or `timeout`: then the outcome is unknown, or `offline`: then nothing was sent. */
export class RequestError extends Error {
  /** @param {ErrorDetail} error */
  constructor(error) {
    super(error.message ?? error.code);
    this.code = error.code;
    this.retry_ms = error.retry_ms ?? null;
    this.detail = error;
  }
}

export class Connection {
  /**
   * @param {WebSocket} socket
   * @param {number} number counts the connections of one client
   * @param {number} now
   */
  constructor(socket, number, now) {
    this.socket = socket;
    this.number = number;
    this.startedAt = now;
    this.hasHello = false;
    /** It did not answer: it may be dead, or the server may be slow. */
    this.isInDoubt = false;
    this.isRetired = false;
    /** @type {Timer | undefined} */
    this.helloTimer = undefined;
    /** @type {Map<string, { resolve: (reply: Reply) => void, reject: (error: RequestError) => void, timer: Timer }>} */
    this.pending = new Map();
  }

  /**
   * Sends a request and waits for its reply.
   * @param {string} ref
   * @param {Record<string, unknown>} frame
   * @param {number} deadline_ms
   * @returns {Promise<Reply>}
   */
  request(ref, frame, deadline_ms) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(ref);
        reject(new RequestError({ code: 'timeout' }));
        this.discardIfDone();
      }, deadline_ms);
      this.pending.set(ref, { resolve, reject, timer });
      this.socket.send(JSON.stringify({ ref, ...frame }));
    });
  }

  /**
   * Settles the request of a reply; `onreply` sees the reply first.
   * @param {ReplyFrame} frame
   * @param {(reply: Reply) => void} onreply
   */
  settle({ ref, ok, error }, onreply) {
    const request = this.pending.get(ref ?? '');
    if (!request) return;
    this.pending.delete(ref ?? '');
    clearTimeout(request.timer);
    if (ok) onreply(ok);
    if (error) request.reject(new RequestError(error));
    else request.resolve(ok ?? {});
    this.discardIfDone();
  }

  /** Another connection has taken its place. It stays for the replies that are under way, and no longer than `limit_ms`. */
  retire(limit_ms = 0) {
    this.isRetired = true;
    this.socket.onclose = () => this.discard();
    clearTimeout(this.helloTimer);
    this.helloTimer = setTimeout(() => this.discard(), limit_ms);
    this.discardIfDone();
  }

  discardIfDone() {
    if (this.isRetired && !this.pending.size) this.discard();
  }

  /** The replies may never come: what was asked is open, and may be asked again with the same key. */
  giveUpPending() {
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new RequestError({ code: 'link_lost' }));
    }
    this.pending.clear();
  }

  /** Drops the connection without waiting for its close: a dead one may need minutes to notice. */
  discard() {
    clearTimeout(this.helloTimer);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(1000);
    this.giveUpPending();
  }
}
