// A sheet in which something was typed is closed only after a question.

import { t } from '../i18n.js';
import { confirmDialog } from '../sheet.js';

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/** A control that the code has set, such as to what somebody else saved meanwhile: nobody typed it. */
const SET_BY_CODE = 'set-by-code';

/** @param {Control} control */
export const markSetByCode = (control) => control.dispatchEvent(new CustomEvent(SET_BY_CODE, { bubbles: true }));

/**
 * Asks before Esc, the cross or a press beside the sheet lose what was typed in it, and before the page is left. Closing by the code, as after
 * a save, asks nothing. What was typed and saved does not count: its field is empty again.
 * @template {HTMLDialogElement} T
 * @param {T} dialog that `openSheet` opened
 * @param {{ within?: HTMLElement, hasDraft?: () => boolean }} [options] `within`: the part of it in which nothing is saved before a button is
 *   pressed; `hasDraft`: whether a sheet that paints itself again keeps something that was typed and not saved
 * @returns {T}
 */
export function guardTyped(dialog, { within = dialog, hasDraft = () => false } = {}) {
  /** What each control had when it was touched first. @type {Map<Control, string>} */
  const before = new Map();
  const isChanged = () =>
    hasDraft() || [...before].some(([control, state]) => control.isConnected && stateOf(control) !== state);
  const remember = (/** @type {unknown} */ node) => {
    if (isControl(node) && within.contains(node) && !before.has(node)) before.set(node, stateOf(node));
  };
  let isAsking = false;
  const ask = async (/** @type {Event} */ event) => {
    if (!isChanged() || !event.cancelable) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isAsking) return;
    isAsking = true;
    const [title, text, no] = [t('unsaved.title'), t('unsaved.text'), t('unsaved.keep')];
    const isGivenUp = await confirmDialog({ title, text, yes: t('unsaved.discard'), no, danger: true });
    isAsking = false;
    if (isGivenUp) dialog.close();
  };
  // A sheet that was closed by the code stays for a moment, in which the page may already leave.
  const leave = (/** @type {Event} */ event) => dialog.open && isChanged() && event.preventDefault();
  dialog.addEventListener('focusin', ({ target }) => remember(target));
  // A press on a box, or on its label, changes it, and in some browsers never gives it the focus.
  dialog.addEventListener('pointerdown', ({ target }) =>
    remember((target instanceof Element && target.closest('label')?.control) || target),
  );
  dialog.addEventListener(SET_BY_CODE, ({ target }) => isControl(target) && before.set(target, stateOf(target)));
  // A browser lets a page prevent the closing of a sheet only once for each press elsewhere, but any key.
  dialog.addEventListener('keydown', (event) => event.key === 'Escape' && !event.isComposing && ask(event));
  dialog.addEventListener('cancel', (event) => event.target === dialog && ask(event));
  const isClosing = (/** @type {EventTarget | null} */ target) =>
    target === dialog || (target instanceof Element && target.closest('dialog > header button'));
  dialog.addEventListener('click', (event) => isClosing(event.target) && ask(event), { capture: true });
  globalThis.addEventListener('beforeunload', leave);
  dialog.addEventListener('close', () => globalThis.removeEventListener('beforeunload', leave));
  // The field that has the focus from the beginning.
  remember(document.activeElement);
  return dialog;
}

/** @param {unknown} node @returns {node is Control} that keeps something; a search is not lost when it is closed */
const isControl = (node) =>
  (node instanceof HTMLInputElement && node.type !== 'search') ||
  node instanceof HTMLSelectElement ||
  node instanceof HTMLTextAreaElement;

/** @param {Control} control */
const stateOf = (control) =>
  control instanceof HTMLInputElement && ['checkbox', 'radio'].includes(control.type)
    ? String(control.checked)
    : control.value;
