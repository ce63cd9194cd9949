// The chat rules: who can write, links, review; and below them the blocked words.

import { asRefusal, get, put } from '../api.js';
import { refusalText, t } from '../i18n.js';
import { openSheet, withBusy } from '../sheet.js';
import { el } from '../ui.js';
import { blocklistEditor } from './blocklist.js';
import { guardTyped } from './unsaved.js';

/** @import { BlockedWord, ChatRules, Refusal, Stream } from '../types.d.ts' */

const LINK_RULES = ['allow', 'review', 'refuse'];

/**
 * Opens the sheet. Each rule is saved when it is changed; the blocked words are saved together.
 * @param {{ stream: Stream, rules: Partial<ChatRules>, onrefused: (refusal: Refusal) => void }} options
 */
export function chatRulesSheet({ stream, rules, onrefused }) {
  const path = `/streams/${stream.id}`;
  /**
   * @param {'off' | 'review_all'} name
   * @param {boolean} isOn
   */
  const checkbox = (name, isOn) => {
    const save = () =>
      withBusy(
        box,
        () => put(`${path}/chat`, { [name]: box.checked }),
        (refusal) => {
          onrefused(refusal);
          box.checked = !box.checked;
        },
      );
    const box = el('input', { type: 'checkbox', checked: isOn, 'data-test': `rule-${name}`, onchange: save });
    return el('label.check', {}, box, el('span', {}, t(`rules.${name}`)));
  };
  const saveLinks = () => withBusy(links, () => put(`${path}/chat`, { links: links.value }), onrefused);
  const links = el(
    'select',
    { id: 'rule-links', 'data-test': 'rule-links', onchange: saveLinks },
    LINK_RULES.map((rule) => new Option(t(`rules.links_${rule}`), rule, false, rule === rules.links)),
  );
  const words = el('div', {}, el('p.empty', {}, t('loading')));
  const content = el(
    'div.rules-form',
    {},
    checkbox('off', rules.off ?? false),
    checkbox('review_all', rules.review_all ?? false),
    el('div.field', {}, el('label', { for: 'rule-links' }, t('rules.links')), links),
    el('h3', {}, t('blocklist')),
    el('p', {}, t('blocklist.hint')),
    words,
  );
  guardTyped(openSheet(content, { title: t('rules.title'), test: 'rules-sheet', className: 'side' }), {
    within: words,
  });
  loadBlocklist(`${path}/blocklist`, words, onrefused);
}

/**
 * @param {string} path
 * @param {HTMLElement} root
 * @param {(refusal: Refusal) => void} onrefused
 */
async function loadBlocklist(path, root, onrefused) {
  try {
    /** @type {{ words: BlockedWord[] }} */
    const { words } = await get(path);
    root.replaceChildren(blocklistEditor(path, words, onrefused));
  } catch (error) {
    root.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
  }
}
