// What the reader follows by e-mail, in a sheet of the account menu. Each can be ended, and the end of the last one undone.

import { del, get, post } from './api.js';
import { formatDateTime, lang, load, refusalText, t, titleOf } from './i18n.js';
import { openSheet, withBusy } from './sheet.js';
import { el, style } from './ui.js';

/** @import { Follow, Identity } from './types.d.ts' */

await Promise.all([load('follow'), style('sheet', 'fields', 'follow')]);

export async function openFollowList() {
  const list = el('ul.follows', { 'data-test': 'follows' });
  const none = el('p.empty', { 'data-test': 'follows-none' }, t('follow.none'));
  // Not a toast: nothing outside the sheet can be pressed while it is open.
  const ended = el('p.follow-ended', { role: 'status', hidden: true, 'data-test': 'follow-ended' });
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'follows-alert' });
  /** @type {Identity} */
  const who = await get('/session');
  const reload = async () => {
    /** @type {{ items: Follow[] }} */
    const { items } = await get('/follows');
    list.replaceChildren(...items.map(row));
    list.hidden = items.length === 0;
    none.hidden = items.length > 0;
  };
  /** @param {import('./types.d.ts').Refusal} refusal */
  const showRefusal = (refusal) => {
    alert.textContent = refusalText(refusal);
    alert.hidden = false;
  };
  /** @param {Follow} follow */
  const end = async (follow) => {
    alert.hidden = true;
    await del(`/follows/${follow.id}`);
    await reload();
    // Only an address that the account has proven can be undone without a mail.
    ended.replaceChildren(t('follow.ended', { what: nameOf(follow) }), who.email === follow.email ? undo(follow) : '');
    ended.hidden = false;
    heading()?.focus();
  };
  /** @param {Follow} follow */
  const undo = ({ product }) => {
    const again = async () => {
      await post('/follows', { product: product?.id, lang });
      ended.hidden = true;
      await reload();
    };
    const button = el('button.slim', { type: 'button', 'data-test': 'follow-undo' }, t('follow.undo'));
    button.addEventListener('click', () => withBusy(button, again, showRefusal));
    return button;
  };
  /** @param {Follow} follow */
  const row = (follow) => {
    const what = nameOf(follow);
    const label = `${t('follow.stop')}: ${what}`;
    const button = el(
      'button.slim',
      { type: 'button', 'aria-label': label, 'data-test': `follow-end-${follow.product?.id ?? 'shop'}` },
      t('follow.stop'),
    );
    button.addEventListener('click', () => withBusy(button, () => end(follow), showRefusal));
    const texts = el(
      'span.row-text',
      {},
      el('bdi.row-title', {}, what),
      el('small', {}, el('bdi', { dir: 'ltr' }, follow.email), ' · ', formatDateTime(follow.created_at)),
    );
    return el('li', {}, texts, button);
  };
  await reload();
  const content = el('div.follow', {}, el('p', {}, t('follow.list_about')), alert, ended, list, none);
  const dialog = openSheet(content, { title: t('follow.title'), test: 'follow-list', className: 'small' });
  const heading = () => {
    const node = dialog.querySelector('h2');
    if (node) node.tabIndex = -1;
    return node;
  };
}

/** @param {Follow} follow */
const nameOf = ({ product }) => (product ? titleOf(product) || t('follow.gone') : t('follow.every_show'));
