// Hearts: they rise at once, are sent summed, and are counted once.
//
// A tap waits half a second for company; one message then carries the sum. The number shown is the server's plus what
// it cannot know yet. Other people's hearts rise from the growth of the server's number.

import { short } from './i18n.js';
import { el, icon, put } from './ui.js';

const SEND_MS = 500;
const COUNT_MAX = 50;
const AFLOAT_MAX = 20;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class Hearts {
  constructor({ layer, button, count, send, refused }) {
    Object.assign(this, { layer, count, send, refused });
    this.server = null;
    this.unsent = 0;
    this.sent = 0;
    button.addEventListener('click', () => this.tap());
  }

  tap() {
    this.unsent++;
    this.rise(true);
    this.paint();
    this.timer ??= setTimeout(() => this.flush(), SEND_MS);
  }

  async flush() {
    this.timer = null;
    const count = Math.min(this.unsent, COUNT_MAX);
    this.unsent -= count;
    this.sent += count;
    try {
      await this.send(count);
    } catch (problem) {
      this.sent -= count;
      this.unsent = 0;
      this.paint();
      return this.refused(problem);
    }
    // The sum usually comes with the next tick; until then our own share stays added.
    setTimeout(() => { this.sent = Math.max(0, this.sent - count); this.paint(); }, 1_000);
    if (this.unsent) this.timer ??= setTimeout(() => this.flush(), SEND_MS);
    return undefined;
  }

  /** The server's number. The first one is history and raises nothing. */
  set(likes) {
    const grown = this.server === null ? 0 : likes - this.server;
    const own = Math.min(this.sent, Math.max(0, grown));
    this.sent -= own;
    this.server = likes;
    for (let i = 0; i < Math.min(grown - own, 5); i++) setTimeout(() => this.rise(false), i * 140);
    this.paint();
  }

  paint() {
    put(this.count, short((this.server ?? 0) + this.unsent + this.sent));
  }

  rise(own) {
    if (calm.matches || document.hidden || this.layer.children.length >= AFLOAT_MAX) return;
    const heart = el(`span.rising${own ? '.own' : ''}`, { 'aria-hidden': 'true' }, icon('heart'));
    heart.style.setProperty('--sway', `${Math.round(Math.random() * 44 - 22)}px`);
    heart.style.setProperty('--tint', String(Math.floor(Math.random() * 40)));
    heart.addEventListener('animationend', () => heart.remove());
    this.layer.append(heart);
  }
}
