// The keyboard and the clipboard in the grid: arrows, Enter and Escape as in a spreadsheet, and a column that is pasted.

import { dir, formatNumber, t } from '../i18n.js';
import { toast } from '../ui.js';
import { COLUMNS, pastedCells } from './bulk_cells.js';

/** @import { Column } from './bulk_cells.js' */
/** @typedef {{ row: number, column: Column }} Place */
/** @typedef {{ at: (place: Place) => HTMLInputElement | undefined, placeOf: (input: EventTarget | null) => Place | null,
 *   rows: () => number, type: (place: Place, text: string) => void, reset: (place: Place) => void,
 *   typed: (places: Place[]) => void }} Grid `typed` is called once with what has changed */

/** @param {HTMLElement} root @param {Grid} grid */
export function listenToKeys(root, grid) {
  root.addEventListener('keydown', (event) => {
    const place = grid.placeOf(event.target);
    if (!place || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (event.key === 'Escape') {
      grid.reset(place);
      grid.typed([place]);
      input.select();
      return;
    }
    const next = move(event, input, { ...place }, grid);
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.select();
  });
  root.addEventListener('paste', (event) => {
    const place = grid.placeOf(event.target);
    const cells = pastedCells(event.clipboardData?.getData('text/plain') ?? '');
    if (!place || (cells.length === 1 && cells[0].length === 1)) return; // One value is pasted by the browser.
    event.preventDefault();
    fill(place, cells, grid);
  });
}

/**
 * Where a key leads; undefined: the key does what it always does.
 * @param {KeyboardEvent} event
 * @param {HTMLInputElement} input
 * @param {Place} place
 * @param {Grid} grid
 */
function move({ key, shiftKey }, input, place, grid) {
  if (key === 'ArrowDown' || (key === 'Enter' && !shiftKey)) return along(place, 1, grid);
  if (key === 'ArrowUp' || key === 'Enter') return along(place, -1, grid);
  const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (!way || shiftKey) return undefined;
  // Within a text the arrows move the caret, until they reach its end. A whole text that is selected is left at once.
  const [start, end, length] = [input.selectionStart ?? 0, input.selectionEnd ?? 0, input.value.length];
  const isAll = start === 0 && end === length;
  const isRtl = getComputedStyle(input).direction === 'rtl';
  const isAtEdge = way === (isRtl ? -1 : 1) ? start === length : end === 0;
  if (!isAll && !isAtEdge) return undefined;
  const step = dir === 'rtl' ? -way : way;
  for (let at = COLUMNS.indexOf(place.column) + step; at in COLUMNS; at += step) {
    const next = grid.at({ row: place.row, column: COLUMNS[at] });
    if (next) return next;
  }
  return undefined;
}

/** The next cell of the column. @param {Place} place @param {number} step @param {Grid} grid */
function along({ row, column }, step, grid) {
  for (let at = row + step; at >= 0 && at < grid.rows(); at += step) {
    const next = grid.at({ row: at, column });
    if (next) return next;
  }
  return undefined;
}

/**
 * Fills the cells from a place on, row by row. Where a product has no cell of its own (the category of its second variant), the value
 * goes into the next row that has one.
 * @param {Place} from
 * @param {string[][]} cells
 * @param {Grid} grid
 */
function fill(from, cells, grid) {
  const first = COLUMNS.indexOf(from.column);
  /** @type {Place[]} */
  const filled = [];
  let [row, left] = [from.row, 0];
  for (const line of cells) {
    const columns = COLUMNS.slice(first, first + line.length);
    while (row < grid.rows() && !grid.at({ row, column: from.column })) row += 1;
    if (row >= grid.rows()) left += 1;
    else {
      for (const [at, column] of columns.entries()) {
        if (!grid.at({ row, column })) continue;
        grid.type({ row, column }, line[at]);
        filled.push({ row, column });
      }
    }
    row += 1;
  }
  grid.typed(filled);
  const done = cells.length - left;
  const text = left ? 'bulk.pasted_partly' : 'bulk.pasted';
  toast(t(text, { n: done, left: formatNumber(left) }), { kind: left ? 'warn' : 'plain', test: 'bulk-pasted' });
}
