// The chat of a show that is over, read in parts around the position of its recording.

import { get } from '../api.js';
import { LINES_SHOWN } from './state.js';

/** @import { Message } from '../types.d.ts' */

/** One part ends as long after the position, and the next one is read when the position comes near its end. */
const AHEAD_MS = 15_000;
const NEAR_MS = 5_000;
const PAGE = 100;
/** Some seconds of a busy show have more messages than a page. The oldest of even more are left out. */
const PAGES_MAX = 5;
const KEPT_MAX = 2_000;
/** The server cannot be reached now. */
const AGAIN_MS = 5_000;

export class MessageLog {
  /** @param {string} stream */
  constructor(stream) {
    this.path = `/streams/${encodeURIComponent(stream)}/messages`;
    /** In the order of time. @type {Message[]} */
    this.messages = [];
    /** What is known: from here … */
    this.from = 0;
    /** … to here. */
    this.until = 0;
    this.isLoading = false;
    this.againAt = 0;
  }

  /**
   * Reads what a position needs, if it is not there. Gives whether something was read.
   * @param {number} at in ms since 1970
   */
  async reach(at) {
    const isInside = this.from <= at && at < this.until;
    if (this.isLoading || (isInside && at + NEAR_MS < this.until) || performance.now() < this.againAt) return false;
    this.isLoading = true;
    try {
      await this.read(at, isInside ? this.until : null);
      return true;
    } catch {
      this.againAt = performance.now() + AGAIN_MS;
      return false;
    } finally {
      this.isLoading = false;
    }
  }

  /**
   * @param {number} at
   * @param {number | null} known what is there up to this time goes on; null: it is replaced
   */
  async read(at, known) {
    const until = Math.round(at + AHEAD_MS);
    const wanted = known ?? at;
    /** @type {Message[]} */
    const found = [];
    let reaches = until;
    /** @type {string | null} */
    let after = null;
    for (let page = 0; page < PAGES_MAX; page++) {
      const next = after ? `&after=${after}` : '';
      /** @type {{ items: Message[], next: string | null }} */
      const answer = await get(`${this.path}?until=${until}&limit=${PAGE}${next}`);
      found.push(...answer.items);
      after = answer.next;
      reaches = after === null ? 0 : (answer.items.at(-1)?.at ?? 0);
      // The list needs some lines from before the position too.
      if (after === null || (reaches <= wanted && found.length >= LINES_SHOWN)) break;
    }
    const isSeamless = known !== null && reaches <= known;
    const old = isSeamless ? this.messages : [];
    const ids = new Set(old.map(({ id }) => id));
    const fresh = found.filter(({ id }) => !ids.has(id));
    this.messages = [...old, ...fresh].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)).slice(-KEPT_MAX);
    if (!isSeamless) this.from = Math.min(reaches, at);
    if (this.messages.length === KEPT_MAX) this.from = this.messages[0].at;
    this.until = until;
  }

  /**
   * Somebody's messages were removed just now.
   * @param {(message: Message) => boolean} isGone
   */
  remove(isGone) {
    this.messages = this.messages.filter((message) => !isGone(message));
  }
}
