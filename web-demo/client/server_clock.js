// The clock of the server, estimated from the `now` of its frames.

const SAMPLES_MAX = 20;
const SAMPLE_AGE_MAX_MS = 300_000;

export class ServerClock {
  /** @param {() => number} steadyClock it is never set: the owner of a device may set its clock back by an hour */
  constructor(steadyClock) {
    this.steadyClock = steadyClock;
    /** @type {{ at: number, difference: number }[]} */
    this.samples = [];
  }

  now() {
    return this.steadyClock() + this.offset;
  }

  /**
   * A `now` is always a little old when it arrives, so the largest difference is the one with the least delay.
   * @param {number} now
   */
  record(now) {
    if (!Number.isFinite(now)) return;
    const at = this.steadyClock();
    this.samples = this.samples.filter((sample) => at - sample.at < SAMPLE_AGE_MAX_MS).slice(-SAMPLES_MAX);
    this.samples.push({ at, difference: now - at });
  }

  reset() {
    this.samples = [];
  }

  get offset() {
    return this.samples.length ? Math.max(...this.samples.map((sample) => sample.difference)) : 0;
  }
}
