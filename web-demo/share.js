// Sharing the show: its link, a QR code for a phone nearby, and the share sheet of the device where there is one.

import { route, shopAddress } from './base.js';
import { load, t, titleOf } from './i18n.js';
import { openSheet } from './sheet.js';
import { el, icon, style, toast } from './ui.js';

/** @import { Stream } from './types.d.ts' */

await Promise.all([load('buy'), style('sheet', 'fields')]);

/**
 * @param {string | null | undefined} base_url where browsers find the shop, when the operator has set it
 * @param {Stream} stream
 */
export function share(base_url, stream) {
  const id = encodeURIComponent(stream.id);
  const url = `${base_url ?? shopAddress()}/watch?stream=${id}`;
  const input = el('input', {
    value: url,
    readOnly: true,
    dir: 'ltr',
    'aria-label': t('share.link'),
    'data-test': 'share-link',
    onfocus: () => input.select(),
  });
  const copy = el(
    'button.primary.wide',
    {
      type: 'button',
      'data-test': 'share-copy',
      onclick: () => copyLink(url, input),
    },
    t('share.copy'),
  );
  const shareMore = () => navigator.share({ title: titleOf(stream), url }).catch(() => {});
  const more =
    'share' in navigator &&
    el(
      'button.wide',
      { type: 'button', 'data-test': 'share-more', onclick: shareMore },
      icon('share'),
      t('share.more'),
    );
  const qr = {
    src: route(`/v1/streams/${id}/qr.svg`),
    alt: t('share.qr'),
    width: 256,
    height: 256,
    'data-test': 'share-qr',
  };
  const dialog = openSheet(
    el('div.share', {}, el('img.qr', qr), el('p.fine', {}, t('share.scan')), input, el('div.stack', {}, copy, more)),
    { title: t('share'), test: 'share-sheet', className: 'small' },
  );
  copy.focus();
  return dialog;
}

/**
 * Copies the link. Plain HTTP has no clipboard: then the link is selected, and the reader copies it by hand.
 * @param {string} url
 * @param {HTMLInputElement} input
 */
export async function copyLink(url, input) {
  try {
    await navigator.clipboard.writeText(url);
    toast(t('share.copied'));
  } catch {
    input.select();
    toast(document.execCommand?.('copy') ? t('share.copied') : t('share.by_hand'));
  }
}
