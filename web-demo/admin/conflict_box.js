// What a form shows when somebody else saved first: the newer values, and for each that differs from what was typed a button that takes it.

import { el } from '../ui.js';

/** @import { Field } from '../host/form.js' */
/**
 * A field that somebody else changed. `newer` is the text of the field, `shown` how people read it; `isTaken`: nobody typed anything else.
 * @typedef {{ name: string, label: string, newer: string, shown?: string, field: Field<any>, isTaken: boolean }} Difference
 */

/**
 * @param {Difference[]} differences
 * @param {{ title: string, about: string, take: string, taken: string, empty: string }} texts
 */
export function conflictBox(differences, texts) {
  const rows = differences.map(({ name, label, newer, shown = newer, field, isTaken }) => {
    const take = () => {
      field.control.value = newer;
      field.control.dispatchEvent(new Event('input', { bubbles: true }));
      button.replaceWith(el('small', {}, texts.taken));
    };
    const button = el('button.slim', { type: 'button', 'data-test': `take-${name}`, onclick: take }, texts.take);
    return el(
      'li',
      { 'data-test': `newer-${name}` },
      el('span', {}, `${label}: `, el('bdi', {}, shown || texts.empty)),
      isTaken ? el('small', {}, texts.taken) : button,
    );
  });
  return el(
    'div.conflict',
    { role: 'alert' },
    el('b', {}, texts.title),
    el('p', {}, texts.about),
    rows.length > 0 && el('ul', {}, rows),
  );
}
