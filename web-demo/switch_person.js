// The question before a link makes this tab another person. To stay is the default: Esc, the cross and the first button.

import { load, t } from './i18n.js';
import { openSheet } from './sheet.js';
import { el, style } from './ui.js';

/** @import { Person } from './types.d.ts' */

await Promise.all([load('buy'), style('sheet', 'fields')]);

/**
 * Asks whether a link may sign this tab in as `next`. `replaced` is signed in in this tab (`isHere`), or was the last person on
 * this device.
 * @param {{ replaced: Person, isHere: boolean, next: Person }} people
 * @returns {Promise<boolean>}
 */
export function askToSwitch({ replaced, isHere, next }) {
  const [mine, other] = distinct(replaced, next);
  const names = { current: mine, next: other };
  return ask({
    title: t('switch.title'),
    text: t(isHere ? 'switch.text' : 'switch.text_before', names),
    warning: t(isHere ? 'switch.warning' : 'switch.warning_before', names),
    stay: isHere ? t('switch.stay', names) : t('switch.not_now'),
    go: t('switch.go', names),
  });
}

/**
 * Asks whether an invite may replace the person who is signed in.
 * @param {Person} current
 * @returns {Promise<boolean>}
 */
export function askToJoin(current) {
  const names = { current: current.name };
  return ask({
    title: t('team.welcome_title'),
    text: t('switch.text_invite', names),
    warning: '',
    stay: t('switch.stay', names),
    go: t('switch.join'),
  });
}

/**
 * The two names. Two people with one name are told apart by their ids.
 * @param {Person} one
 * @param {Person} other
 */
function distinct(one, other) {
  /** @param {Person} person */
  const plain = ({ name }) => name.normalize('NFKC').trim().toLocaleLowerCase();
  if (plain(one) !== plain(other)) return [one.name, other.name];
  return [one, other].map(({ name, sub }) => `${name} (${sub})`);
}

/**
 * @param {{ title: string, text: string, warning: string, stay: string, go: string }} question
 * @returns {Promise<boolean>}
 */
function ask({ title, text, warning, stay, go }) {
  return new Promise((resolve) => {
    let answer = false;
    const stayButton = el(
      'button.primary.wide',
      { type: 'button', 'data-test': 'switch-stay', onclick: () => dialog.close() },
      stay,
    );
    const accept = () => {
      answer = true;
      dialog.close();
    };
    const goButton = el('button.ghost.wide', { type: 'button', 'data-test': 'switch-go', onclick: accept }, go);
    const dialog = openSheet(
      [
        el('p', { 'data-test': 'switch-text' }, text),
        warning && el('p.fine', {}, warning),
        el('div.stack.answers', {}, stayButton, goButton),
      ],
      { title, test: 'switch', className: 'small', onclose: () => resolve(answer) },
    );
    stayButton.focus();
  });
}
