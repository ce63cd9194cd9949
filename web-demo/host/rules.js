// The rules of the talk: who may speak, links, review, and the muted words.

import { get, put } from '../api.js';
import { refusal, t } from '../i18n.js';
import { busy, sheet } from '../sheet.js';
import { el, icon, toast } from '../ui.js';

const LINKS = ['allow', 'hold', 'refuse'];
const ACTS = ['hold', 'refuse'];
const WORDS_MAX = 500;

/** Each rule is changed the moment it is touched; the words are saved together. */
export function rulesSheet({ stream, rules, tell }) {
  const change = (node, form) => busy(node, () => put(`/streams/${stream.id}/chat`, form), (problem) => { tell(problem); undo(node); });
  const undo = (node) => { if (node.type === 'checkbox') node.checked = !node.checked; };
  const check = (name, on) => {
    const box = el('input', { type: 'checkbox', checked: on, 'data-test': `rule-${name}`, onchange: () => change(box, { [name]: box.checked }) });
    return el('label.check', {}, box, el('span', {}, t(`host.rule_${name}`)));
  };
  const links = el('select', { id: 'rule-links', 'data-test': 'rule-links', onchange: () => change(links, { links: links.value }) },
    LINKS.map((rule) => new Option(t(`host.links_${rule}`), rule, false, rule === rules.links)));
  const words = el('div', {}, el('p.empty', {}, t('loading')));
  sheet(el('div.rules-form', {},
    check('off', rules.off), check('hold_all', rules.hold_all),
    el('div.field', {}, el('label', { for: 'rule-links' }, t('host.links')), links),
    el('h3', {}, t('host.words')), el('p', {}, t('host.words_hint')), words,
  ), { title: t('host.rules'), test: 'rules-sheet', className: 'side' });
  get(`/streams/${stream.id}/words`).then((list) => wordEditor(words, stream, list.words, tell), (problem) => words.replaceChildren(el('p.alert', {}, refusal(problem))));
}

function wordEditor(root, stream, list, tell) {
  const rows = el('div', { 'data-test': 'words' }, list.map(wordRow));
  const more = el('button.slim', { type: 'button', 'data-test': 'word-add', onclick: () => {
    if (rows.children.length >= WORDS_MAX) return;
    rows.append(wordRow({ word: '', whole: true, act: 'refuse' }));
    rows.lastChild.querySelector('input').focus();
  } }, icon('plus'), t('host.word_add'));
  const save = el('button.primary', { type: 'button', 'data-test': 'words-save', onclick: () => busy(save, async () => {
    const words = [...rows.children].map((row) => row.read()).filter(({ word }) => word);
    const kept = await put(`/streams/${stream.id}/words`, { words });
    rows.replaceChildren(...kept.words.map(wordRow));
    toast(t('host.words_saved'), { test: 'words-saved' });
  }, tell) }, t('save'));
  root.replaceChildren(rows, el('div.row-actions', {}, more, save));
}

function wordRow({ word, whole, act }) {
  const text = el('input', { type: 'text', dir: 'auto', maxLength: 50, value: word, 'aria-label': t('host.word'), 'data-test': 'word' });
  const where = el('select', { 'aria-label': t('host.word_where') }, new Option(t('host.word_whole'), 'whole', false, whole), new Option(t('host.word_inside'), 'inside', false, !whole));
  const what = el('select', { 'aria-label': t('host.word_act') }, ACTS.map((it) => new Option(t(`host.word_${it}`), it, false, it === act)));
  const row = el('div.word-row', {}, text, where, what, el('button.ghost.round', { type: 'button', 'aria-label': t('host.word_drop'), onclick: () => row.remove() }, icon('close')));
  row.read = () => ({ word: text.value.trim(), whole: where.value === 'whole', act: what.value });
  return row;
}
