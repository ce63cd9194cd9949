// What fills the screen: the show's video, or a stage of our own when there is none.
//
// HLS plays natively where the browser can; the others get the poster and a link. The stand-in is a lit niche with the
// pinned product and a clock, so that a demo without a camera looks meant.

import { clock, dateTime, lang, t, titleOf } from './i18n.js';
import { el, icon, picture, put, show } from './ui.js';

const HLS = 'application/vnd.apple.mpegurl';

export class Stage {
  /** `onchange` hears when there is a player, or none any more. */
  constructor(root, onchange = () => {}) {
    Object.assign(this, { root, onchange });
    this.status = el('p.stage-status');
    this.clock = el('bdi.stage-clock', { dir: 'ltr', 'data-test': 'stage-clock' });
    this.title = el('p.stage-title');
    this.spot = el('div.spot');
    this.standIn = el('div.stand-in', { 'data-test': 'stand-in', 'aria-hidden': 'true' },
      el('div.glow'), lantern(1), lantern(2), lantern(3), lantern(4),
      el('div.niche', {}, this.spot, el('div.plinth')),
      el('div.stage-words', {}, this.title, this.status, this.clock));
    root.prepend(this.standIn);
  }

  /** `playing` is what the video wants; a broken or unplayable one falls back to the stand-in with a link. */
  dress(stream) {
    this.stream = stream;
    put(this.title, titleOf(stream));
    if (stream.video === this.video && this.dressed) return;
    this.dressed = true;
    this.video = stream.video;
    this.player?.remove();
    this.link?.remove();
    this.player = this.link = null;
    this.root.dataset.video = 'none';
    if (!stream.video) return;
    const player = el('video', { playsInline: true, autoplay: true, muted: true, 'data-test': 'video' });
    const hls = /\.m3u8(\?|$)/.test(stream.video);
    if (stream.poster) player.poster = stream.poster;
    if (hls && !player.canPlayType(HLS)) return this.offerLink();
    player.src = stream.video;
    player.addEventListener('error', () => { player.remove(); this.offerLink(); });
    player.addEventListener('playing', () => { this.root.dataset.video = 'playing'; });
    player.textTracks.addEventListener('addtrack', () => this.onchange());
    this.player = player;
    this.root.prepend(player);
    this.onchange();
  }

  /** The video's own captions, if it has any. */
  get captions() {
    return [...(this.player?.textTracks ?? [])].filter((track) => track.kind === 'captions' || track.kind === 'subtitles');
  }

  get captioned() {
    return this.captions.some((track) => track.mode === 'showing');
  }

  /** Shows the track in the reader's language, else the first one. */
  caption(on) {
    const wanted = this.captions.find((track) => track.language.startsWith(lang)) ?? this.captions[0];
    for (const track of this.captions) track.mode = on && track === wanted ? 'showing' : 'disabled';
  }

  offerLink() {
    this.player = null;
    this.onchange();
    this.root.dataset.video = 'link';
    if (this.stream.poster) this.spot.replaceChildren(el('img', { src: this.stream.poster, alt: '' }));
    this.link = el('a.video-link', { href: this.stream.video, target: '_blank', rel: 'noopener', 'data-test': 'video-link' }, icon('play'), t('video.open'));
    this.root.append(this.link);
  }

  /** The pinned product stands in the niche; with nothing pinned the niche keeps its lamp. */
  present(offer) {
    const image = offer?.image ?? null;
    if (image === this.presented || (this.root.dataset.video === 'link' && this.stream?.poster)) return;
    this.presented = image;
    this.spot.replaceChildren(...(image ? [picture(image)] : []));
    this.root.dataset.spot = Boolean(image);
  }

  paint(now) {
    const { stream } = this;
    if (!stream) return;
    const words = {
      live: () => [t('stage.live'), clock(now - (stream.started_at ?? now))],
      scheduled: () => [stream.scheduled_at ? t('stage.starts', { at: dateTime(stream.scheduled_at) }) : t('stage.soon'), stream.scheduled_at > now ? clock(stream.scheduled_at - now) : ''],
      ended: () => [t('stage.ended'), ''],
    }[stream.status]?.() ?? ['', ''];
    put(this.status, words[0]);
    put(this.clock, words[1]);
    show(this.clock, Boolean(words[1]));
    this.root.dataset.status = stream.status;
  }
}

function lantern(place) {
  return el(`div.lantern.l${place}`, {}, el('i'));
}
