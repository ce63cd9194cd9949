// The passkeys of the reader in a sheet: which there are, a new one, and removing one.

import { del, get } from './api.js';
import { formatDateTime, refusalText, t } from './i18n.js';
import { hasPasskeys, makePasskey } from './passkey.js';
import { confirmDialog, openSheet, withBusy } from './sheet.js';
import { el, toast } from './ui.js';

/** @import { Passkey, Refusal } from './types.d.ts' */

const NAME_MAX = 60;

export async function openPasskeys() {
  const list = el('ul.passkeys', { 'data-test': 'passkeys' });
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'passkey-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    alert.textContent = refusalText(refusal);
    alert.hidden = false;
  };
  const reload = async () => {
    /** @type {{ items: Passkey[] }} */
    const { items } = await get('/passkeys');
    list.replaceChildren(...items.map((passkey) => row(passkey, reload, showRefusal)));
    list.hidden = items.length === 0;
  };
  await reload();
  const name = el('input', {
    id: 'passkey-name',
    type: 'text',
    dir: 'auto',
    required: true,
    maxLength: NAME_MAX,
    value: t('passkey.this_device'),
    'data-test': 'passkey-name',
  });
  const button = el('button.primary.wide', { type: 'submit', 'data-test': 'passkey-add' }, t('passkey.add'));
  const form = el('form', {}, el('label', { for: name.id }, t('passkey.name')), name, alert, button);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    alert.hidden = true;
    const add = async () => {
      await makePasskey(name.value.trim() || t('passkey.this_device'));
      name.value = t('passkey.this_device');
      toast(t('passkey.added'), { kind: 'good', test: 'passkey-added' });
      await reload();
    };
    withBusy(button, add, showRefusal);
  });
  const none = el('p', { 'data-test': 'passkey-unsupported' }, t('passkey.unsupported'));
  const content = [el('p', {}, t('passkey.about')), list, hasPasskeys() ? form : none];
  openSheet(content, { title: t('account.passkeys'), test: 'passkey-sheet', className: 'small' });
}

/**
 * @param {Passkey} passkey
 * @param {() => Promise<void>} reload
 * @param {(refusal: Refusal) => void} showRefusal
 */
function row({ id, name, created_at, last_used_at }, reload, showRefusal) {
  const remove = async () => {
    const text = t('passkey.remove_sure', { name });
    if (!(await confirmDialog({ title: t('passkey.remove'), text, yes: t('passkey.remove'), danger: true }))) return;
    await del(`/passkeys/${id}`);
    await reload();
  };
  const onclick = () => withBusy(button, remove, showRefusal);
  const button = el(
    'button.slim.danger',
    { type: 'button', 'data-test': 'passkey-remove', 'aria-label': `${t('passkey.remove')}: ${name}`, onclick },
    t('passkey.remove'),
  );
  const used = last_used_at
    ? t('passkey.used', { at: formatDateTime(last_used_at) })
    : t('passkey.made', { at: formatDateTime(created_at) });
  const text = el('span.row-text', {}, el('b.row-title', {}, el('bdi', {}, name)), el('small', {}, used));
  return el('li', {}, text, button);
}
