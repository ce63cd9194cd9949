// Form fields of the desk and of the set-up: a choice from a list, and a box to tick, shaped like the fields of host/form.js.

import { el } from '../ui.js';

/** @import { Field } from '../host/form.js' */

let ids = 0;

/**
 * A choice from a list.
 * @param {{ label: string, test: string, options: [value: string, text: string][], value?: string, hint?: string,
 *   needed?: string, onchange?: (value: string) => void }} options `needed` is the error of an empty choice
 * @returns {Field<string>}
 */
export function choice({ label, test, options, value = '', hint, needed, onchange }) {
  const id = `choice-${++ids}`;
  const control = el(
    'select',
    { id, 'data-test': test, 'aria-describedby': `${id}-error` },
    options.map(([code, text]) => new Option(text, code, false, code === value)),
  );
  const error = el('p.field-error', { id: `${id}-error`, 'data-test': `error-${test}`, hidden: true });
  /** @param {string} text */
  const showError = (text) => {
    error.hidden = !text;
    error.textContent = text;
    if (text) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  };
  /** @returns {{ value: string } | { error: true }} */
  const read = () => {
    const isMissing = Boolean(needed) && !control.value;
    showError(isMissing ? (needed ?? '') : '');
    return isMissing ? { error: true } : { value: control.value };
  };
  control.addEventListener('change', () => {
    read();
    onchange?.(control.value);
  });
  const node = el('div.field', {}, el('label', { for: id }, label), control, hint && el('small', {}, hint), error);
  // A select is read and focused like an input, and the forms do no more with it.
  return { node, control: /** @type {any} */ (control), read, showError };
}

/**
 * A box to tick.
 * @param {{ label: string, test: string, checked: boolean, name?: string }} options
 */
export function tick({ label, test, checked, name }) {
  const box = el('input', { type: 'checkbox', checked, name, 'data-test': test });
  return { node: el('label.tick', {}, box, el('span', {}, label)), box };
}
