// The page that cannot start: says why, and offers to try again. Later troubles are the connection bar's.

import { UNKNOWN } from './api.js';
import { refusal, t } from './i18n.js';
import { el } from './ui.js';

export function problemPage(problem) {
  if (!problem.code) console.error(problem);
  const text = problem.code === 'no_such_stream' ? t('problem.no_stream') : UNKNOWN.has(problem.code) ? t('problem.away') : refusal(problem);
  plate(t('problem.title'), text, el('button.primary', { type: 'button', onclick: () => location.reload() }, t('problem.again')));
}

export function plate(title, text, button) {
  const box = document.getElementById('problem');
  box.replaceChildren(el('h1', {}, title), el('p', {}, text), button || '', el('a.way', { href: '/' }, t('home')));
  box.hidden = false;
}
