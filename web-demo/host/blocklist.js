// The editor of the blocked words.

import { put } from '../api.js';
import { t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, icon, toast } from '../ui.js';

/** @import { BlockedWord, Refusal } from '../types.d.ts' */

const WORDS_MAX = 500;
const LENGTH_MAX = 50;
const ACTIONS = /** @type {const} */ (['review', 'refuse']);

/**
 * @param {string} path
 * @param {BlockedWord[]} words
 * @param {(refusal: Refusal) => void} onrefused
 */
export function blocklistEditor(path, words, onrefused) {
  /** @type {WordRow[]} */
  let rows = [];
  const list = el('div', { 'data-test': 'blocklist' });
  /** @param {BlockedWord} word */
  const addRow = (word) => {
    const row = new WordRow(word, () => {
      rows = rows.filter((other) => other !== row);
      row.root.remove();
    });
    rows.push(row);
    list.append(row.root);
    return row;
  };
  for (const word of words) addRow(word);
  const addEmpty = () => {
    if (rows.length < WORDS_MAX) addRow({ word: '', whole_word: true, action: 'refuse' }).text.focus();
  };
  const save = async () => {
    const wanted = rows.map((row) => row.read()).filter(({ word }) => word);
    /** @type {{ words: BlockedWord[] }} */
    const saved = await put(path, { words: wanted });
    rows = [];
    list.replaceChildren();
    for (const word of saved.words) addRow(word);
    toast(t('blocklist.saved'), { test: 'blocklist-saved' });
  };
  const add = { type: 'button', 'data-test': 'blocked-word-add', onclick: addEmpty };
  const saveProps = { type: 'button', 'data-test': 'blocklist-save', onclick: () => withBusy(button, save, onrefused) };
  const button = el('button.primary', saveProps, t('save'));
  return el(
    'div',
    {},
    list,
    el('div.row-actions', {}, el('button.slim', add, icon('plus'), t('blocklist.add')), button),
  );
}

class WordRow {
  /**
   * @param {BlockedWord} blocked
   * @param {() => void} onremove
   */
  constructor({ word, whole_word, action }, onremove) {
    this.text = el('input', {
      type: 'text',
      dir: 'auto',
      maxLength: LENGTH_MAX,
      value: word,
      'aria-label': t('blocklist.word'),
      'data-test': 'blocked-word',
    });
    this.where = el(
      'select',
      { 'aria-label': t('blocklist.where') },
      new Option(t('blocklist.whole'), 'whole', false, whole_word),
      new Option(t('blocklist.inside'), 'inside', false, !whole_word),
    );
    this.action = el(
      'select',
      { 'aria-label': t('blocklist.action') },
      ACTIONS.map((one) => new Option(t(`blocklist.action_${one}`), one, false, one === action)),
    );
    const remove = { type: 'button', 'aria-label': t('blocklist.remove'), onclick: onremove };
    this.root = el(
      'div.word-row',
      {},
      this.text,
      this.where,
      this.action,
      el('button.ghost.round', remove, icon('close')),
    );
  }

  /** @returns {BlockedWord} */
  read() {
    return {
      word: this.text.value.trim(),
      whole_word: this.where.value === 'whole',
      action: this.action.value === 'review' ? 'review' : 'refuse',
    };
  }
}
