// Sharing the show: the phone's own sheet, else the clipboard; plain HTTP has neither, then one copies by hand.

import { t, titleOf } from './i18n.js';
import { el, toast } from './ui.js';

export async function share(stream, openSheet) {
  const url = `${location.origin}/watch?stream=${encodeURIComponent(stream.id)}`;
  try {
    if (navigator.share) return await navigator.share({ title: titleOf(stream), url });
    await navigator.clipboard.writeText(url);
    return toast(t('share.copied'));
  } catch (fault) {
    if (fault.name === 'AbortError') return undefined;
    const input = el('input', { value: url, readOnly: true, dir: 'ltr', 'aria-label': t('share') });
    const sheet = await openSheet();
    sheet([el('p', {}, t('share.by_hand')), input], { title: t('share'), test: 'share-sheet', className: 'small' });
    return input.select();
  }
}
