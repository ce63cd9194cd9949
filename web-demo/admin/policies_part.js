// The policies of the shop at the desk: a text in each language, saved by itself, so that a mistake in one loses nothing of another.

import { call } from '../api.js';
import { route } from '../base.js';
import { refusalText, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';

/** @import { PolicyKind, Refusal, ShopSettings } from '../types.d.ts' */

const KINDS = /** @type {PolicyKind[]} */ (['terms', 'returns', 'privacy', 'contact']);
const LANGUAGES = [
  ['en', 'English'],
  ['ar', 'العربية'],
  ['id', 'Bahasa Indonesia'],
];
const LENGTH_MAX = 20_000;

/**
 * @param {ShopSettings} settings
 * @returns {{ node: HTMLElement, isChanged: () => boolean }}
 */
export function policiesPart({ policies, languages }) {
  const parts = KINDS.map((kind) => policyForm(kind, policies[kind] ?? {}, languages));
  const node = el(
    'section.desk-form',
    { 'data-test': 'policies' },
    el('h2', {}, t('policies.title')),
    el('p.fine', {}, t('policies.about')),
    parts.map((part) => part.node),
  );
  return { node, isChanged: () => parts.some((part) => part.isChanged()) };
}

/** @param {PolicyKind} kind @param {Record<string, string>} texts @param {string[]} languages of the shop; empty: all */
function policyForm(kind, texts, languages) {
  let saved = texts;
  const shown = LANGUAGES.filter(([tag]) => languages.length === 0 || languages.includes(tag) || texts[tag]);
  const boxes = shown.map(([tag, language]) => {
    const box = el('textarea', {
      rows: 6,
      maxLength: LENGTH_MAX,
      dir: tag === 'ar' ? 'rtl' : 'ltr',
      lang: tag,
      value: texts[tag] ?? '',
      'data-test': `policy-${kind}-${tag}`,
    });
    return { tag, box, node: el('label', {}, el('span', {}, language), box) };
  });
  const typed = () => Object.fromEntries(boxes.map(({ tag, box }) => [tag, box.value.trimEnd()]));
  const isChanged = () => boxes.some(({ tag, box }) => box.value.trimEnd() !== (saved[tag] ?? ''));
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': `policy-${kind}-alert` });
  const state = el('span.fine', {});
  const paintState = () =>
    setText(state, t(boxes.some(({ box }) => box.value.trim()) ? 'policies.written' : 'policies.not_written'));
  const submit = el('button.primary.slim', { type: 'submit', 'data-test': `policy-${kind}-save` }, t('save'));
  const see = el('a', { href: route(`/policies/${kind}`), target: '_blank', rel: 'noopener' }, t('policies.see'));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    const send = async () => {
      /** @type {ShopSettings} */
      const { policies } = await call('PATCH', '/shop/settings', { body: { policies: { [kind]: typed() } } });
      saved = policies[kind] ?? {};
      setVisible(see, Object.keys(saved).length > 0);
      paintState();
      toast(t('policies.saved'), { kind: 'good', test: 'policy-saved' });
    };
    withBusy(submit, send, (/** @type {Refusal} */ refusal) => {
      setText(alert, refusalText(refusal));
      setVisible(alert, true);
    });
  };
  setVisible(see, Object.keys(texts).length > 0);
  paintState();
  const form = el(
    'form.policy-form',
    { noValidate: true, onsubmit: save },
    boxes.map((box) => box.node),
    alert,
    el('div.actions', {}, see, submit),
  );
  const summary = el('summary', { 'data-test': `policy-${kind}` }, el('b', {}, t(`policy.${kind}`)), state);
  return { node: el('details.policy-part', {}, summary, form), isChanged };
}
