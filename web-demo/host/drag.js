// Putting rows into another order: by the handle with a finger or a mouse, by Alt and the arrows with the keyboard.
//
// While a row is dragged nothing moves in the document, only on the screen: the list goes on being painted meanwhile,
// and a finger must not lose what it holds.

import { el } from '../ui.js';

const EDGE = 70; // pixels from the edge of what scrolls, where it begins to scroll
const STEP = 14;

/** `moved(id, before)`: before which id it was dropped, or null for the end. `step(id, by)`: by the keyboard. */
export function draggable(list, { moved, step }) {
  list.addEventListener('keydown', (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const handle = event.target.closest('.handle');
    const row = event.target.closest('li[data-id]');
    if (!by || !row || !(event.altKey || handle)) return;
    event.preventDefault();
    step(row.dataset.id, by);
  });
  list.addEventListener('pointerdown', (event) => {
    const handle = event.target.closest('.handle');
    if (!handle || event.button !== 0) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    hold(list, handle.closest('li'), event, moved);
  });
}

function hold(list, row, start, moved) {
  const rows = () => [...list.querySelectorAll('li[data-id]')].filter((one) => !one.hidden && one.querySelector('.handle:not([hidden])'));
  const mark = el('div.drop-mark', { 'aria-hidden': 'true' });
  const scroller = scrollerOf(list);
  const scrolled = () => (scroller === document.scrollingElement ? window.scrollY : scroller.scrollTop);
  const from = { y: start.clientY, scroll: scrolled() };
  let y = start.clientY;
  let before; // undefined: where it was
  let far = false;

  const look = () => {
    const moving = y - from.y + scrolled() - from.scroll;
    far ||= Math.abs(moving) > 6;
    if (!far) return;
    row.classList.add('dragged');
    row.style.translate = `0 ${moving}px`;
    const others = rows().filter((one) => one !== row);
    const next = others.find((one) => { const box = one.getBoundingClientRect(); return y < box.top + box.height / 2; });
    before = next?.dataset.id ?? null;
    const last = others.at(-1);
    const box = list.getBoundingClientRect();
    const at = next ? next.getBoundingClientRect().top : last?.getBoundingClientRect().bottom ?? box.top;
    if (!mark.isConnected) list.parentNode.append(mark);
    mark.style.insetBlockStart = `${at - list.parentNode.getBoundingClientRect().top + list.parentNode.scrollTop - 2}px`;
  };
  const creep = setInterval(() => {
    const top = scroller === document.scrollingElement ? 0 : scroller.getBoundingClientRect().top;
    const bottom = scroller === document.scrollingElement ? window.innerHeight : scroller.getBoundingClientRect().bottom;
    if (!far || (y > top + EDGE && y < bottom - EDGE)) return;
    scroller.scrollBy(0, y < top + EDGE ? -STEP : STEP);
    look();
  }, 30);
  const end = (drop) => {
    clearInterval(creep);
    mark.remove();
    row.classList.remove('dragged');
    row.style.translate = '';
    stop.abort();
    if (drop && far && before !== undefined) moved(row.dataset.id, before);
  };
  const stop = new AbortController();
  const on = (type, act) => window.addEventListener(type, act, { signal: stop.signal, capture: true });
  on('pointermove', (event) => { if (event.pointerId === start.pointerId) { y = event.clientY; look(); } });
  on('pointerup', (event) => { if (event.pointerId === start.pointerId) end(true); });
  on('pointercancel', (event) => { if (event.pointerId === start.pointerId) end(false); });
  on('keydown', (event) => { if (event.key === 'Escape') { event.stopPropagation(); end(false); } });
}

function scrollerOf(node) {
  for (let one = node.parentElement; one && one !== document.body; one = one.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(one).overflowY)) return one;
  }
  return document.scrollingElement;
}
