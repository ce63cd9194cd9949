// The qualities of a show by its multivariant playlist: pictures of several heights, and the sound alone.

import { isPlaylist } from './video_engine.js';

/** @typedef {{ address: string, height: number, hasAllSound: boolean }} Variant */
/** @typedef {{ variants: Variant[], audio: string | null }} Variants */

const PICTURE = /avc|hvc|hev|av01|vp0?9|dvh/i;
const FETCH_MS = 8_000;

/**
 * @param {string} text a playlist
 * @param {string} base its address
 * @returns {Variants}
 */
export function parseVariants(text, base) {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  /** @type {Variants} */
  const found = { variants: [], audio: null };
  lines.forEach((line, index) => {
    const address = () => new URL(lines[index + 1], base).href;
    if (line.startsWith('#EXT-X-STREAM-INF:') && lines[index + 1] && !lines[index + 1].startsWith('#')) {
      const codecs = attribute(line, 'CODECS');
      const height = Number(/x(\d+)$/.exec(attribute(line, 'RESOLUTION'))?.[1] ?? 0);
      if (!height && codecs && !PICTURE.test(codecs)) found.audio ??= address();
      else found.variants.push({ address: address(), height, hasAllSound: !attribute(line, 'AUDIO') });
    }
    const sound = line.startsWith('#EXT-X-MEDIA:') && attribute(line, 'TYPE') === 'AUDIO' && attribute(line, 'URI');
    if (sound) found.audio ??= new URL(sound, base).href;
  });
  return found;
}

/**
 * @param {string} line
 * @param {string} name
 */
function attribute(line, name) {
  const [, quoted, plain] = new RegExp(`[:,]${name}=(?:"([^"]*)"|([^,]*))`).exec(line) ?? [];
  return quoted ?? plain ?? '';
}

/**
 * Empty where the playlist cannot be read: its host does not allow it, or there is only one quality.
 * @param {string} address
 * @returns {Promise<Variants>}
 */
export async function variantsOf(address) {
  const none = { variants: [], audio: null };
  if (!isPlaylist(address)) return none;
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(FETCH_MS) });
    return answer.ok ? parseVariants(await answer.text(), answer.url) : none;
  } catch {
    return none;
  }
}
