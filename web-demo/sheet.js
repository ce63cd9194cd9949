// Modal sheets, the question before an action that cannot be undone, and buttons that wait for an answer.

import { asRefusal } from './api.js';
import { t } from './i18n.js';
import { el, icon, ICONS, isFocusLost, lastControl } from './ui.js';

/** @import { Child, Refusal } from './types.d.ts' */

Object.assign(ICONS, {
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  bin: 'M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7',
  stop: 'M7 7h10v10H7z',
  pause: 'M8 6v12M16 6v12',
});

/** As in the styles: products, stage and chat stand side by side. */
const DESKTOP = '(min-width: 60em)';

/**
 * Opens a modal sheet: from below on a phone, at the end side on a desktop. Esc, the scrim and the cross close it. Then the focus
 * returns to what opened it.
 * @param {Child} content
 * @param {{ title?: string, test: string, className?: string, place?: HTMLElement, onclose?: () => void }} options `place`: on a
 *   desktop the sheet stands in the place of this part of the page, and the rest of the page can be used
 */
export function openSheet(content, { title = '', test, className = '', place, onclose }) {
  const heading = el('h2', { id: `sheet-${test}` }, title);
  const close = el(
    'button.ghost.round',
    { type: 'button', 'aria-label': t('close'), 'data-test': `${test}-close` },
    icon('close'),
  );
  const dialog = el(
    'dialog.sheet',
    { 'aria-labelledby': heading.id, 'data-test': test },
    el('header', {}, heading, close),
    el('div.sheet-body', {}, content),
    el('p.for-reader.spoken', { 'aria-live': 'polite' }),
  );
  if (className) dialog.classList.add(...className.split(' '));
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  const opener = isFocusLost() ? lastControl() : /** @type {HTMLElement | null} */ (document.activeElement);
  dialog.addEventListener('close', () => {
    dialog.remove();
    place?.classList.remove('covered'); // Before the focus returns into it.
    onclose?.();
    returnFocus(opener);
  });
  // Under another sheet, which is modal, nothing could be pressed.
  if (place && matchMedia(DESKTOP).matches && !document.querySelector('dialog[open]')) showInPlace(dialog, place);
  else {
    document.body.append(dialog);
    dialog.showModal();
  }
  return dialog;
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {HTMLElement} place
 */
function showInPlace(dialog, place) {
  place.after(dialog);
  // Nothing in it can be seen or focused meanwhile.
  place.classList.add('covered');
  // The browser does this for modal dialogs only. The focus is nowhere when what had it was painted away.
  const closeByKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape' || event.isComposing || document.querySelector('dialog:modal')) return;
    if (dialog.contains(document.activeElement) || isFocusLost()) dialog.close();
  };
  document.addEventListener('keydown', closeByKey);
  dialog.addEventListener('close', () => document.removeEventListener('keydown', closeByKey));
  dialog.show();
  // A window that becomes narrow, or a reader who zooms in: there is no place beside it any more. It stays where it is in the
  // document, because a payment form in it would load again.
  const wide = matchMedia(DESKTOP);
  const becomeModal = () => {
    const focused = document.activeElement;
    place.classList.remove('covered');
    dialog.removeAttribute('open'); // Closing it would end the checkout.
    dialog.showModal();
    if (focused instanceof HTMLElement && dialog.contains(focused)) focused.focus();
  };
  wide.addEventListener('change', becomeModal, { once: true });
  dialog.addEventListener('close', () => wide.removeEventListener('change', becomeModal));
}

/**
 * Gives the focus back to what opened a sheet, unless it is somewhere already. A list may have been painted again meanwhile: then the
 * control of the same name has it, else the page.
 * @param {HTMLElement | null} opener
 */
function returnFocus(opener) {
  const name = opener?.dataset.test;
  const twin = () => (name ? document.querySelector(`[data-test="${CSS.escape(name)}"]`) : null);
  for (const find of [() => opener, twin, () => document.querySelector('main:not([hidden])')]) {
    if (!isFocusLost()) return;
    const node = find();
    if (!(node instanceof HTMLElement)) continue;
    if (node.matches('main')) node.tabIndex = -1;
    node.focus({ preventScroll: true });
  }
}

/**
 * Asks once, and resolves to true or false. The text says what is at stake.
 * @param {{ title: string, text: string, yes: string, no?: string, danger?: boolean, more?: HTMLElement }} question `more`
 *   stands under the text; `no` replaces “Cancel” where the question is whether to cancel or discard something
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, yes, no: keep = t('cancel'), danger = false, more }) {
  return new Promise((resolve) => {
    let answer = false;
    const no = el(
      'button.ghost',
      {
        type: 'button',
        'data-test': 'confirm-no',
        onclick: () => dialog.close(),
      },
      keep,
    );
    const accept = () => {
      answer = true;
      dialog.close();
    };
    const look = danger ? 'danger' : 'primary';
    const ok = el(`button.${look}`, { type: 'button', 'data-test': 'confirm-yes', onclick: accept }, yes);
    const dialog = openSheet([el('p', {}, text), ...(more ? [more] : []), el('div.actions', {}, no, ok)], {
      title,
      test: 'confirm',
      className: 'small',
      onclose: () => resolve(answer),
    });
    (danger ? no : ok).focus();
  });
}

/**
 * Runs the work of a button, which cannot be pressed a second time meanwhile. With `onrefused` a refusal is reported
 * there instead of being thrown.
 * @template T
 * @param {HTMLButtonElement | HTMLInputElement | HTMLSelectElement | null | undefined} button
 * @param {() => Promise<T> | T} work
 * @param {(refusal: Refusal) => unknown} [onrefused]
 * @returns {Promise<T | undefined>}
 */
export async function withBusy(button, work, onrefused) {
  if (button?.disabled) return undefined;
  const hadFocus = button !== null && button !== undefined && document.activeElement === button;
  if (button) {
    button.disabled = true;
    button.setAttribute('aria-busy', 'true');
  }
  try {
    return await work();
  } catch (error) {
    if (!onrefused) throw error;
    onrefused(asRefusal(error));
    return undefined;
  } finally {
    if (button) {
      button.disabled = false;
      button.removeAttribute('aria-busy');
      if (hadFocus && isFocusLost()) button.focus({ preventScroll: true });
    }
  }
}
