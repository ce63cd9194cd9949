// The menu of the account: who one is, one's orders, another name, passkeys of the staff, and signing out.

import { asRefusal, del, get, patch, session, token } from './api.js';
import { route } from './base.js';
import { canFollow } from './following.js';
import { load, refusalText, t } from './i18n.js';
import { currentPerson, signedIn } from './identity.js';
import { confirmDialog, openSheet, withBusy } from './sheet.js';
import { el, style, toast } from './ui.js';

/** @import { Identity } from './types.d.ts' */

await Promise.all([load('buy'), style('sheet', 'fields')]);

export async function openAccountMenu() {
  /** @type {Identity} */
  const who = await get('/session');
  if (who.kind === 'anonymous') {
    // The session ended meanwhile.
    session.clear();
    return location.reload();
  }
  const hasSession = who.kind === 'guest' || who.kind === 'account';
  /**
   * @param {string} name
   * @param {() => unknown} act
   * @param {string} [look]
   */
  const button = (name, act, look = 'ghost') =>
    el(
      `button.${look}.wide`,
      { type: 'button', 'data-test': `account-${name}`, onclick: act },
      t(`account.${name.replaceAll('-', '_')}`),
    );
  /**
   * The same, and the menu closes first.
   * @param {string} name
   * @param {() => unknown} act
   * @param {string} [look]
   */
  const leave = (name, act, look) =>
    button(
      name,
      () => {
        dialog.close();
        return act();
      },
      look,
    );
  const signInByEmail = async () => {
    const { signInSheet } = await import('./sign_in_sheet.js');
    if (await signInSheet({ onlyByEmail: true })) location.reload();
  };
  const prove = async () => {
    const { provePasskey } = await import('./email_sign_in.js');
    if (await provePasskey(t('passkey.step'))) location.reload();
  };
  const follows = who.kind === 'account' && who.email && (await canFollow().catch(() => false));
  const isStaff = !['anonymous', 'viewer'].includes(who.role);
  const content = [
    el('p.who', { 'data-test': 'account-name' }, el('bdi', {}, who.name ?? currentPerson()?.name ?? '')),
    el('p.fine', { 'data-test': 'account-kind' }, about(who)),
    el(
      'div.stack',
      {},
      el('a.button.wide', { href: route('/orders'), 'data-test': 'account-orders' }, t('my_orders')),
      who.kind === 'guest' && who.email_sign_in && leave('by-email', signInByEmail, 'primary'),
      who.passkey === 'needed' && leave('prove', prove, 'primary'),
      who.passkeys &&
        isStaff &&
        hasSession &&
        leave('passkeys', async () => (await import('./passkey_list.js')).openPasskeys()),
      follows && leave('follows', async () => (await import('./follow_list.js')).openFollowList()),
      who.saved_cards && (await import('./saved_cards.js')).menuEntry(),
      hasSession && leave('rename', () => openRename(who.name ?? '')),
      hasSession && dataLink(),
      button('sign-out', () => signOut(who)),
      hasSession && button('everywhere', () => signOutEverywhere(who)),
    ),
  ];
  const dialog = openSheet(content, { title: t('account.title'), test: 'account-menu', className: 'small' });
}

/** What the shop stores about the reader, as a file. */
const dataLink = () =>
  el(
    'a.button.ghost.wide',
    { href: route('/v1/me/data'), download: 'my-data.jsonl', 'data-test': 'account-data' },
    t('account.data'),
  );

/** @param {Identity} who */
function about({ kind, email }) {
  if (kind === 'account') return email ?? '';
  return t(kind === 'guest' ? 'account.is_guest' : 'account.by_token');
}

/** @param {string} name */
function openRename(name) {
  const input = el('input', {
    type: 'text',
    id: 'account-new-name',
    maxLength: 40,
    required: true,
    autocomplete: 'nickname',
    dir: 'auto',
    value: name,
    'data-test': 'account-new-name',
  });
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'account-alert' });
  const save = el('button.primary.wide', { type: 'submit', 'data-test': 'account-save' }, t('account.save'));
  const form = el('form', {}, el('label', { for: input.id }, t('sign_in.name')), input, alert, save);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const chosen = input.value.trim();
    if (!chosen) return input.focus();
    withBusy(
      save,
      async () => {
        signedIn(await patch('/session', { name: chosen }));
        // The connection has the old name.
        location.reload();
      },
      (refusal) => {
        alert.textContent = refusalText(refusal);
        alert.hidden = false;
      },
    );
  });
  openSheet(form, { title: t('account.rename'), test: 'account-rename', className: 'small' });
  input.select();
}

/** @param {Identity} who */
async function signOut(who) {
  // A guest has nothing to come back with.
  if (who.kind === 'guest' && !(await sure('account.sign_out', 'account.sign_out_guest'))) return;
  if (who.kind === 'token') {
    token.clear();
    return location.reload();
  }
  await end('/session');
}

/** @param {Identity} who */
async function signOutEverywhere(who) {
  const text = who.kind === 'guest' ? 'account.sign_out_guest' : 'account.everywhere_sure';
  if (await sure('account.everywhere', text)) await end('/sessions');
}

/**
 * @param {string} title
 * @param {string} text
 */
const sure = (title, text) =>
  confirmDialog({ title: t(title), text: t(text), yes: t('account.sign_out'), danger: true });

/** @param {string} path */
async function end(path) {
  try {
    await del(path);
  } catch (error) {
    return toast(refusalText(asRefusal(error)), { kind: 'warn' });
  }
  session.clear();
  // Nothing of this person stays on the page.
  location.reload();
}
