// What may have broken a connection without a word: sleep, another network, a page that comes back from the background.

const OF_WINDOW = ['online', 'pageshow'];
const OF_DOCUMENT = ['visibilitychange', 'resume'];
/** Two clocks that run differ by less. */
const SLEEP_MIN_MS = 2_000;

/** `navigator.connection`, which not every browser has. @returns {EventTarget | undefined} */
function network() {
  return /** @type {{ connection?: EventTarget }} */ (globalThis.navigator ?? {}).connection;
}

/**
 * Calls `check` whenever the connection should be checked. Returns a function that stops this.
 * @param {() => void} check
 */
export function onWake(check) {
  /** @type {[EventTarget | undefined, string][]} */
  const sources = [
    ...OF_WINDOW.map((name) => /** @type {[EventTarget, string]} */ ([globalThis, name])),
    ...OF_DOCUMENT.map((name) => /** @type {[EventTarget | undefined, string]} */ ([globalThis.document, name])),
    [network(), 'change'],
  ];
  for (const [source, name] of sources) source?.addEventListener?.(name, check);
  return () => {
    for (const [source, name] of sources) source?.removeEventListener?.(name, check);
  };
}

/** Tells a sleep of the device from time that passed. */
export class SleepDetector {
  /** @param {() => number} steadyClock it may stand still while the device sleeps, and is never set */
  constructor(steadyClock) {
    this.steadyClock = steadyClock;
    this.difference = this.measure();
  }

  measure() {
    return Date.now() - this.steadyClock();
  }

  /** Whether the clock of the device has moved ahead of the steady one since the last call: by a sleep, or by its owner. */
  hasSlept() {
    const difference = this.measure();
    const isAhead = difference - this.difference > SLEEP_MIN_MS;
    this.difference = difference;
    return isAhead;
  }
}
