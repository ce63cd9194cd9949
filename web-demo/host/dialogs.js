// Small dialogs that ask for one value: a number, or a time.

import { t } from '../i18n.js';
import { openSheet } from '../sheet.js';
import { el } from '../ui.js';
import { field, futureTime, localTime, wholeNumber } from './form.js';
import { lastSaleChoices } from './sale_choices.js';

const DEFAULT_AHEAD_MS = 10 * 60_000;

/** The box that says whether a sale is pinned when it starts. It begins with the last choice. */
export function pinChoice() {
  const box = el('input', { type: 'checkbox', checked: lastSaleChoices().pin, 'data-test': 'pin-on-start' });
  const node = el('label.choice', {}, box, el('span', {}, t('host.pin_on_start')));
  return { node, isChosen: () => box.checked };
}

/**
 * Asks for a time. Resolves to `{ starts_at }`, with null in it for no time, or to null when the host closes the dialog.
 * @param {{ title: string, text: string, value: number | null, now: () => number }} options
 * @returns {Promise<{ starts_at: number | null } | null>}
 */
export function askTime({ title, text, value, now }) {
  return new Promise((resolve) => {
    /** @type {{ starts_at: number | null } | null} */
    let answer = null;
    const time = field({
      label: t('form.starts_at'),
      test: 'schedule-at',
      type: 'datetime-local',
      dir: 'ltr',
      value: localTime(value ?? now() + DEFAULT_AHEAD_MS),
      check: futureTime(now),
    });
    /** @param {number | null} starts_at */
    const finish = (starts_at) => {
      answer = { starts_at };
      dialog.close();
    };
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const result = time.read();
      if ('value' in result) finish(result.value);
    };
    const none = { type: 'button', 'data-test': 'schedule-none', onclick: () => finish(null) };
    const form = el(
      'form',
      { noValidate: true, onsubmit: submit },
      el('p', {}, el('bdi', {}, text)),
      time.node,
      el(
        'div.actions',
        {},
        el('button.ghost', none, t('host.schedule_none')),
        el('button.primary', { type: 'submit', 'data-test': 'schedule-submit' }, t('save')),
      ),
    );
    const dialog = openSheet(form, { title, test: 'schedule', className: 'small', onclose: () => resolve(answer) });
  });
}

/**
 * Asks for one number. Resolves to null when the host closes the dialog.
 * @param {{ title: string, text: string, label: string, min: number, max: number, test: string }} options
 * @returns {Promise<number | null>}
 */
export function askNumber({ title, text, label, min, max, test }) {
  return new Promise((resolve) => {
    /** @type {number | null} */
    let answer = null;
    const check = wholeNumber(min, max);
    const number = field({ label, test: `${test}-add`, value: 10, check, inputMode: 'numeric' });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const result = number.read();
      if (!('value' in result)) return;
      answer = result.value;
      dialog.close();
    };
    const form = el(
      'form',
      { noValidate: true, onsubmit: submit },
      el('p', {}, el('bdi', {}, text)),
      number.node,
      el(
        'div.actions',
        {},
        el('button.ghost', { type: 'button', onclick: () => dialog.close() }, t('cancel')),
        el('button.primary', { type: 'submit', 'data-test': `${test}-submit` }, t('host.add')),
      ),
    );
    const dialog = openSheet(form, { title, test, className: 'small', onclose: () => resolve(answer) });
    number.control.select();
  });
}
