// One row of the grid: a variant with its cells. A changed cell is marked, and what is wrong with it stands below it.

import { lang, t, titleOf } from '../i18n.js';
import { el, setText, setVisible } from '../ui.js';
import { CATEGORY_MAX, COLUMNS } from './bulk_cells.js';
import { productAddress } from './sections.js';

/** @import { Cell, Column, Row } from './bulk_cells.js' */

let ids = 0;

/**
 * @param {Row} row
 * @param {{ currency: string, ontype: () => void }} options
 */
export function rowNode(row, { currency, ontype }) {
  const { product } = row.entry;
  const isOnly = product.variants.length === 1;
  const variant = row.variant.names?.[lang] ?? row.variant.name;
  const name = isOnly ? titleOf(product) : `${titleOf(product)} · ${variant}`;
  const isFirst = row.entry.rows[0] === row;
  const state = el('small.bulk-problem', {
    hidden: true,
    'data-test': isFirst ? `bulk-problem-${product.id}` : undefined,
  });
  const title = el(
    'div.bulk-name',
    { role: 'rowheader' },
    isFirst ? el('a', { href: productAddress(product.id) }, el('bdi', {}, titleOf(product))) : null,
    !isOnly && el('bdi.bulk-variant', {}, variant),
    row.variant.sku && el('small', {}, el('bdi', {}, row.variant.sku)),
    isFirst && state,
  );
  const cells = COLUMNS.map((column) => cellNode(row, column, { name, currency, ontype }));
  const node = el(
    'div.bulk-row',
    { role: 'row', 'data-variant': row.variant.id, 'data-first': String(isFirst) },
    title,
    [...cells.map((cell) => cell.node)],
  );
  /** @type {Partial<Record<Column, HTMLInputElement>>} */
  const inputs = {};
  for (const { column, input } of cells) if (input) inputs[column] = input;
  const paint = () => {
    for (const cell of cells) cell.paint();
    setText(state, row.entry.refused);
    setVisible(state, Boolean(row.entry.refused));
    node.toggleAttribute('data-refused', Boolean(row.entry.refused));
  };
  return { node, inputs, paint };
}

/**
 * @param {Row} row
 * @param {Column} column
 * @param {{ name: string, currency: string, ontype: () => void }} options
 */
function cellNode(row, column, { name, currency, ontype }) {
  const cell = row.cells[column];
  const label = t(`bulk.column.${column}`, { currency });
  if (!cell) return { column, input: null, node: el('div.bulk-cell', { role: 'cell' }), paint: () => {} };
  const id = `bulk-${++ids}`;
  const isNumber = column !== 'category';
  const input = el('input', {
    type: 'text',
    autocomplete: 'off',
    value: cell.text,
    dir: isNumber ? 'ltr' : 'auto',
    inputMode: column === 'price' ? 'decimal' : isNumber ? 'numeric' : 'text',
    'aria-label': `${label}, ${name}`,
    'aria-describedby': `${id}-note`,
    'data-column': column,
    'data-test': `bulk-${column}`,
    ...(isNumber ? {} : { maxLength: CATEGORY_MAX, list: 'bulk-categories' }),
    onfocus: () => input.select(),
    oninput: () => {
      cell.set(input.value);
      ontype();
    },
  });
  const note = el('small.bulk-problem', { id: `${id}-note` });
  const take = el(
    'button.slim',
    {
      type: 'button',
      hidden: true,
      onclick: () => {
        cell.reset();
        ontype();
        input.focus();
      },
    },
    '',
  );
  const paint = () => paintCell(cell, { input, note, take });
  paint();
  const node = el(
    'div.bulk-cell',
    { role: 'cell', 'data-column': column },
    el('span.bulk-label', { 'aria-hidden': 'true' }, label),
    input,
    note,
    take,
  );
  return { column, input, node, paint };
}

/**
 * @param {Cell} cell
 * @param {{ input: HTMLInputElement, note: HTMLElement, take: HTMLElement }} nodes
 */
function paintCell(cell, { input, note, take }) {
  const isChanged = cell.isChanged();
  // The text of the field stays while somebody types: the cell has it without the spaces around it.
  if (input.value.trim() !== cell.text) input.value = cell.text;
  const fault = isChanged ? cell.fault() : '';
  input.toggleAttribute('data-changed', isChanged);
  if (fault) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
  const isNewer = isChanged && cell.newer !== null;
  const before = isChanged && !isNewer ? t('bulk.before', { value: cell.base || t('products.empty') }) : '';
  setText(note, fault || before);
  note.dataset.kind = fault ? 'fault' : 'before';
  if (isNewer) take.dataset.test = 'bulk-newer';
  else delete take.dataset.test;
  setVisible(take, isNewer);
  setText(take, isNewer ? t('bulk.newer', { value: cell.newer || t('products.empty') }) : '');
}
