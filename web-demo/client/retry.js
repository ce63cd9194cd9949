// When the client reconnects, and after which delay.

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 20_000;

/**
 * Exponential backoff with full jitter: any delay between zero and a ceiling that doubles. Clients that lost their
 * connections together reconnect spread out.
 * @param {number} attempt
 */
export function retryDelay(attempt, random = Math.random) {
  return Math.round(random() * Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(attempt, 10)));
}

/**
 The connection ended because of what this client sent: the same would happen again.
 * @param {number} code
 */
export function isOwnFault(code) {
  return [1002, 1003, 1007, 1009].includes(code);
}

/**
 * 4000–4499 and 1006 mean reconnect. 4500–4999, the own faults and 1000 mean do not. Any other code is a restart of a server or a
 * proxy: reconnect.
 * @param {number} code
 */
export function shouldReconnect(code) {
  return code !== 1000 && !isOwnFault(code) && !(code >= 4500 && code <= 4999);
}

/**
 * What the server says in the reason of a close: when to come back, and the admission ticket for that time, if it kept a place.
 * @param {string} reason
 * @returns {{ retry_ms: number | null, ticket: string | null }}
 */
export function parseClose(reason) {
  try {
    const { retry_ms, ticket } = JSON.parse(reason);
    return {
      retry_ms: Number.isFinite(retry_ms) ? retry_ms : null,
      ticket: typeof ticket === 'string' ? ticket : null,
    };
  } catch {
    return { retry_ms: null, ticket: null };
  }
}
