// The rows of a stock take: variants with what was expected and counted, and codes that count for none.

import { wholeNumber } from '../host/form.js';
import { formatNumber, lang, t, titleOf } from '../i18n.js';
import { el, icon, picture, setText } from '../ui.js';
import { productAddress } from './sections.js';
import { UNITS_MAX } from './stock_take.js';

/** @import { CountedVariant } from '../types.d.ts' */
/** @import { Counted, OpenCode } from './stock_take.js' */

/** The name of the variant; empty where it is that of its product. @param {CountedVariant} row */
export function variantName(row) {
  const name = row.names?.[lang] ?? row.name;
  return name === row.title || name === titleOf(row) ? '' : name;
}

/** @param {number} difference */
const signed = (difference) => (difference > 0 ? `+${formatNumber(difference)}` : formatNumber(difference));

/**
 * @param {Counted} row
 * @param {{ oncorrect: (units: number) => void, onremove: () => void, isLocked: boolean }} options
 */
export function countedRow(row, { oncorrect, onremove, isLocked }) {
  const name = [titleOf(row), variantName(row)].filter(Boolean).join(' · ');
  const difference = el('bdi.scan-difference', { 'data-test': `difference-${row.variant}` });
  const error = el('small.bulk-problem', { id: `error-${row.variant}` });
  const paint = () => {
    const units = row.counted - row.expected;
    setText(difference, units ? signed(units) : t('count.same'));
    difference.dataset.kind = units > 0 ? 'more' : units < 0 ? 'fewer' : 'same';
  };
  const input = el('input', {
    type: 'text',
    inputMode: 'numeric',
    dir: 'ltr',
    value: String(row.counted),
    readOnly: isLocked,
    'aria-label': t('count.counted_of', { name }),
    'aria-describedby': error.id,
    'data-test': `counted-${row.variant}`,
    onfocus: () => input.select(),
    oninput: () => {
      try {
        oncorrect(wholeNumber(0, UNITS_MAX)(input.value.trim()));
        input.removeAttribute('aria-invalid');
        setText(error, '');
        paint();
      } catch (fault) {
        input.setAttribute('aria-invalid', 'true');
        setText(error, fault instanceof Error ? fault.message : String(fault));
      }
    },
  });
  const remove = el(
    'button.ghost.round',
    {
      type: 'button',
      disabled: isLocked,
      'aria-label': t('count.remove', { name }),
      title: t('count.remove', { name }),
      'data-test': `remove-${row.variant}`,
      onclick: onremove,
    },
    icon('close'),
  );
  if (row.problem) setText(error, t(`imports.problem.${row.problem.code}`));
  paint();
  const places = t('count.places', { stock: row.stock, offers: row.in_offers, orders: row.to_send });
  return el(
    'li.scan-row',
    { 'data-counted': row.variant },
    picture(row.image, row),
    el(
      'div.row-text',
      {},
      el('a.row-title', { href: productAddress(row.product) }, el('bdi', {}, name)),
      el('small', {}, el('bdi', {}, [row.sku, row.barcode].filter(Boolean).join(' · '))),
      el('small', {}, places),
      error,
    ),
    el(
      'dl.scan-numbers',
      {},
      el('div', {}, el('dt', {}, t('count.expected')), el('dd', {}, formatNumber(row.expected))),
      el('div', {}, el('dt', {}, t('count.counted')), el('dd', {}, input)),
      el('div', {}, el('dt', {}, t('count.difference')), el('dd', {}, difference)),
    ),
    remove,
  );
}

/**
 * @param {OpenCode} one
 * @param {{ onchoose: (variant: CountedVariant) => void, onremove: () => void, onretry: () => void }} options
 */
export function openRow({ code, units, state, found }, { onchoose, onremove, onretry }) {
  const choices = found.map((variant) =>
    el(
      'button',
      { type: 'button', 'data-test': `choose-${variant.variant}`, onclick: () => onchoose(variant) },
      el('bdi', {}, [titleOf(variant), variantName(variant)].filter(Boolean).join(' · ')),
    ),
  );
  const retry = el('button', { type: 'button', 'data-test': 'scan-retry', onclick: onretry }, t('count.retry'));
  const remove = el('button', { type: 'button', 'data-test': 'scan-forget', onclick: onremove }, t('count.forget'));
  return el(
    'li.scan-code',
    { 'data-code': code },
    el(
      'div.row-text',
      {},
      el('bdi.row-title', {}, code),
      el('small', {}, `${t(`count.state.${state}`)} ${t('count.scanned', { n: units })}`),
    ),
    el('div.row-actions', {}, choices, state === 'waiting' && retry, remove),
  );
}
