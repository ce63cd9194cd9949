// What can be changed of a coupon, as texts of the fields, and what to do when somebody else changed it first.

import { localTime } from '../host/form.js';
import { formatDateTime, t } from '../i18n.js';
import { markSetByCode } from '../host/unsaved.js';
import { conflictBox } from './conflict_box.js';

/** @import { Field } from '../host/form.js' */
/** @import { Coupon } from '../types.d.ts' */
/** @import { Difference } from './conflict_box.js' */
/** @typedef {'ends_at' | 'quota' | 'per_person'} FieldName */

export const NAMES = /** @type {const} */ (['quota', 'per_person', 'ends_at']);

/** @param {Coupon} coupon @param {FieldName} name */
export function textOf(coupon, name) {
  if (name === 'ends_at') return coupon.ends_at ? localTime(coupon.ends_at) : '';
  return String(coupon[name] ?? '');
}

/**
 * Takes over what only the other person changed, and gives the box that says what they changed.
 * @param {{ base: Coupon, newer: Coupon, fields: Record<FieldName, Field<any>> }} options
 */
export function takeOver({ base, newer, fields }) {
  const changed = NAMES.filter((name) => textOf(base, name) !== textOf(newer, name));
  /** @type {Difference[]} */
  const differences = changed.map((name) => {
    const [one, text] = [fields[name], textOf(newer, name)];
    const isTaken = one.control.value === textOf(base, name) || one.control.value === text;
    if (isTaken) {
      one.control.value = text;
      markSetByCode(one.control);
    }
    const shown = name === 'ends_at' && newer.ends_at ? formatDateTime(newer.ends_at) : text;
    return { name, label: t(`coupons.${name}`), newer: text, shown, field: one, isTaken };
  });
  return conflictBox(differences, {
    title: t('coupons.outdated'),
    about: t('coupons.outdated_about'),
    take: t('coupons.take_newer'),
    taken: t('coupons.taken'),
    empty: t('coupons.empty'),
  });
}
