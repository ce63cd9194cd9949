// REST for the pages, and the token of the reader.
//
// A refusal arrives as problem details (RFC 9457) and is thrown as a Problem with the `code` of the server. A broken
// network is a Problem too, with the code `network`: then the outcome is unknown, which matters to a buyer.

import { basePath, route } from './base.js';

/** @import { Person } from './types.d.ts' */

// Two shops on one host do not share their tokens.
const TOKEN = `livesouk.token${basePath}`;
const TIMEOUT_MS = 10_000;

export class Problem extends Error {
  /**
   * @param {string} code
   * @param {{ detail?: string, title?: string, retry_ms?: number | null, [more: string]: unknown }} [detail]
   */
  constructor(code, detail = {}) {
    super(detail.detail ?? detail.title ?? code);
    this.code = code;
    this.retry_ms = detail.retry_ms ?? null;
    this.detail = detail;
  }
}

/** Codes that leave the outcome unknown: retry with the same idempotency key, never with a new one. */
export const UNKNOWN_OUTCOME = new Set([
  'outcome_unknown',
  'unavailable',
  'network',
  'link_lost',
  'timeout',
  'offline',
]);

/**
 * What `catch` caught, as something with a code. A fault of the page itself has no code.
 * @param {unknown} error
 * @returns {import('./types.d.ts').Refusal}
 */
export function asRefusal(error) {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return /** @type {Problem} */ (error);
  }
  console.error(error);
  return { code: 'unknown' };
}

/** The token of this tab. It comes before the session of the browser. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  /** @param {string} value */
  set: (value) => sessionStorage.setItem(TOKEN, value),
  clear: () => sessionStorage.removeItem(TOKEN),
};

const SESSION = `livesouk.session${basePath}`;
/** In private mode nothing is stored; then a session is known until the next reload. @type {string | null} */
let unstored = null;

/**
 * Who signed in on the shop's own pages in this browser. The session itself is a cookie, which scripts cannot read; this says
 * whose it is, for every tab.
 */
export const session = {
  slot: SESSION,
  /** @returns {Person | null} */
  get() {
    try {
      return JSON.parse(localStorage.getItem(SESSION) ?? unstored ?? 'null');
    } catch {
      return JSON.parse(unstored ?? 'null');
    }
  },
  /** @param {Person} person */
  set(person) {
    unstored = JSON.stringify(person);
    try {
      localStorage.setItem(SESSION, unstored);
    } catch {
      // Private mode.
    }
  },
  clear() {
    unstored = null;
    try {
      localStorage.removeItem(SESSION);
    } catch {
      // Private mode.
    }
  },
};

/** What tells one sign-in from another: the token of this tab, else the user of the session; null: nobody signed in. */
export const signedInAs = () => token.get() ?? session.get()?.sub ?? null;

/**
 * Sends a request and returns its JSON. The caller knows its type, because the server checks what the pages send.
 * @template T
 * @param {string} method
 * @param {string} path below /v1
 * @param {{ body?: unknown, key?: string }} [options] `key` is the idempotency key
 * @param {boolean} [isRepeated] after the reader signed in again
 * @returns {Promise<T>}
 */
export async function call(method, path, { body, key } = {}, isRepeated = false) {
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/json' };
  const own = token.get();
  if (own) headers.authorization = `Bearer ${own}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key) headers['idempotency-key'] = key;
  let answer;
  let data = null;
  try {
    answer = await fetch(route(`/v1${path}`), {
      method,
      headers,
      cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await answer.text();
    data = text ? JSON.parse(text) : null;
  } catch {
    if (!answer || answer.ok) throw new Problem('network');
  }
  if (answer.ok) return data;
  // What cannot be undone needs a fresh sign-in. The request is sent once more after it.
  if (data?.code === 'sign_in_again' && !isRepeated) {
    const { proveAgain } = await import('./email_sign_in.js');
    if (await proveAgain()) return call(method, path, { body, key }, true);
  }
  throw new Problem(data?.code ?? (answer.status >= 500 ? 'unavailable' : 'bad_request'), data ?? {});
}

/** @template T @param {string} path @returns {Promise<T>} */
export const get = (path) => call('GET', path);
/** @template T @param {string} path @param {unknown} [body] @param {{ key?: string }} [more] @returns {Promise<T>} */
export const post = (path, body = {}, more = {}) => call('POST', path, { body, ...more });
/** @template T @param {string} path @param {unknown} [body] @returns {Promise<T>} */
export const put = (path, body = {}) => call('PUT', path, { body });
/** @template T @param {string} path @param {unknown} body @returns {Promise<T>} */
export const patch = (path, body) => call('PATCH', path, { body });
/** @template T @param {string} path @returns {Promise<T>} */
export const del = (path) => call('DELETE', path);
