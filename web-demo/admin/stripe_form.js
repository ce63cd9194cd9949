// The keys of Stripe, a part of the settings that only an owner has. What is stored is never shown again: of each key one sees its beginning, its
// last four characters, and who set it. What changes them needs a recent sign-in.

import { del, get, post, put } from '../api.js';
import { field, readAll, showFieldError } from '../host/form.js';
import { formatDateTime, load, refusalText, t } from '../i18n.js';
import { copyLink } from '../share.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { keepFocus } from '../keep_focus.js';

/** @import { Refusal, StripeKeys, StripeKeysCheck } from '../types.d.ts' */

const PATH = '/shop/settings/stripe';
/** How a key of each field begins. @type {Record<Name, string[]>} */
const BEGINS = {
  key: ['rk_live_', 'rk_test_', 'sk_live_', 'sk_test_'],
  publishable_key: ['pk_live_', 'pk_test_'],
  webhook_secret: ['whsec_'],
};
const NAMES = /** @type {const} */ (['key', 'publishable_key', 'webhook_secret']);

/** @typedef {(typeof NAMES)[number]} Name */

/** The part as it is now. It paints itself again after each change. */
export async function stripePart() {
  await load('stripe');
  const part = el('form.desk-form', { noValidate: true, autocomplete: 'off', 'data-test': 'stripe-form' });
  const paint = async () => {
    /** @type {StripeKeys} */
    const keys = await get(PATH);
    const head = [el('h2', {}, t('stripe.title')), el('p.fine', {}, t('stripe.about')), modeLine(keys)];
    if (keys.fixed) {
      const why = el('p', { 'data-test': 'stripe-fixed' }, t(`stripe.fixed.${keys.fixed}`));
      part.onsubmit = (event) => event.preventDefault();
      // Keys that were set before the server was started with others can still be removed.
      const drop = keys.key && el('div.actions', {}, removeButton(keys, paint, failed));
      return part.replaceChildren(...head, why, ...(drop ? [drop] : []));
    }
    const content = form(part, keys, paint).filter((node) => node !== null);
    keepFocus(
      part,
      () => part.replaceChildren(...head, ...content),
      () => ['stripe-save'],
    );
  };
  await paint();
  return part;
}

/** @param {Refusal} refusal */
const failed = (refusal) => toast(refusalText(refusal), { kind: 'warn' });

/** Whether buyers can pay now, and with what kind of money. @param {StripeKeys} keys */
function modeLine({ mode }) {
  if (mode === 'test') return el('p.alert', { role: 'note', 'data-test': 'stripe-mode' }, t('stripe.mode.test'));
  return el('p', { 'data-test': 'stripe-mode' }, t(`stripe.mode.${mode ?? 'none'}`));
}

/**
 * The fields, their messages and the buttons.
 * @param {HTMLFormElement} part
 * @param {StripeKeys} keys
 * @param {() => Promise<void>} paint
 */
function form(part, keys, paint) {
  const fields = {
    key: keyField('key', keys),
    publishable_key: keyField('publishable_key', keys),
    webhook_secret: keyField('webhook_secret', keys),
  };
  const result = el('p.mail-result', { role: 'status', hidden: true, 'data-test': 'stripe-result' });
  const show = (/** @type {string} */ text, /** @type {boolean} */ isGood) => {
    setText(result, text);
    result.dataset.good = String(isGood);
    setVisible(result, true);
  };
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = keyRefusal(refusal);
    if (!showFieldError(fields, refusal, text)) show(text, false);
  };
  /** What was typed; null: something is wrong, and is marked. */
  const typed = () => {
    setVisible(result, false);
    const values = readAll(fields);
    return values && Object.fromEntries(Object.entries(values).filter(([, text]) => text));
  };
  const ask = async (/** @type {object} */ body) => /** @type {StripeKeysCheck} */ (await post(`${PATH}/check`, body));
  const onCheck = () => {
    const body = typed();
    if (!body) return;
    const work = async () => show(checkText(await ask(body)), true);
    withBusy(check, work, showRefusal);
  };
  const save = async (/** @type {object} */ body) => {
    // Keys of another account are refused while others are in use. The first ones, and those after a removal, ask.
    if (!keys.key && (await ask(body)).is_other_account && !(await confirmDialog(otherAccount()))) return;
    await put(PATH, body);
    toast(t('stripe.saved'), { kind: 'good', test: 'stripe-saved' });
    await paint();
  };
  part.onsubmit = (event) => {
    event.preventDefault();
    const body = typed();
    if (body) withBusy(submit, () => save(body), showRefusal);
  };
  const check = el('button', { type: 'button', 'data-test': 'stripe-check', onclick: onCheck }, t('stripe.check'));
  const submit = el('button.primary', { type: 'submit', 'data-test': 'stripe-save' }, t('save'));
  const bin = keys.key && removeButton(keys, paint, showRefusal);
  return [
    openPart(keys),
    ...NAMES.map((name) => fields[name].node),
    webhookPart(keys),
    result,
    el('div.actions', {}, bin, check, submit),
  ];
}

/**
 * Why only keys of the account before are taken now, and for how long.
 * @param {StripeKeys} keys
 */
function openPart({ key, open_payments, open_until }) {
  if (key || !open_payments) return null;
  const until = open_until && t('stripe.open_until', { at: formatDateTime(open_until) });
  return el(
    'div.alert',
    { role: 'note', 'data-test': 'stripe-open' },
    el('p', {}, el('b', {}, t('stripe.open', { n: open_payments }))),
    el('p', {}, t('stripe.open_same')),
    el('p', {}, until || t('stripe.open_other')),
  );
}

/**
 * A key that is typed. What is stored stays when the field is empty.
 * @param {Name} name
 * @param {StripeKeys} keys
 */
function keyField(name, keys) {
  const stored = keys[name];
  const check = (/** @type {string} */ text) => {
    if (!text && !stored) throw new Error(t('form.required'));
    if (text && !BEGINS[name].some((start) => text.startsWith(start))) throw new Error(wrongKind(name, text));
    return text;
  };
  const made = field({
    label: t(`stripe.${name}`),
    test: `stripe-${name.replace('_', '-')}`,
    check,
    type: name === 'publishable_key' ? 'text' : 'password',
    dir: 'ltr',
    autocomplete: name === 'publishable_key' ? 'off' : 'new-password',
    spellcheck: false,
    placeholder: BEGINS[name].map((start) => `${start}…`)[0],
    hint: stored ? ' ' : t(`stripe.${name}_hint`),
  });
  const hint = made.node.querySelector('small');
  if (stored && hint) {
    hint.dataset.test = `stripe-${name.replace('_', '-')}-stored`;
    hint.replaceChildren(
      el('bdi.num', { dir: 'ltr' }, stored.hint),
      ' · ',
      t('stripe.set_by', { name: stored.by, at: formatDateTime(stored.set_at) }),
      ' ',
      t('stripe.kept'),
    );
  }
  return made;
}

/** What is wrong with a key that does not begin as those of its field do. @param {Name} name @param {string} text */
function wrongKind(name, text) {
  const other = NAMES.find((one) => BEGINS[one].some((start) => text.startsWith(start)));
  if (other) return t('stripe.other_field', { is: t(`stripe.${other}`) });
  return t('stripe.begins', { with: BEGINS[name].join(' / ') });
}

/** @param {Refusal} refusal */
function keyRefusal(refusal) {
  const right = String(refusal.detail?.detail ?? '').match(/It needs: (.+)\.$/)?.[1];
  if (refusal.code === 'stripe_key_rights' && right) return t('stripe.needs_right', { right });
  return refusalText(refusal);
}

/** @param {StripeKeysCheck} check */
function checkText({ mode, is_other_account }) {
  const text = t(`stripe.works.${mode}`);
  return is_other_account ? `${text} ${t('stripe.other_account_about')}` : text;
}

const otherAccount = () => ({
  title: t('stripe.other_account'),
  text: t('stripe.other_account_about'),
  yes: t('save'),
  danger: true,
});

/** Where Stripe sends its events, to copy into its dashboard. @param {StripeKeys} keys */
function webhookPart({ webhook_url }) {
  if (!webhook_url) return null;
  const address = field({
    label: t('stripe.webhook_url'),
    test: 'stripe-webhook-url',
    check: (text) => text,
    value: webhook_url,
    readOnly: true,
    dir: 'ltr',
    hint: t('stripe.webhook_url_hint'),
  });
  const copy = { type: 'button', 'data-test': 'stripe-copy', onclick: () => copyLink(webhook_url, address.control) };
  address.node.append(el('div', {}, el('button.slim', copy, t('share.copy'))));
  return address.node;
}

/**
 * @param {StripeKeys} keys
 * @param {() => Promise<void>} paint
 * @param {(refusal: Refusal) => void} showRefusal
 */
function removeButton({ open_payments }, paint, showRefusal) {
  const open = open_payments > 0 ? ` ${t('stripe.remove_open', { n: open_payments })}` : '';
  const remove = async () => {
    const question = { title: t('stripe.remove_title'), text: t('stripe.remove_about') + open };
    if (!(await confirmDialog({ ...question, yes: t('stripe.remove'), danger: true }))) return;
    await withBusy(
      bin,
      async () => {
        await del(PATH);
        toast(t('stripe.removed'), { test: 'stripe-removed' });
        await paint();
      },
      showRefusal,
    );
  };
  const bin = el('button.ghost', { type: 'button', 'data-test': 'stripe-remove', onclick: remove }, t('stripe.remove'));
  return bin;
}
