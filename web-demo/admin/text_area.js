// A form field of several lines, shaped like the fields of host/form.js.

import { t } from '../i18n.js';
import { el } from '../ui.js';

/** @import { Field } from '../host/form.js' */

let ids = 0;

/**
 * @param {{ label: string, test: string, value: string, max: number, rows: number, hint?: string, lang?: string }} options `max` in
 *   characters, as the server counts them
 * @returns {Field<string>}
 */
export function textArea({ label, test, value, max, rows, hint, lang }) {
  const id = `area-${++ids}`;
  const about = `${id}-error`;
  const control = el('textarea', { id, dir: 'auto', rows, value, lang, 'data-test': test, 'aria-describedby': about });
  const error = el('p.field-error', { id: about, 'data-test': `error-${test}`, hidden: true });
  /** @param {string} text */
  const showError = (text) => {
    error.hidden = !text;
    error.textContent = text;
    if (text) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  };
  /** @returns {{ value: string } | { error: true }} */
  const read = () => {
    const isTooLong = [...control.value].length > max;
    showError(isTooLong ? t('products.too_long', { max }) : '');
    return isTooLong ? { error: true } : { value: control.value };
  };
  control.addEventListener('change', read);
  const node = el('div.field', {}, el('label', { for: id }, label), control, hint && el('small', {}, hint), error);
  // A text area is read and focused like an input, and the forms do no more with it.
  return { node, control: /** @type {any} */ (control), read, showError };
}
