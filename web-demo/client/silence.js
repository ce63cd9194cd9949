// Notices that a connection is dead. A dead connection only falls silent: a phone that lost its network gets no close event.
//
// The client asks after a silence that is unlikely at the present rate of frames: in a busy room after two seconds, in a
// quiet one after up to 25. No answer within two more seconds puts the connection in doubt.

/** @typedef {ReturnType<typeof setTimeout>} Timer */

const QUIET_MIN_MS = 1_800;
const QUIET_MAX_MS = 25_000;
/** A silence that is this many times as long as the usual gap between frames is rare. */
const GAPS = 8;
const FIRST_GAP_MS = 750;
/** How much a new gap weighs in the average. */
const GAP_WEIGHT = 1 / 8;
/** A room that falls silent must not get the questions of all its viewers at the same moment. */
const SPREAD_MS = 700;
const ANSWER_MS = 2_200;
/** Of several reasons to ask within this time, one is enough. */
const REPEAT_MS = 1_000;
/** A timer that is later than this was held up: the device slept, or the page was in the background. */
const LATE_MS = 1_000;

export class SilenceWatch {
  /**
   * @param {{
   *   now: () => number,
   *   random: () => number,
   *   ask: () => boolean,
   *   ondoubt: () => void,
   *   isWaiting: () => boolean,
   * }} options `now` never goes back; `ask` sends something that is answered, and returns false if there is no connection to
   *   watch; `isWaiting`: a reader waits for an answer, so that silence is noticed soon
   */
  constructor({ now, random, ask, ondoubt, isWaiting }) {
    this.now = now;
    this.random = random;
    this.sendQuestion = ask;
    this.ondoubt = ondoubt;
    this.isWaiting = isWaiting;
    this.gap_ms = FIRST_GAP_MS;
    this.quiet_ms = FIRST_GAP_MS * GAPS;
    this.lastFrameAt = now();
    this.lastRoomFrameAt = this.lastFrameAt;
    /** When the question that is not answered yet was sent. @type {number | null} */
    this.askedAt = null;
    this.dueAt = Infinity;
    /** @type {Timer | undefined} */
    this.timer = undefined;
  }

  /** A connection has received its hello. The rate of frames is known from the one before. */
  begin() {
    this.lastFrameAt = this.lastRoomFrameAt = this.now();
    this.askedAt = null;
    this.plan();
  }

  stop() {
    clearTimeout(this.timer);
    this.dueAt = Infinity;
    this.askedAt = null;
  }

  /**
   * A frame came, which proves the connection.
   * @param {boolean} isOfRoom it came because something happened in the room, not because this client asked
   */
  heard(isOfRoom) {
    const at = this.now();
    this.lastFrameAt = at;
    if (isOfRoom) {
      const gap = Math.min(at - this.lastRoomFrameAt, QUIET_MAX_MS);
      this.lastRoomFrameAt = at;
      this.gap_ms += (gap - this.gap_ms) * GAP_WEIGHT;
      this.quiet_ms = Math.min(Math.max(this.gap_ms * GAPS, QUIET_MIN_MS), QUIET_MAX_MS);
    } else if (this.askedAt !== null) {
      // The room is quiet and the connection works: there is less and less reason to ask.
      this.quiet_ms = Math.min(this.quiet_ms * 2, QUIET_MAX_MS);
    }
    const wasAsked = this.askedAt !== null;
    this.askedAt = null;
    if (wasAsked || this.wanted_ms() < this.dueAt - at - SPREAD_MS) this.plan();
  }

  /** How long the connection may be silent now. */
  wanted_ms() {
    if (globalThis.document?.hidden) return QUIET_MAX_MS;
    return this.isWaiting() ? QUIET_MIN_MS : this.quiet_ms;
  }

  /** Sets the timer to the end of the silence that is allowed. */
  plan() {
    if (this.askedAt !== null) return;
    const rest = this.lastFrameAt + this.wanted_ms() - this.now();
    this.wait(Math.max(rest, 0) + this.random() * SPREAD_MS, () => this.endOfSilence());
  }

  /** @param {number} ms @param {() => void} then */
  wait(ms, then) {
    clearTimeout(this.timer);
    this.dueAt = this.now() + ms;
    this.timer = setTimeout(then, ms);
    // In Node a timer keeps the process alive; this one need not. In browsers it is a number.
    /** @type {{ unref?: () => void }} */ (/** @type {unknown} */ (this.timer)).unref?.();
  }

  endOfSilence() {
    if (this.now() - this.lastFrameAt < this.wanted_ms() - 1) this.plan();
    else this.ask();
  }

  /** Asks now: something happened that may have broken the connection. */
  ask() {
    const now = this.now();
    if (this.askedAt !== null && now - this.askedAt < REPEAT_MS) return;
    if (!this.sendQuestion()) return this.stop();
    this.askedAt = now;
    this.wait(ANSWER_MS, () => this.endOfAnswer());
  }

  endOfAnswer() {
    if (this.askedAt === null) return this.plan();
    // Frames that came during a sleep are handled after this timer, so the question is repeated.
    const isLate = this.now() - this.dueAt > LATE_MS;
    this.askedAt = null;
    if (isLate) return this.ask();
    this.stop();
    this.ondoubt();
  }
}
