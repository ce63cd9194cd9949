// One WebSocket, and the requests that wait for their replies on it.

/** @import { ErrorDetail, Reply, ReplyFrame } from '../client.d.ts' */
/** @typedef {ReturnType<typeof setTimeout>} Timer */

/** `code` is the code of the server, or `link_lost`, `timeout` or `offline`: then the outcome is unknown. */
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
   * @param {number} now
   */
  constructor(socket, now) {
    this.socket = socket;
    this.lastFrameAt = now;
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
  }

  /** Drops the connection without waiting for its close: a dead one may need minutes to notice. */
  discard() {
    clearTimeout(this.helloTimer);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(1000);
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new RequestError({ code: 'link_lost' }));
    }
    this.pending.clear();
  }
}
