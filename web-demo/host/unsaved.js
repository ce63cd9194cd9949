// A sheet in which something was typed is closed only after a question.

import { t } from '../i18n.js';
import { confirmDialog } from '../sheet.js';

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/**
 * Asks before Esc, the cross or a press beside the sheet lose what was typed in it, and before the page is left. Closing by the code, as after
 * a save, asks nothing. What was typed and saved does not count: its field is empty again, or was painted anew.
 * @template {HTMLDialogElement} T
 * @param {T} dialog that `openSheet` opened
 * @param {HTMLElement} within the part of it in which nothing is saved before a button is pressed
 * @returns {T}
 */
export function guardTyped(dialog, within = dialog) {
  /** What each control had when it got the focus first. @type {Map<Control, string>} */
  const before = new Map();
  const isChanged = () => [...before].some(([control, state]) => control.isConnected && stateOf(control) !== state);
  const remember = (/** @type {Event} */ { target }) => {
    if (isControl(target) && within.contains(target) && !before.has(target)) before.set(target, stateOf(target));
  };
  let isAsking = false;
  const ask = async (/** @type {Event} */ event) => {
    if (!isChanged()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isAsking) return;
    isAsking = true;
    const question = { title: t('unsaved.title'), text: t('unsaved.text'), yes: t('unsaved.discard'), danger: true };
    const isGivenUp = await confirmDialog(question);
    isAsking = false;
    if (isGivenUp) dialog.close();
  };
  const leave = (/** @type {Event} */ event) => isChanged() && event.preventDefault();
  dialog.addEventListener('focusin', remember);
  // A press on a box to tick changes it before it may have the focus.
  dialog.addEventListener('pointerdown', remember);
  dialog.addEventListener('cancel', (event) => event.target === dialog && ask(event));
  const isClosing = (/** @type {EventTarget | null} */ target) =>
    target === dialog || (target instanceof Element && target.closest('dialog > header button'));
  dialog.addEventListener('click', (event) => isClosing(event.target) && ask(event), { capture: true });
  globalThis.addEventListener('beforeunload', leave);
  dialog.addEventListener('close', () => globalThis.removeEventListener('beforeunload', leave));
  // The field that has the focus from the beginning.
  if (isControl(document.activeElement) && within.contains(document.activeElement)) {
    before.set(document.activeElement, stateOf(document.activeElement));
  }
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
