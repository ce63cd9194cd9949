// What was saved for many products at once can be undone as a whole: the undo of imports does it.

import { get, post } from '../api.js';
import { refusalText, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, toast } from '../ui.js';
import { importAddress } from './sections.js';

/** @import { Import } from '../types.d.ts' */

const POLL_MS = 400;
/** Longer than an undo of 500 products takes. */
const POLLS_MAX = 150;

/**
 * @param {string} id of the import
 * @returns {Promise<Import>} after the undo, or still in it
 */
async function undo(id) {
  /** @type {Import} */
  let now = await post(`/imports/${id}/undo`);
  for (let polls = 0; now.status === 'undoing' && polls < POLLS_MAX; polls += 1) {
    await new Promise((done) => setTimeout(done, POLL_MS));
    now = await get(`/imports/${id}`);
  }
  return now;
}

/**
 * The line about what was saved, with its undo.
 * @param {{ id: string, text: string, onundone: () => unknown }} options
 */
export function savedLine({ id, text, onundone }) {
  const run = async () => {
    const { status, counts } = await undo(id);
    const kept = counts?.kept ?? 0;
    const words = status === 'undone' ? 'bulk.undone' : 'bulk.undoing';
    const said = kept ? t('bulk.undone_partly', { n: kept }) : t(words);
    toast(said, { kind: kept ? 'warn' : 'good', test: 'bulk-undone' });
    line.remove();
    await onundone();
  };
  const button = el(
    'button.slim',
    {
      type: 'button',
      'data-test': 'bulk-undo',
      onclick: () => withBusy(button, run, (refusal) => toast(refusalText(refusal), { kind: 'warn' })),
    },
    t('staff.undo'),
  );
  const details = el('a', { href: importAddress(id), 'data-test': 'bulk-details' }, t('bulk.details'));
  const line = el('p.bulk-saved', { role: 'status', 'data-test': 'bulk-saved' }, el('span', {}, text), button, details);
  return line;
}
