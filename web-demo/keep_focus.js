// The focus over a repaint. Who works with the keyboard goes on where they were: in the control of the same name, else in the one that takes
// its place.

import { isFocusLost, lastControl } from './ui.js';

/**
 * Paints a part of the page again without losing the focus that is in it.
 * @param {HTMLElement} root
 * @param {() => void} paint
 * @param {(name: string) => string[]} [successors] the names of the controls that may take the place of one that is gone, the best first
 */
export function keepFocus(root, paint, successors = () => []) {
  // A button that waits for an answer is disabled, and a disabled button has lost the focus already.
  const focused = isFocusLost() ? lastControl() : document.activeElement;
  const before = focused instanceof HTMLElement && root.contains(focused) && focused !== root ? focused : null;
  const name = before?.dataset.test ?? '';
  paint();
  if (!before || before.isConnected) return;
  for (const test of [name, ...successors(name)]) {
    const next = root.querySelector(`[data-test="${CSS.escape(test)}"]:not(:disabled)`);
    if (!(next instanceof HTMLElement)) continue;
    next.focus({ preventScroll: true });
    if (document.activeElement !== next) continue; // It is hidden.
    if (isTyped(before) && isTyped(next)) next.setSelectionRange(before.selectionStart, before.selectionEnd);
    return;
  }
  root.tabIndex = -1;
  root.focus({ preventScroll: true });
}

/** @param {HTMLElement} node @returns {node is HTMLInputElement | HTMLTextAreaElement} */
const isTyped = (node) =>
  node instanceof HTMLTextAreaElement || (node instanceof HTMLInputElement && node.selectionStart !== null);
