// The stage of the show: its video, or a placeholder where there is none.
//
// The part that plays a video loads with the first video (video.js). The placeholder shows the pinned product and a clock, so that
// a demo without a camera looks complete.

import { formatDateTime, formatDuration, lang, t, titleOf } from './i18n.js';
import { once } from './lazy.js';
import { el, picture, setText, setVisible } from './ui.js';

/** @import { Offer, Stream } from './types.d.ts' */
/** @import { Video } from './video.js' */
/** @import { FaultKind } from './video_engine.js' */

const loadVideo = once(() => import('./video.js'));
const loadRecording = once(() => import('./replay/recording.js'));
const LOAD_AGAIN_MS = 3_000;

export class Player {
  /**
   * @param {HTMLElement} root
   * @param {{ onchange?: () => void, onfault?: (kind: FaultKind) => void }} [options] `onchange` is called when a video appears,
   * disappears or gets captions, `onfault` for every fault of the video
   */
  constructor(root, { onchange = () => {}, onfault = () => {} } = {}) {
    this.root = root;
    this.onchange = onchange;
    this.onfault = onfault;
    /** @type {Stream | null} */
    this.stream = null;
    /** @type {Video | null} */
    this.video = null;
    /** The address that is shown; undefined: none was shown yet. @type {string | null | undefined} */
    this.address = undefined;
    /** @type {string | null} */
    this.image = null;
    this.status = el('p.player-status');
    this.clock = el('bdi.player-clock', { dir: 'ltr', 'data-test': 'player-clock' });
    this.title = el('p.player-title');
    this.spotlight = el('div.spotlight');
    root.prepend(
      el(
        'div.placeholder',
        { 'data-test': 'video-placeholder', 'aria-hidden': 'true' },
        el('div.glow'),
        [1, 2, 3, 4].map((place) => el(`div.lantern.l${place}`, {}, el('i'))),
        el('div.niche', {}, this.spotlight, el('div.plinth')),
        el('div.player-texts', {}, this.title, this.status, this.clock),
      ),
    );
  }

  /**
   * Shows this show.
   * @param {Stream} stream
   */
  update(stream) {
    this.stream = stream;
    setText(this.title, titleOf(stream));
    this.video?.update(stream);
    const address = stream.replay ?? addressOf(stream);
    if (address === this.address) return;
    this.address = address;
    this.video?.stop();
    this.video = null;
    this.root.dataset.video = 'none';
    if (address) this.play(address);
    this.onchange();
  }

  /** @param {string} address */
  async play(address) {
    const isRecording = Boolean(this.stream?.replay);
    const load = () =>
      (isRecording ? loadRecording : loadVideo)().catch(() => {
        // The server cannot be reached now; the connection bar says so.
        setTimeout(() => this.address === address && !this.video && this.play(address), LOAD_AGAIN_MS);
        return null;
      });
    const part = await load();
    if (!part || !this.stream || this.address !== address || this.video) return;
    const { root, stream, onchange, onfault } = this;
    const Kind = 'Recording' in part ? part.Recording : part.Video;
    const { replay, video, whep } = stream;
    this.video = new Kind({
      root,
      stream,
      address: replay ?? video ?? '',
      whep: replay ? null : whep,
      onchange,
      onfault,
    });
    this.onchange();
  }

  /** When the picture on the screen was taken, as server time in ms; null where there is no picture or nothing tells its time. */
  pictureTime() {
    return this.video?.pictureTime() ?? null;
  }

  /** The captions of the video, if it has any. */
  get captions() {
    const tracks = [...(this.video?.node.textTracks ?? [])];
    return tracks.filter((track) => track.kind === 'captions' || track.kind === 'subtitles');
  }

  get hasCaptionsOn() {
    return this.captions.some((track) => track.mode === 'showing');
  }

  /**
   * Shows the captions in the language of the reader, or else the first ones.
   * @param {boolean} on
   */
  setCaptions(on) {
    const wanted = this.captions.find((track) => track.language.startsWith(lang)) ?? this.captions[0];
    for (const track of this.captions) track.mode = on && track === wanted ? 'showing' : 'disabled';
  }

  /**
   * Shows the pinned product in the placeholder.
   * @param {Offer | undefined} offer
   */
  showProduct(offer) {
    const image = offer?.image ?? null;
    if (image === this.image) return;
    this.image = image;
    this.spotlight.replaceChildren(...(image ? [picture(image, offer)] : []));
    this.root.dataset.spotlight = String(Boolean(image));
  }

  /** @param {number} now */
  paint(now) {
    const { stream } = this;
    if (!stream) return;
    const [status, clock] = statusTexts(stream, now);
    setText(this.status, status);
    setText(this.clock, clock);
    setVisible(this.clock, Boolean(clock));
    this.root.dataset.status = stream.status;
  }
}

/**
 * What tells one video from another: both of its addresses.
 * @param {Stream} stream
 */
const addressOf = ({ video, whep }) => (whep ? `${video ?? ''} ${whep}` : video);

/**
 * @param {Stream} stream
 * @param {number} now
 */
function statusTexts({ status, started_at, scheduled_at, cancelled_at }, now) {
  if (status === 'live') return [t('player.live'), formatDuration(now - (started_at ?? now))];
  if (status === 'ended') return [t(cancelled_at ? 'player.cancelled' : 'player.ended'), ''];
  if (!scheduled_at) return [t('player.soon'), ''];
  const clock = scheduled_at > now ? formatDuration(scheduled_at - now) : '';
  return [t('player.starts', { at: formatDateTime(scheduled_at) }), clock];
}
