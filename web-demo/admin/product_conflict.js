// What to do when somebody else saved the product first: their changes of other fields are taken over, and where both changed
// the same field, the newer value stands beside what was typed.

import { t } from '../i18n.js';
import { conflictBox } from './conflict_box.js';

/** @import { Field } from '../host/form.js' */
/** @import { ProductDetail } from '../types.d.ts' */
/** @import { Difference } from './conflict_box.js' */

const PLAIN = /** @type {const} */ (['title', 'category', 'description', 'delivery']);

/**
 * The text of a field of a product, under the name that the form has for it: `titles.ar`.
 * @param {ProductDetail} product
 * @param {string} name
 * @returns {string}
 */
function textOf(product, name) {
  const [part, code] = name.split('.');
  const value = /** @type {Record<string, any>} */ (/** @type {unknown} */ (product))[part];
  return (code ? value[code] : value) ?? '';
}

/**
 * Takes over what only the other person changed. Gives every field that they changed.
 * @param {{ base: ProductDetail, newer: ProductDetail, fields: Record<string, Field<any>> }} options
 * @returns {Difference[]}
 */
export function takeOver({ base, newer, fields }) {
  const names = Object.keys(fields).filter((name) => PLAIN.some((plain) => plain === name) || name.includes('.'));
  const changed = names.filter((name) => textOf(base, name) !== textOf(newer, name));
  return changed.map((name) => {
    const one = fields[name];
    const text = textOf(newer, name);
    const isTaken = one.control.value === textOf(base, name) || one.control.value === text;
    if (isTaken) one.control.value = text;
    return { name, label: one.node.querySelector('label')?.textContent ?? name, newer: text, field: one, isTaken };
  });
}

/** @param {Difference[]} differences */
export const productConflict = (differences) =>
  conflictBox(differences, {
    title: t('products.outdated'),
    about: t('products.outdated_about'),
    take: t('products.take_newer'),
    taken: t('products.taken'),
    empty: t('products.empty'),
  });
