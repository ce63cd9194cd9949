// The keys with which the encoder of a show signs in at a media server that asks this shop: made, replaced and revoked. A key is shown
// once, in this sheet; the shop does not store it.

import { del, get, post } from '../api.js';
import { formatDateTime, refusalText, t, titleOf } from '../i18n.js';
import { copyLink } from '../share.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';

/** @import { Refusal, Stream } from '../types.d.ts' */
/** @typedef {{ made_at: number | null, expires_at: number | null, used_at: number | null }} KeyState */
/** @typedef {{ key: string, expires_at: number }} MediaKey */

/** @param {Stream} show */
export async function publishKeySheet(show) {
  const path = `/streams/${encodeURIComponent(show.id)}/publish-key`;
  const status = el('p', { role: 'status', 'data-test': 'publish-key-status' });
  const input = el('input.num', {
    readOnly: true,
    dir: 'ltr',
    'data-test': 'publish-key',
    'aria-label': t('publish_key.key'),
  });
  const copy = { type: 'button', 'data-test': 'publish-key-copy', onclick: () => copyLink(input.value, input) };
  const once = el('p.fine', {}, t('publish_key.once'));
  const shown = el(
    'div.publish-key',
    { hidden: true },
    once,
    input,
    el('button.primary.wide', copy, t('publish_key.copy')),
  );
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'publish-key-alert' });
  const make = el('button.primary.wide', { type: 'button', 'data-test': 'publish-key-make' });
  const end = el('button.danger.wide', { type: 'button', 'data-test': 'publish-key-end' }, t('publish_key.end'));
  let hasKey = false;

  const reload = async () => paint(await get(path));
  /** @param {KeyState} state */
  const paint = ({ made_at, expires_at, used_at }) => {
    hasKey = made_at !== null;
    const made =
      made_at !== null &&
      t('publish_key.made', { at: formatDateTime(made_at), until: formatDateTime(expires_at ?? made_at) });
    const used = used_at === null ? t('publish_key.unused') : t('publish_key.used', { at: formatDateTime(used_at) });
    setText(status, made ? `${made} ${used}` : t('publish_key.none'));
    setText(make, t(hasKey ? 'publish_key.replace' : 'publish_key.make'));
    make.classList.toggle('primary', !hasKey);
    setVisible(end, hasKey);
    setVisible(make, show.status !== 'ended');
  };
  /** @param {Refusal} refusal */
  const fail = (refusal) => {
    setText(alert, refusalText(refusal));
    setVisible(alert, true);
  };
  /** @param {HTMLButtonElement} button @param {() => Promise<void>} work */
  const run = (button, work) => {
    setVisible(alert, false);
    return withBusy(button, work, fail);
  };

  make.addEventListener('click', async () => {
    const isReplaced = hasKey;
    const sure = {
      title: t('publish_key.replace'),
      text: t('publish_key.replace_sure'),
      yes: t('publish_key.replace'),
    };
    if (isReplaced && !(await confirmDialog({ ...sure, danger: true }))) return;
    await run(make, async () => {
      /** @type {MediaKey} */
      const made = await post(isReplaced ? `${path}/rotate` : path, {});
      input.value = made.key;
      setVisible(shown, true);
      input.select();
      await reload();
    });
  });
  end.addEventListener('click', async () => {
    const sure = { title: t('publish_key.end'), text: t('publish_key.end_sure'), yes: t('publish_key.end') };
    if (!(await confirmDialog({ ...sure, danger: true }))) return;
    await run(end, async () => {
      await del(path);
      input.value = '';
      setVisible(shown, false);
      toast(t('publish_key.ended'), { test: 'publish-key-ended' });
      await reload();
      make.focus();
    });
  });

  const about = el('p.fine', {}, el('bdi', {}, titleOf(show)), ` · ${t('publish_key.about')}`);
  const content = el('div.stack', {}, about, status, shown, alert, make, end);
  setVisible(make, false);
  setVisible(end, false);
  openSheet(content, { title: t('publish_key.title'), test: 'publish-key-sheet', className: 'small' });
  await withBusy(null, reload, fail);
}
