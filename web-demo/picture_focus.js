// Choosing the point of a picture that stays in sight when it is cropped: with a finger, the mouse or the arrow keys.

import { t } from './i18n.js';
import { openSheet } from './sheet.js';
import { contentAddress, el, picture } from './ui.js';

/** @import { Picture } from './picture_field.js' */

const MIDDLE = 500;
const WHOLE = 1_000;
const STEP = 25;

/** The sheet with the whole picture, and beside it the picture as a square. */
export class FocusSheet {
  /**
   * @param {Picture} of
   * @param {(focus: { x: number, y: number } | null) => void} onchosen
   */
  constructor(of, onchosen) {
    this.address = of.address;
    const { x, y } = of.focus ?? { x: MIDDLE, y: MIDDLE };
    this.x = x;
    this.y = y;
    this.mark = el('span.focus-mark', { 'aria-hidden': 'true' });
    this.whole = el('button.focus-whole', {
      type: 'button',
      'aria-label': t('pictures.focus_hint'),
      'data-test': 'focus-whole',
      onclick: (/** @type {MouseEvent} */ event) => this.choose(event),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.step(event),
    });
    const image = el('img', { alt: '', src: contentAddress(this.address) });
    this.whole.append(image, this.mark);
    this.square = el('span.focus-square', {});
    const done = () => {
      const isMiddle = this.x === MIDDLE && this.y === MIDDLE;
      onchosen(isMiddle ? null : { x: this.x, y: this.y });
      dialog.close();
    };
    const dialog = openSheet(
      [
        el('p.fine', {}, t('pictures.focus_hint')),
        el('div.focus-pair', {}, this.whole, this.square),
        el(
          'div.actions',
          {},
          el('button.primary', { type: 'button', 'data-test': 'focus-done', onclick: done }, t('save')),
        ),
      ],
      { title: t('pictures.focus'), test: 'focus', className: 'side' },
    );
    this.paint();
    this.whole.focus();
  }

  /** @param {MouseEvent} event */
  choose(event) {
    if (!event.detail) return; // By the keyboard, which has no place.
    const box = this.whole.getBoundingClientRect();
    this.set((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!by) return;
    event.preventDefault();
    this.set((this.x + by[0]) / WHOLE, (this.y + by[1]) / WHOLE);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  set(x, y) {
    [this.x, this.y] = [x, y].map((part) => Math.round(Math.min(1, Math.max(0, part)) * WHOLE));
    this.paint();
  }

  paint() {
    this.mark.style.left = `${this.x / 10}%`;
    this.mark.style.top = `${this.y / 10}%`;
    const address = `${this.address}#focus=${this.x},${this.y}`;
    const shown = this.square.querySelector('img');
    if (shown) shown.style.objectPosition = `${this.x / 10}% ${this.y / 10}%`;
    else this.square.replaceChildren(picture(address));
  }
}
