// Hearts rise at once, are sent as a sum, and are counted once.
//
// A tap waits half a second for more taps, and one message carries their sum. The number shown is the server's number
// plus the hearts that the server cannot know yet. The hearts of other viewers rise when the server's number grows.

import { asRefusal } from './api.js';
import { formatCompact } from './i18n.js';
import { el, icon, setText, style } from './ui.js';

/** @import { Refusal } from './types.d.ts' */

await style('hearts');

const SEND_MS = 500;
/** The server takes at most this many in one message. */
const COUNT_MAX = 50;
const RISING_MAX = 20;
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

export class Hearts {
  /**
   * @param {{
   *   layer: HTMLElement,
   *   count: HTMLElement,
   *   send: (count: number) => Promise<unknown>,
   *   onrefused: (refusal: Refusal) => void,
   * }} options
   */
  constructor({ layer, count, send, onrefused }) {
    this.layer = layer;
    this.count = count;
    this.send = send;
    this.onrefused = onrefused;
    /** The server's number. @type {number | null} */
    this.server = null;
    this.unsent = 0;
    this.sent = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  tap() {
    this.unsent++;
    this.rise(true);
    this.paint();
    this.timer ??= setTimeout(() => this.flush(), SEND_MS);
  }

  async flush() {
    this.timer = undefined;
    const count = Math.min(this.unsent, COUNT_MAX);
    this.unsent -= count;
    this.sent += count;
    try {
      await this.send(count);
    } catch (error) {
      this.sent -= count;
      this.unsent = 0;
      this.paint();
      this.onrefused(asRefusal(error));
      return;
    }
    // The sum usually comes with the next tick. Until then the own hearts stay added.
    setTimeout(() => {
      this.sent = Math.max(0, this.sent - count);
      this.paint();
    }, 1_000);
    if (this.unsent) this.timer ??= setTimeout(() => this.flush(), SEND_MS);
  }

  /**
   * Takes the server's number. The first number is history and lets no heart rise.
   * @param {number} likes
   */
  update(likes) {
    const grown = this.server === null ? 0 : likes - this.server;
    const own = Math.min(this.sent, Math.max(0, grown));
    this.sent -= own;
    this.server = likes;
    for (let i = 0; i < Math.min(grown - own, 5); i++) setTimeout(() => this.rise(false), i * 140);
    this.paint();
  }

  paint() {
    setText(this.count, formatCompact((this.server ?? 0) + this.unsent + this.sent));
  }

  /** @param {boolean} own */
  rise(own) {
    if (reducedMotion.matches || document.hidden || this.layer.children.length >= RISING_MAX) return;
    const heart = el('span.rising', { 'aria-hidden': 'true' }, icon('heart'));
    heart.classList.toggle('own', own);
    heart.style.setProperty('--sway', `${Math.round(Math.random() * 44 - 22)}px`);
    heart.style.setProperty('--tint', String(Math.floor(Math.random() * 40)));
    heart.addEventListener('animationend', () => heart.remove());
    this.layer.append(heart);
  }
}
