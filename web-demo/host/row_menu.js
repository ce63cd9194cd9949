// The menu behind ⋯: what a host does with an offer less often. It closes by Escape, by a press beside it, and when the list scrolls.

import { el } from '../ui.js';

/** Between the button and the menu, and between the menu and the edge of the window. */
const GAP = 4;

/**
 * @param {{ label: string, test: string, content: (Node | string)[] }} options
 * @returns {{ button: HTMLButtonElement, menu: HTMLElement }} both have to be in the page
 */
export function rowMenu({ label, test, content }) {
  const menu = el('div.row-menu', { popover: 'auto', role: 'group', 'aria-label': label }, content);
  const button = el(
    'button.round.ghost.row-more',
    { type: 'button', 'aria-label': label, title: label, 'data-test': test, 'aria-expanded': 'false' },
    '⋯',
  );
  const hide = () => menu.hidePopover();
  button.popoverTargetElement = menu;
  /** Before the action, so that a dialog that it opens gives the focus back to ⋯. @param {Event} event */
  const leave = (event) => {
    if (!(/** @type {Element} */ (event.target).closest('button'))) return;
    hide();
    button.focus();
  };
  menu.addEventListener('click', leave, { capture: true });
  menu.addEventListener('toggle', (event) => {
    const isOpen = /** @type {ToggleEvent} */ (event).newState === 'open';
    button.setAttribute('aria-expanded', String(isOpen));
    const change = isOpen ? 'addEventListener' : 'removeEventListener';
    globalThis[change]('scroll', hide, { capture: true });
    if (isOpen) place(button, menu);
  });
  return { button, menu };
}

/**
 * Under the button, or above it where there is no room, with the ends of both in one line.
 * @param {HTMLElement} button
 * @param {HTMLElement} menu
 */
function place(button, menu) {
  const at = button.getBoundingClientRect();
  const { offsetWidth, offsetHeight } = menu;
  const isBelow = at.bottom + GAP + offsetHeight <= innerHeight;
  const start = document.dir === 'rtl' ? at.left : at.right - offsetWidth;
  const clamp = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(GAP, Math.min(value, most - GAP));
  menu.style.left = `${clamp(start, innerWidth - offsetWidth)}px`;
  menu.style.top = `${clamp(isBelow ? at.bottom + GAP : at.top - GAP - offsetHeight, innerHeight - offsetHeight)}px`;
}
