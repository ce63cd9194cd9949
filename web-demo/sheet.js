// Modal sheets, the one question before something that cannot be undone, and buttons that wait for an answer.

import { t } from './i18n.js';
import { el, icon, ICONS } from './ui.js';

Object.assign(ICONS, {
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  bin: 'M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7',
  stop: 'M7 7h10v10H7z',
  pause: 'M8 6v12M16 6v12',
});

/** A modal sheet: from below on a phone, at the end side on a desk. Esc, the scrim and the cross close it. */
export function sheet(content, { title, test, className = '', onclose } = {}) {
  const heading = el('h2', { id: `sheet-${test}` }, title ?? '');
  const close = el('button.ghost.round', { type: 'button', 'aria-label': t('close'), 'data-test': `${test}-close` }, icon('close'));
  const dialog = el(`dialog.sheet${className ? `.${className}` : ''}`,
    { 'aria-labelledby': heading.id, 'data-test': test },
    el('header', {}, heading, close), el('div.sheet-body', {}, content), el('p.for-reader.spoken', { 'aria-live': 'polite' }));
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => { dialog.remove(); onclose?.(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks once. Resolves true or false; what is at stake stands in the text. */
export function confirmDialog({ title, text, yes, danger = false }) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = sheet([
      el('p', {}, text),
      el('div.actions', {},
        el('button.ghost', { type: 'button', 'data-test': 'confirm-no', onclick: () => dialog.close() }, t('cancel')),
        el(`button.${danger ? 'danger' : 'primary'}`, { type: 'button', 'data-test': 'confirm-yes', onclick: () => { answer = true; dialog.close(); } }, yes)),
    ], { title, test: 'confirm', className: 'small', onclose: () => resolve(answer) });
    dialog.querySelector(`[data-test="confirm-${danger ? 'no' : 'yes'}"]`).focus();
  });
}

/** A button that cannot be pressed twice while its work is under way; a refusal is told, not thrown. */
export async function busy(button, work, tell) {
  if (button?.disabled) return undefined;
  if (button) { button.disabled = true; button.setAttribute('aria-busy', 'true'); }
  try {
    return await work();
  } catch (problem) {
    if (!tell) throw problem;
    tell(problem);
    return undefined;
  } finally {
    if (button) { button.disabled = false; button.removeAttribute('aria-busy'); }
  }
}
