// The pin that the page shows: in time with the picture.
//
// The picture reaches viewers seconds after the camera. A card that comes at once names a product before the host holds it up. So a
// new pin waits until the time of the picture reaches the time of the pin, and no longer than ten seconds. Nothing else waits:
// stock, clocks, openings and orders have the time of the server, and a pin that is taken away is gone at once.

/** @import { LiveClient, LiveEvent } from './types.d.ts' */
/** @typedef {Extract<LiveEvent, { type: 'pinned' }>} PinnedEvent */

export const WAIT_MAX_MS = 10_000;
/** The picture may jump, so a long wait looks again this often. */
const LOOK_MS = 250;
const LOOK_MIN_MS = 20;

export class ShownPin {
  /**
   * @param {{
   *   client: LiveClient,
   *   pictureTime: () => number | null,
   *   onchange: () => void,
   *   onpinned?: (event: PinnedEvent, how: { replay: boolean }) => void,
   * }} options `pictureTime` is the server time at which the picture that is on the screen was taken, or null where nothing tells
   *   it; `onchange` is called when another offer is shown, `onpinned` once for each pin that is shown
   */
  constructor({ client, pictureTime, onchange, onpinned = () => {} }) {
    this.client = client;
    this.pictureTime = pictureTime;
    this.onchange = onchange;
    this.onpinned = onpinned;
    /** The offer that is shown now. @type {string | null} */
    this.offer = null;
    /** Who comes into a show sees at once what is pinned. */
    this.hasBegun = false;
    this.arrivedAt = 0;
    /** The event of a pin that is not shown yet. @type {{ event: PinnedEvent, replay: boolean } | null} */
    this.next = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    client.on('state', (changed) => {
      if (changed.has('pin')) this.arrivedAt = client.now();
      if (changed.has('pin') || !this.hasBegun) this.update();
      this.hasBegun = true;
    });
    client.on('event', (event, { replay }) => {
      if (event.type === 'pinned') this.receive(event, replay);
    });
  }

  /** The offer that is pinned, shown or not. */
  get wanted() {
    return this.client.state.pin?.offer ?? null;
  }

  /**
   * The event may come before its pin, or after it.
   * @param {PinnedEvent} event
   * @param {boolean} replay
   */
  receive(event, replay) {
    // It is history.
    if (replay && event.offer !== this.wanted) return this.onpinned(event, { replay });
    this.next = { event, replay };
    this.update();
  }

  /** Shows what is pinned, now or when its time has come. */
  update() {
    clearTimeout(this.timer);
    const { wanted } = this;
    if (wanted !== this.offer) {
      const rest = this.rest();
      if (rest > 0) {
        this.timer = setTimeout(() => this.update(), Math.max(LOOK_MIN_MS, Math.min(rest, LOOK_MS)));
        return;
      }
      this.offer = wanted;
      this.onchange();
    }
    if (this.next?.event.offer !== this.offer) return;
    const { event, replay } = this.next;
    this.next = null;
    this.onpinned(event, { replay });
  }

  /** How long the pin still waits, in ms. */
  rest() {
    const picture = this.wanted !== null && this.hasBegun ? this.pictureTime() : null;
    if (picture === null) return 0;
    const at = this.next?.event.offer === this.wanted ? this.next.event.at : this.arrivedAt;
    return Math.min(at - picture, at + WAIT_MAX_MS - this.client.now());
  }
}
