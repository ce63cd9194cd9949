// REST for the pages, and who is asking.
//
// A refusal arrives as problem details and is thrown as a Problem with the server's `code`. A broken network is a
// Problem too, code `network`: the outcome is then unknown, which matters to whoever was buying.

const TOKEN = 'livesouk.token';
const DEADLINE_MS = 10_000;

export class Problem extends Error {
  constructor(code, detail = {}) {
    super(detail.detail ?? detail.title ?? code);
    this.code = code;
    this.retry_ms = detail.retry_ms ?? null;
    this.detail = detail;
  }
}

/** Outcomes nobody knows: ask again with the same idempotency key, never with a new one. */
export const UNKNOWN = new Set(['outcome_unknown', 'unavailable', 'network', 'link_lost', 'timeout', 'offline']);

// One sign-in per tab: a demo with three viewers is then three tabs.
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  clear: () => sessionStorage.removeItem(TOKEN),
};

/** A token handed over in the address moves out of it at once, so that a shared link does not share it. */
export function takeTokenFromAddress() {
  const match = /(?:^#|&)token=([^&]+)/.exec(location.hash);
  if (!match) return;
  token.set(decodeURIComponent(match[1]));
  history.replaceState(null, '', location.pathname + location.search);
}

export async function call(method, path, { body, key } = {}) {
  const headers = { accept: 'application/json' };
  if (token.get()) headers.authorization = `Bearer ${token.get()}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key) headers['idempotency-key'] = key;
  let answer;
  let data = null;
  try {
    answer = await fetch(`/v1${path}`, {
      method, headers, cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const text = await answer.text();
    data = text ? JSON.parse(text) : null;
  } catch {
    if (!answer || answer.ok) throw new Problem('network');
  }
  if (answer.ok) return data;
  throw new Problem(data?.code ?? (answer.status >= 500 ? 'unavailable' : 'bad_request'), data ?? {});
}

export const get = (path) => call('GET', path);
export const post = (path, body = {}, more = {}) => call('POST', path, { body, ...more });
export const put = (path, body = {}) => call('PUT', path, { body });
export const del = (path) => call('DELETE', path);
