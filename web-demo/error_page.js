// The page that cannot start: it says why and offers to try again. Later faults are shown by the connection bar.

import { UNKNOWN_OUTCOME } from './api.js';
import { route } from './base.js';
import { refusalText, t } from './i18n.js';
import { byId, el, queryAll } from './ui.js';

/** @import { Refusal } from './types.d.ts' */

/** @param {Refusal} refusal */
export function errorPage(refusal) {
  const again = el('button.primary', { type: 'button', onclick: () => location.reload() }, t('try_again'));
  // What does not exist will not be there at the next try either.
  messagePage(t('problem.title'), textOf(refusal), refusal.code !== 'no_such_stream' && again);
}

/** @param {Refusal} refusal */
function textOf(refusal) {
  if (refusal.code === 'no_such_stream') return t('problem.no_stream');
  return UNKNOWN_OUTCOME.has(refusal.code) ? t('problem.network') : refusalText(refusal);
}

/**
 * @param {string} title
 * @param {string} text
 * @param {HTMLElement | false} button
 */
export function messagePage(title, text, button) {
  const box = byId('problem');
  // It is the page now, and what was begun behind it is not.
  for (const main of queryAll('main')) main.hidden = true;
  box.setAttribute('role', 'main');
  const parts = [
    el('h1', {}, title),
    el('p', {}, text),
    ...(button ? [button] : []),
    el(button ? 'a.way' : 'a.button.primary', { href: route('/') }, t('home')),
  ];
  box.replaceChildren(...parts);
  box.hidden = false;
}
