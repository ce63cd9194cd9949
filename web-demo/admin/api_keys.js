// The API keys of the shop's programs: a part of the settings. A secret is shown once, in the sheet after it was made.

import { del, get, post } from '../api.js';
import { formatDateTime, refusalText, t } from '../i18n.js';
import { field, futureTime, readAll, required, showFieldError } from '../host/form.js';
import { copyLink } from '../share.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, icon, toast } from '../ui.js';
import { choice, tick } from './choice.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { ApiKey, NewApiKey, Refusal } from '../types.d.ts' */

/** How long an old key may go on, in hours, with the words for it. */
const ROTATIONS = ['24', '168', '0'];

export class ApiKeyPart {
  constructor() {
    this.list = el('ul.staff-list', { 'data-test': 'api-keys' });
    this.none = el('p.empty', {}, t('api_keys.none'));
    /** @type {string[]} */
    this.scopes = [];
    const add = { type: 'button', 'data-test': 'api-key-add', onclick: () => this.openNew() };
    this.node = el(
      'section.desk-form',
      {},
      el(
        'div.desk-head',
        {},
        el('h2', {}, t('api_keys.title')),
        el('button.primary', add, icon('plus'), t('api_keys.add')),
      ),
      el('p.fine', {}, t('api_keys.about')),
      this.list,
      this.none,
    );
  }

  async reload() {
    /** @type {{ keys: ApiKey[], scopes: string[] }} */
    const { keys, scopes } = await get('/api-keys');
    this.scopes = scopes;
    this.list.replaceChildren(...keys.map((key) => this.row(key)));
    this.none.hidden = keys.length > 0;
  }

  /** @param {ApiKey} key */
  row(key) {
    const { id, name, hint, scopes, by, created_at, last_used_at, is_in_force } = key;
    const used = last_used_at ? t('api_keys.used', { at: formatDateTime(last_used_at) }) : t('api_keys.unused');
    const rotate = { type: 'button', 'data-test': `rotate-${id}`, onclick: () => this.openRotate(key) };
    const end = { type: 'button', 'data-test': `end-${id}`, onclick: () => this.end(key) };
    return el(
      'li',
      { 'data-in-force': String(is_in_force) },
      el(
        'span.row-text',
        {},
        el('b.row-title', {}, el('bdi', {}, name), ' ', el('bdi.num', { dir: 'ltr' }, hint)),
        el('small', {}, scopes.map((scope) => scopeText(scope)).join(' · ')),
        el('small', {}, `${t('api_keys.by', { name: by, at: formatDateTime(created_at) })} · ${used}`),
        endText(key) && el('small', {}, endText(key)),
      ),
      is_in_force && [
        el('button.slim', rotate, t('api_keys.rotate')),
        el('button.slim.danger', end, t('api_keys.end')),
      ],
    );
  }

  /** @param {Refusal} refusal */
  showRefusal = (refusal) => toast(refusalText(refusal), { kind: 'warn' });

  /** @param {ApiKey} key */
  async end({ id, name }) {
    const [title, text] = [t('api_keys.end_title', { name }), t('api_keys.end_about')];
    if (!(await confirmDialog({ title, text, yes: t('api_keys.end'), danger: true }))) return;
    await withBusy(
      null,
      async () => {
        await del(`/api-keys/${id}`);
        toast(t('api_keys.ended_now', { name }), { test: 'api-key-ended' });
        await this.reload();
      },
      this.showRefusal,
    );
  }

  openNew() {
    const name = field({ label: t('api_keys.name'), test: 'api-key-name', check: required, autocomplete: 'off' });
    const end = field({
      label: t('api_keys.ends'),
      test: 'api-key-ends',
      type: 'datetime-local',
      dir: 'ltr',
      hint: t('api_keys.ends_hint'),
      check: optionalEnd,
    });
    const fields = { name, expires_at: end };
    const boxes = this.scopes.map((scope) =>
      tick({ label: scopeText(scope), test: `scope-${scope}`, checked: scope.endsWith(':read'), name: scope }),
    );
    const scopes = el(
      'fieldset.ticks.rows',
      {},
      el('legend', {}, t('api_keys.scopes')),
      boxes.map((box) => box.node),
    );
    const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'api-key-alert' });
    const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'api-key-make' }, t('api_keys.make'));
    const send = (/** @type {Event} */ event) => {
      event.preventDefault();
      const values = readAll(fields);
      if (!values) return;
      const chosen = boxes.filter(({ box }) => box.checked).map(({ box }) => box.name);
      if (chosen.length === 0) {
        alert.textContent = t('api_keys.no_scope');
        alert.hidden = false;
        return;
      }
      alert.hidden = true;
      const work = async () => {
        /** @type {NewApiKey} */
        const made = await post('/api-keys', { ...values, scopes: chosen });
        dialog.close();
        await this.show(made);
      };
      withBusy(submit, work, (refusal) => {
        const text = refusalText(refusal);
        if (showFieldError(fields, refusal, text)) return;
        alert.textContent = text;
        alert.hidden = false;
      });
    };
    const form = el(
      'form.desk-secret',
      { noValidate: true, onsubmit: send },
      name.node,
      end.node,
      scopes,
      alert,
      submit,
    );
    const dialog = guardTyped(
      openSheet(form, { title: t('api_keys.new_title'), test: 'api-key-form', className: 'side' }),
    );
    name.control.focus();
  }

  /** @param {ApiKey} key */
  openRotate({ id, name }) {
    const hours = choice({
      label: t('api_keys.old_ends'),
      test: 'api-key-hours',
      options: ROTATIONS.map((value) => [value, t(`api_keys.after_${value}`)]),
      value: '24',
    });
    const alert = el('p.alert', { role: 'alert', hidden: true });
    const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'api-key-rotate' }, t('api_keys.make'));
    const send = (/** @type {Event} */ event) => {
      event.preventDefault();
      const work = async () => {
        /** @type {NewApiKey} */
        const made = await post(`/api-keys/${id}/rotate`, { hours: Number(hours.control.value) });
        dialog.close();
        await this.show(made);
      };
      withBusy(submit, work, (refusal) => {
        alert.textContent = refusalText(refusal);
        alert.hidden = false;
      });
    };
    const about = el('p.fine', {}, t('api_keys.rotate_about'));
    const form = el('form.desk-secret', { noValidate: true, onsubmit: send }, about, hours.node, alert, submit);
    const dialog = openSheet(form, {
      title: t('api_keys.rotate_title', { name }),
      test: 'api-key-rotate-form',
      className: 'side',
    });
    hours.control.focus();
  }

  /** Shows a secret, this once. @param {NewApiKey} made */
  async show({ secret, key }) {
    const input = el('input.num', { readOnly: true, dir: 'ltr', value: secret, 'data-test': 'api-key-secret' });
    input.setAttribute('aria-label', t('api_keys.secret'));
    const copy = el(
      'button.primary.wide',
      { type: 'button', 'data-test': 'api-key-copy', onclick: () => copyLink(secret, input) },
      t('api_keys.copy'),
    );
    openSheet(el('div.desk-secret', {}, el('p', {}, t('api_keys.once')), input, copy), {
      title: t('api_keys.made', { name: key.name }),
      test: 'api-key-shown',
      className: 'small',
    });
    input.select();
    await this.reload();
  }
}

/** The end of a key, or null: it works until somebody ends it. @param {string} text */
const optionalEnd = (text) => (text ? futureTime(Date.now)(text) : null);

/** @param {string} scope like `products:read` */
const scopeText = (scope) => t(`scope.${scope.replace(':', '_')}`);

/** @param {ApiKey} key */
function endText({ ended_at, expires_at, is_in_force }) {
  if (ended_at) return t('api_keys.has_ended', { at: formatDateTime(ended_at) });
  if (!expires_at) return '';
  return t(is_in_force ? 'api_keys.until' : 'api_keys.has_ended', { at: formatDateTime(expires_at) });
}
