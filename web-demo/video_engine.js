// Plays an address in a video element: natively where the browser can play it, else with hls.js, which loads only then.
//
// An engine plays until its first fault and then stops; whoever made it decides when the next one starts.

/** Why a video does not play; the names are the labels of the metric. */
/** @typedef {'playlist' | 'network' | 'media' | 'stall' | 'unsupported'} FaultKind */
/** @typedef {{ id: string, height: number }} Quality */
/**
 * What the pages use of hls.js.
 * @typedef {{
 *   levels: { height?: number }[],
 *   nextLevel: number,
 *   playingDate: Date | null,
 *   loadSource: (address: string) => void,
 *   attachMedia: (video: HTMLVideoElement) => void,
 *   on: (event: string, listener: (event: string, data: { fatal: boolean, type: string, details: string }) => void) => void,
 *   destroy: () => void,
 * }} Hls
 */
/** @typedef {{ new (settings: Record<string, unknown>): Hls, isSupported: () => boolean }} HlsClass */

/** Safari tells when a picture was taken. @typedef {HTMLVideoElement & { getStartDate?: () => Date }} DatedVideo */

const HLS = 'application/vnd.apple.mpegurl';
const SECONDS_KEPT = 30;
const PICTURE_TIME = '#EXT-X-PROGRAM-DATE-TIME:';
const FETCH_MS = 8_000;
const FAULT_OF_CODE = /** @type {Record<number, FaultKind>} */ ({ 2: 'network', 3: 'media', 4: 'playlist' });

/** @param {string} address */
export const isPlaylist = (address) => /\.m3u8([?#]|$)/i.test(address);

/** The address of hls.js on this server; empty where the operator has not installed it. */
const hlsAddress = () => document.querySelector('meta[name="hls-js"]')?.getAttribute('content') ?? '';

/**
 * The function that makes an engine for this address, or null where this browser cannot play it here.
 * Rejects when hls.js could not be loaded this time.
 * @param {HTMLVideoElement} video
 * @param {string} address
 * @returns {Promise<((address: string, onfault: (kind: FaultKind) => void) => NativeEngine | HlsEngine) | null>}
 */
export async function engineFor(video, address) {
  /** @type {(source: string, onfault: (kind: FaultKind) => void) => NativeEngine} */
  const native = (source, onfault) => new NativeEngine(video, source, onfault);
  const isNative = !isPlaylist(address) || Boolean(video.canPlayType(HLS));
  const script = hlsAddress();
  if (isNative && !(script && (await isTimeLost(video, address)))) return native;
  if (!script) return null;
  try {
    /** @type {{ default: HlsClass }} */
    const { default: Hls } = await import(script);
    if (Hls.isSupported()) return (source, onfault) => new HlsEngine(Hls, video, source, onfault);
  } catch (error) {
    if (!isNative) throw error;
  }
  return isNative ? native : null;
}

/**
 * Whether the playlist says when its pictures were taken and this browser, which plays it itself, would not tell: Chromium. Then
 * hls.js plays, because the card of a product comes in time with the picture.
 * @param {DatedVideo} video
 * @param {string} address
 */
async function isTimeLost(video, address) {
  if (!isPlaylist(address) || 'getStartDate' in video) return false;
  try {
    const first = await playlist(address);
    if (first.text.includes(PICTURE_TIME)) return true;
    const variant = /#EXT-X-STREAM-INF:[^\n]*\n\s*([^#\s]+)/.exec(first.text)?.[1];
    if (!variant) return false;
    return (await playlist(new URL(variant, first.address).href)).text.includes(PICTURE_TIME);
  } catch {
    // Its host lets no script read it, or it is not there yet.
    return false;
  }
}

/** @param {string} address */
async function playlist(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(FETCH_MS) });
  return { text: answer.ok ? await answer.text() : '', address: answer.url };
}

/** The browser itself plays the address. */
export class NativeEngine {
  /**
   * @param {HTMLVideoElement} video
   * @param {string} address
   * @param {(kind: FaultKind) => void} onfault
   */
  constructor(video, address, onfault) {
    this.video = video;
    this.fail = () => onfault(FAULT_OF_CODE[video.error?.code ?? 0] ?? 'network');
    video.addEventListener('error', this.fail);
    video.src = address;
  }

  /** When the picture on the screen was taken, in ms. @returns {number | null} */
  pictureTime() {
    const start = /** @type {DatedVideo} */ (this.video).getStartDate?.().getTime() ?? NaN;
    return Number.isFinite(start) ? start + this.video.currentTime * 1000 : null;
  }

  /** The browser chooses the quality; a chosen one is an address of its own. @returns {Quality[]} */
  qualities() {
    return [];
  }

  stop() {
    this.video.removeEventListener('error', this.fail);
    this.video.removeAttribute('src');
    this.video.load();
  }
}

export class HlsEngine {
  /**
   * @param {HlsClass} Hls
   * @param {HTMLVideoElement} video
   * @param {string} address
   * @param {(kind: FaultKind) => void} onfault
   */
  constructor(Hls, video, address, onfault) {
    // The content security policy allows no worker from a blob, so segments are unpacked in the page.
    this.hls = new Hls({ enableWorker: false, lowLatencyMode: true, backBufferLength: SECONDS_KEPT });
    this.hls.on('hlsError', (_, { fatal, type, details }) => {
      if (!fatal) return;
      const isPlaylistFault = /^(manifest|level)/.test(details);
      onfault(type !== 'networkError' ? 'media' : isPlaylistFault ? 'playlist' : 'network');
    });
    this.hls.loadSource(address);
    this.hls.attachMedia(video);
  }

  /** When the picture on the screen was taken, in ms. @returns {number | null} */
  pictureTime() {
    const at = this.hls.playingDate?.getTime() ?? NaN;
    return Number.isFinite(at) ? at : null;
  }

  /** @returns {Quality[]} */
  qualities() {
    return this.hls.levels.map(({ height }, index) => ({ id: String(index), height: height ?? 0 }));
  }

  /** @param {string} id of a quality; `auto` lets hls.js choose */
  choose(id) {
    this.hls.nextLevel = id === 'auto' ? -1 : Number(id);
  }

  stop() {
    this.hls.destroy();
  }
}
