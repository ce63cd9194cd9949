// The video of the show, or a placeholder where there is none.
//
// HLS plays natively where the browser supports it; other browsers get the poster and a link. The placeholder shows the
// pinned product and a clock, so that a demo without a camera looks complete.

import { formatDateTime, formatDuration, lang, t, titleOf } from './i18n.js';
import { el, icon, picture, setText, setVisible } from './ui.js';

/** @import { Offer, Stream } from './types.d.ts' */

const HLS = 'application/vnd.apple.mpegurl';

export class Player {
  /**
   * @param {HTMLElement} root
   * @param {() => void} [onchange] called when a video appears, disappears or gets captions
   */
  constructor(root, onchange = () => {}) {
    this.root = root;
    this.onchange = onchange;
    /** @type {Stream | null} */
    this.stream = null;
    /** @type {HTMLVideoElement | null} */
    this.video = null;
    /** @type {HTMLAnchorElement | null} */
    this.link = null;
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
   * Shows this show. A broken or unsupported video is replaced by the placeholder with a link.
   * @param {Stream} stream
   */
  update(stream) {
    this.stream = stream;
    setText(this.title, titleOf(stream));
    if (stream.video === this.address) return;
    this.address = stream.video;
    this.video?.remove();
    this.link?.remove();
    this.video = this.link = null;
    this.root.dataset.video = 'none';
    if (stream.video) this.play(stream, stream.video);
  }

  /**
   * @param {Stream} stream
   * @param {string} address
   */
  play(stream, address) {
    const video = el('video', { playsInline: true, autoplay: true, muted: true, 'data-test': 'video' });
    if (stream.poster) video.poster = stream.poster;
    if (/\.m3u8(\?|$)/.test(address) && !video.canPlayType(HLS)) return this.showLink(stream, address);
    video.src = address;
    video.addEventListener('error', () => {
      video.remove();
      this.showLink(stream, address);
    });
    video.addEventListener('playing', () => {
      this.root.dataset.video = 'playing';
    });
    video.textTracks.addEventListener('addtrack', () => this.onchange());
    this.video = video;
    this.root.prepend(video);
    this.onchange();
  }

  /**
   * @param {Stream} stream
   * @param {string} address
   */
  showLink(stream, address) {
    this.video = null;
    this.onchange();
    this.root.dataset.video = 'link';
    if (stream.poster) this.spotlight.replaceChildren(el('img', { src: stream.poster, alt: '' }));
    const target = { href: address, target: '_blank', rel: 'noopener', 'data-test': 'video-link' };
    this.link = el('a.video-link', target, icon('play'), t('video.open'));
    this.root.append(this.link);
  }

  /** The captions of the video, if it has any. */
  get captions() {
    const tracks = [...(this.video?.textTracks ?? [])];
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
    if (image === this.image || (this.root.dataset.video === 'link' && this.stream?.poster)) return;
    this.image = image;
    this.spotlight.replaceChildren(...(image ? [picture(image)] : []));
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
 * @param {Stream} stream
 * @param {number} now
 */
function statusTexts({ status, started_at, scheduled_at }, now) {
  if (status === 'live') return [t('player.live'), formatDuration(now - (started_at ?? now))];
  if (status === 'ended') return [t('player.ended'), ''];
  if (!scheduled_at) return [t('player.soon'), ''];
  const clock = scheduled_at > now ? formatDuration(scheduled_at - now) : '';
  return [t('player.starts', { at: formatDateTime(scheduled_at) }), clock];
}
