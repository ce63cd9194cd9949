// The sheet with the options of the video: picture-in-picture, the quality, and the sound alone on a poor connection.

import { load, t } from './i18n.js';
import { openSheet } from './sheet.js';
import { el, style } from './ui.js';
import { variantsOf } from './video_variants.js';

/** @import { Video } from './video.js' */

/** @param {Video} video */
export async function openVideoMenu(video) {
  const [{ variants, audio }] = await Promise.all([
    variantsOf(video.address),
    style('sheet', 'fields'),
    load('player'),
  ]);
  /** @type {{ id: string, text: string, source?: string }[]} */
  const choices = [{ id: 'auto', text: t('video.auto') }];
  const own = video.source === video.address ? (video.engine?.qualities() ?? []) : [];
  const heights = new Set();
  /** @param {string} id @param {number} height @param {string} [source] */
  const add = (id, height, source) => {
    if (!height || heights.has(height)) return;
    heights.add(height);
    choices.push({ id, text: `${height}p`, source });
  };
  if (own.length > 1) for (const { id, height } of own) add(id, height);
  else if (variants.length > 1) {
    for (const it of variants) if (it.hasAllSound) add(String(it.height), it.height, it.address);
  }
  if (audio) choices.push({ id: 'audio', text: t('video.audio_only'), source: audio });
  const dialog = openSheet([pictureButton(video, () => dialog.close()), qualities(video, choices)], {
    title: t('video.options'),
    test: 'video-menu',
    className: 'small',
  });
}

/**
 * @param {Video} video
 * @param {() => void} close
 */
function pictureButton(video, close) {
  if (!document.pictureInPictureEnabled || video.quality === 'audio') return null;
  const onclick = () => {
    // The browser says why, and the page stays as it is.
    video.node.requestPictureInPicture().catch(() => {});
    close();
  };
  return el('button.wide', { type: 'button', 'data-test': 'video-pip', onclick }, t('video.pip'));
}

/**
 * @param {Video} video
 * @param {{ id: string, text: string, source?: string }[]} choices
 */
function qualities(video, choices) {
  const rows = choices.map(({ id, text, source }) => {
    const onchange = () => video.choose(id, source);
    const radio = el('input', {
      type: 'radio',
      name: 'quality',
      checked: id === video.quality,
      'data-test': `quality-${id}`,
      onchange,
    });
    return el('label.choice', {}, radio, el('bdi', {}, text));
  });
  const only = choices.length === 1 && el('p.fine', {}, t('video.one_quality'));
  return el('fieldset.choices.more', {}, el('legend', {}, t('video.quality')), rows, only);
}
