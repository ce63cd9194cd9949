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
 *   loadSource: (address: string) => void,
 *   attachMedia: (video: HTMLVideoElement) => void,
 *   on: (event: string, listener: (event: string, data: { fatal: boolean, type: string, details: string }) => void) => void,
 *   destroy: () => void,
 * }} Hls
 */
/** @typedef {{ new (settings: Record<string, unknown>): Hls, isSupported: () => boolean }} HlsClass */

const HLS = 'application/vnd.apple.mpegurl';
const SECONDS_KEPT = 30;
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
  if (!isPlaylist(address) || video.canPlayType(HLS)) {
    return (source, onfault) => new NativeEngine(video, source, onfault);
  }
  const script = hlsAddress();
  if (!script) return null;
  /** @type {{ default: HlsClass }} */
  const { default: Hls } = await import(script);
  return Hls.isSupported() ? (source, onfault) => new HlsEngine(Hls, video, source, onfault) : null;
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
