// What a show looked like at a moment: the pinned offer, the chat, and the chapters of its recording, all from the log of the show.

/** @import { Message } from '../types.d.ts' */
/** @typedef {{ offer: string, at: number, until: number | null }} PinSpan */
/** @typedef {{ offer: string, at: number }} Chapter `at`: ms from the beginning of the recording */

/** Lines of the chat that are shown at a moment. */
export const LINES_SHOWN = 50;
/** A pin that is shorter was a slip of the hand. */
const CHAPTER_MIN_MS = 3_000;

/**
 * The show at a moment. It depends on the log and the moment alone, so that a jump to and fro shows the same.
 * @param {{ pins: PinSpan[], messages: Message[] }} log both in the order of time
 * @param {number} at in ms since 1970
 * @returns {{ offer: string | null, messages: Message[] }}
 */
export function stateAt({ pins, messages }, at) {
  const pin = pins.findLast((span) => span.at <= at);
  const isPinned = pin && (pin.until === null || at < pin.until);
  const said = messages.filter((message) => message.at <= at && !message.deleted);
  return { offer: isPinned ? pin.offer : null, messages: said.slice(-LINES_SHOWN) };
}

/**
 * A chapter for each product that was shown; the same one again without another in between is one chapter.
 * @param {PinSpan[]} pins
 * @param {number} from when the recording begins, in ms since 1970
 * @returns {Chapter[]}
 */
export function chaptersOf(pins, from) {
  /** @type {Chapter[]} */
  const chapters = [];
  for (const { offer, at, until } of pins) {
    const begin = Math.max(at, from);
    if (until !== null && until - begin < CHAPTER_MIN_MS) continue;
    if (chapters.at(-1)?.offer !== offer) chapters.push({ offer, at: begin - from });
  }
  return chapters;
}
