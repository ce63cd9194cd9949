// Hearts and emoji rise at once, are sent as a sum, and are counted once.
//
// A tap waits half a second for more taps, and one message carries the sum of one kind. The number shown is the server's number plus
// the reactions that the server cannot know yet. Those of other viewers rise when the server's numbers grow.

import { asRefusal } from './api.js';
import { formatCompact, t } from './i18n.js';
import { countsOf, EMOJI, EMOJI_KINDS, grownSince, KINDS, none } from './reaction_counts.js';
import { el, icon, query, setText, setVisible, style } from './ui.js';

/** @import { Refusal } from './types.d.ts' */
/** @import { ReactionKind } from './reaction_counts.js' */

await style('hearts');

const SEND_MS = 500;
/** The server takes at most this many in one message. */
const COUNT_MAX = 50;
const RISING_MAX = 20;
/** At most this many of others rise for one number of the server. */
const OTHERS_MAX = 5;
/** The emoji stay over the heart for this long after the last tap. */
const CHOICE_MS = 6_000;
const desktop = matchMedia('(min-width: 60em)');
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

export class Hearts {
  /**
   * @param {{
   *   layer: HTMLElement,
   *   box: HTMLElement,
   *   count: HTMLElement,
   *   send: (kind: ReactionKind, count: number) => Promise<unknown>,
   *   onrefused: (refusal: Refusal) => void,
   * }} options `box` holds the heart; the emoji stand over it on a desktop, and in the rail beside the chat on a phone
   */
  constructor({ layer, box, count, send, onrefused }) {
    this.layer = layer;
    this.box = box;
    this.count = count;
    this.send = send;
    this.onrefused = onrefused;
    /** The server's number of likes, and of each kind. @type {number | null} */
    this.server = null;
    this.counts = none();
    this.unsent = none();
    this.sent = none();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.choiceTimer = undefined;
    this.choice = el(
      'span.emoji-row',
      { role: 'group', 'aria-label': t('reactions'), 'data-test': 'emoji', hidden: true },
      EMOJI_KINDS.map((kind) => this.emojiButton(kind)),
    );
    this.choice.addEventListener('focusin', () => this.showChoice());
    // In the rail the emoji come before the heart: this key leads there.
    box.addEventListener('keydown', ({ key }) => {
      if (key !== 'ArrowUp') return;
      this.showChoice();
      this.choice.querySelector('button')?.focus();
    });
  }

  /** @param {keyof typeof EMOJI} kind */
  emojiButton(kind) {
    const label = t(`reaction.${kind}`);
    const props = { type: 'button', 'aria-label': label, 'data-test': `emoji-${kind}`, onclick: () => this.tap(kind) };
    return el('button.round', props, el('span', { 'aria-hidden': 'true' }, EMOJI[kind]));
  }

  /** @param {ReactionKind} [kind] */
  tap(kind = 'heart') {
    this.unsent[kind]++;
    this.rise(kind, true);
    this.paint();
    this.showChoice();
    this.timer ??= setTimeout(() => this.flush(), SEND_MS);
  }

  /** Shows the emoji for a moment. */
  showChoice() {
    if (this.choice.hidden) {
      if (desktop.matches) this.box.append(this.choice);
      else query('.rail').prepend(this.choice);
    }
    setVisible(this.choice, true);
    clearTimeout(this.choiceTimer);
    this.choiceTimer = setTimeout(() => {
      if (this.choice.contains(document.activeElement)) this.showChoice();
      else setVisible(this.choice, false);
    }, CHOICE_MS);
  }

  /** Sends one kind: the one with the most taps. The others go with the next messages. */
  async flush() {
    this.timer = undefined;
    const kind = KINDS.reduce((most, one) => (this.unsent[one] > this.unsent[most] ? one : most));
    const count = Math.min(this.unsent[kind], COUNT_MAX);
    this.unsent[kind] -= count;
    this.sent[kind] += count;
    try {
      await this.send(kind, count);
    } catch (error) {
      this.sent[kind] -= count;
      this.unsent = none();
      this.paint();
      this.onrefused(asRefusal(error));
      return;
    }
    // The sum usually comes with the next tick. Until then the own reactions stay added.
    setTimeout(() => {
      this.sent[kind] = Math.max(0, this.sent[kind] - count);
      this.paint();
    }, 1_000);
    if (KINDS.some((one) => this.unsent[one])) this.timer ??= setTimeout(() => this.flush(), SEND_MS);
  }

  /**
   * Takes the server's numbers. The first numbers are history and let nothing rise.
   * @param {number} likes
   * @param {Partial<Record<string, number>>} reactions
   */
  update(likes, reactions) {
    const now = countsOf(likes, reactions);
    const grown = this.server === null ? none() : grownSince(this.counts, now);
    this.server = likes;
    this.counts = now;
    /** @type {ReactionKind[]} */
    const others = [];
    for (const kind of KINDS) {
      const own = Math.min(this.sent[kind], grown[kind]);
      this.sent[kind] -= own;
      others.push(...Array(Math.min(OTHERS_MAX, grown[kind] - own)).fill(kind));
    }
    others.slice(-OTHERS_MAX).forEach((kind, i) => setTimeout(() => this.rise(kind, false), i * 140));
    this.paint();
  }

  paint() {
    const own = KINDS.reduce((sum, kind) => sum + this.unsent[kind] + this.sent[kind], 0);
    const sum = (this.server ?? 0) + own;
    setText(this.count, sum ? formatCompact(sum) : '');
  }

  /**
   * @param {ReactionKind} kind
   * @param {boolean} own
   */
  rise(kind, own) {
    if (reducedMotion.matches || document.hidden || this.layer.children.length >= RISING_MAX) return;
    const sign = kind === 'heart' ? icon('heart') : EMOJI[kind];
    const node = el('span.rising', { 'aria-hidden': 'true', 'data-kind': kind }, sign);
    node.classList.toggle('own', own);
    node.style.setProperty('--sway', `${Math.round(Math.random() * 44 - 22)}px`);
    node.style.setProperty('--tint', String(Math.floor(Math.random() * 40)));
    node.addEventListener('animationend', () => node.remove());
    this.layer.append(node);
  }
}
