// Requests that add something: units, time, offers, products. Each has one idempotency key, which is kept until its outcome
// is certain, also when the host presses the button again: nothing is added twice.

import { asRefusal, post, Problem, UNKNOWN_OUTCOME } from '../api.js';
import { newKey } from '../client.js';

const TRIES = 3;
const PAUSE_MS = 1_500;

/**
 * The keys of requests whose outcome is not known, by what they ask for. They end with the page.
 * @type {Map<string, string>}
 */
const pending = new Map();

/**
 * Sends a request until its outcome is certain, a few times. Throws `added_or_not` when it stays unknown: the same request
 * finds out, and does nothing twice.
 * @template T
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<T>}
 */
export async function addOnce(path, body) {
  const request = `${path} ${JSON.stringify(body)}`;
  const key = pending.get(request) ?? newKey();
  pending.set(request, key);
  for (let tried = 1; ; tried += 1) {
    try {
      /** @type {T} */
      const added = await post(path, body, { key });
      pending.delete(request);
      return added;
    } catch (error) {
      const { code } = asRefusal(error);
      if (!UNKNOWN_OUTCOME.has(code)) {
        pending.delete(request);
        throw error;
      }
      if (tried === TRIES) throw new Problem('added_or_not');
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }
}
