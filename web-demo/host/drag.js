// Moving the rows of a list: by the handle with a finger or a mouse, or by Alt and the arrow keys.
//
// While a row is dragged, it moves only on the screen, not in the document: the list is repainted meanwhile, and a finger
// must not lose what it holds.

import { el, queryAll } from '../ui.js';

/** How near to its edge the list scrolls, in pixels, and how far and how often. */
const EDGE = 70;
const SCROLL_STEP = 14;
const SCROLL_MS = 30;
/** A shorter movement is a press, not a drag. */
const DRAG_MIN = 6;

/**
 * @typedef {{
 *   onmove: (id: string, before: string | null) => void,
 *   onstep: (id: string, by: number) => void,
 * }} DragHandlers `onmove`: dropped before this id, or at the end. `onstep`: moved by the keyboard.
 */

/**
 * @param {HTMLElement} list
 * @param {DragHandlers} handlers
 */
export function makeDraggable(list, { onmove, onstep }) {
  list.addEventListener('keydown', (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const target = /** @type {Element} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest('li[data-id]'));
    if (!by || !row?.dataset.id || !(event.altKey || target.closest('.handle'))) return;
    event.preventDefault();
    onstep(row.dataset.id, by);
  });
  list.addEventListener('pointerdown', (event) => {
    const handle = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('.handle'));
    const row = handle?.closest('li');
    if (!handle || !row || event.button !== 0) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    new Drag(list, row, event, onmove);
  });
}

class Drag {
  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} row
   * @param {PointerEvent} start
   * @param {DragHandlers['onmove']} onmove
   */
  constructor(list, row, start, onmove) {
    this.list = list;
    this.row = row;
    this.onmove = onmove;
    this.scroller = scrollerOf(list);
    this.startY = start.clientY;
    this.startScroll = this.scroller.scrollTop;
    this.y = start.clientY;
    this.hasMoved = false;
    /** The id before which the row is dropped; null: at the end; undefined: where it was. @type {string | null | undefined} */
    this.before = undefined;
    this.mark = el('div.drop-mark', { 'aria-hidden': 'true' });
    this.timer = setInterval(() => this.scrollAtEdge(), SCROLL_MS);
    this.abort = new AbortController();
    const options = { signal: this.abort.signal, capture: true };
    window.addEventListener('pointermove', (event) => this.pointerMoved(event, start.pointerId), options);
    window.addEventListener('pointerup', (event) => event.pointerId === start.pointerId && this.end(true), options);
    window.addEventListener(
      'pointercancel',
      (event) => event.pointerId === start.pointerId && this.end(false),
      options,
    );
    window.addEventListener('keydown', (event) => this.keyPressed(event), options);
  }

  /**
   * @param {PointerEvent} event
   * @param {number} pointerId
   */
  pointerMoved(event, pointerId) {
    if (event.pointerId !== pointerId) return;
    this.y = event.clientY;
    this.update();
  }

  /** @param {KeyboardEvent} event */
  keyPressed(event) {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    this.end(false);
  }

  /** The other rows that can be moved. */
  otherRows() {
    const rows = queryAll('li[data-id]', this.list);
    return rows.filter((row) => row !== this.row && !row.hidden && row.querySelector('.handle:not([hidden])'));
  }

  update() {
    const distance = this.y - this.startY + this.scroller.scrollTop - this.startScroll;
    this.hasMoved ||= Math.abs(distance) > DRAG_MIN;
    if (!this.hasMoved) return;
    this.row.classList.add('dragged');
    this.row.style.translate = `0 ${distance}px`;
    const others = this.otherRows();
    const next = others.find((row) => {
      const box = row.getBoundingClientRect();
      return this.y < box.top + box.height / 2;
    });
    this.before = next?.dataset.id ?? null;
    const end = others.at(-1)?.getBoundingClientRect().bottom ?? this.list.getBoundingClientRect().top;
    this.showMark(next ? next.getBoundingClientRect().top : end);
  }

  /** @param {number} at */
  showMark(at) {
    const box = /** @type {HTMLElement} */ (this.list.parentElement);
    if (!this.mark.isConnected) box.append(this.mark);
    this.mark.style.insetBlockStart = `${at - box.getBoundingClientRect().top + box.scrollTop - 2}px`;
  }

  scrollAtEdge() {
    const isPage = this.scroller === document.scrollingElement;
    const box = this.scroller.getBoundingClientRect();
    const top = isPage ? 0 : box.top;
    const bottom = isPage ? window.innerHeight : box.bottom;
    if (!this.hasMoved || (this.y > top + EDGE && this.y < bottom - EDGE)) return;
    this.scroller.scrollBy(0, this.y < top + EDGE ? -SCROLL_STEP : SCROLL_STEP);
    this.update();
  }

  /** @param {boolean} isDropped */
  end(isDropped) {
    clearInterval(this.timer);
    this.abort.abort();
    this.mark.remove();
    this.row.classList.remove('dragged');
    this.row.style.translate = '';
    const { id } = this.row.dataset;
    if (isDropped && this.hasMoved && this.before !== undefined && id) this.onmove(id, this.before);
  }
}

/** @param {HTMLElement} node */
function scrollerOf(node) {
  for (let one = node.parentElement; one && one !== document.body; one = one.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(one).overflowY)) return one;
  }
  return document.scrollingElement ?? document.documentElement;
}
