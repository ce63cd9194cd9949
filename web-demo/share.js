// Sharing the show: its link, a QR code for the phone across the table, and the device's own share sheet where it has one.

import { load, t, titleOf } from './i18n.js';
import { el, icon, style, toast } from './ui.js';
import { sheet } from './sheet.js';

await Promise.all([load('buy'), style('sheet')]);

export function share(shop, stream) {
  const path = `/watch?stream=${encodeURIComponent(stream.id)}`;
  const url = `${shop.base_url ?? location.origin}${path}`;
  const input = el('input', { value: url, readOnly: true, dir: 'ltr', 'aria-label': t('share.link'), 'data-test': 'share-link', onfocus: () => input.select() });
  const copy = el('button.primary.wide', { type: 'button', 'data-test': 'share-copy', onclick: () => copied(url, input) }, t('share.copy'));
  const more = navigator.share && el('button.wide', { type: 'button', 'data-test': 'share-more', onclick: () => navigator.share({ title: titleOf(stream), url }).catch(() => {}) }, icon('share'), t('share.more'));
  const code = el('img.qr', { src: `/v1/streams/${encodeURIComponent(stream.id)}/qr.svg`, alt: t('share.qr'), width: 256, height: 256, 'data-test': 'share-qr' });
  const dialog = sheet(el('div.share', {}, code, el('p.fine', {}, t('share.scan')), input, el('div.stack', {}, copy, more)), { title: t('share'), test: 'share-sheet', className: 'small' });
  copy.focus();
  return dialog;
}

/** Plain HTTP has no clipboard: then the link is selected and one copies by hand. */
async function copied(url, input) {
  try {
    await navigator.clipboard.writeText(url);
    toast(t('share.copied'));
  } catch {
    input.select();
    toast(document.execCommand?.('copy') ? t('share.copied') : t('share.by_hand'));
  }
}
