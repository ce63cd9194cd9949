// The video of a show. It comes back: after a late playlist, a stall, a restart of the encoder or a change of the network it is
// loaded again, with growing pauses, for as long as the show is live.

import { t } from './i18n.js';
import { contentAddress, el, icon, setText, setVisible } from './ui.js';
import { engineFor, isPlaylist } from './video_engine.js';

/** @import { Stream } from './types.d.ts' */
/** @import { FaultKind, HlsEngine, NativeEngine } from './video_engine.js' */
/** @import { WhepEngine, WhepTurns } from './whep.js' */

const WATCH_MS = 1_000;
/** A picture that stands still for this long has stalled. */
const STALL_MS = 8_000;
/** The pauses before the next attempts; the last one is repeated. */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
/** A video that has played for this long is well again: the next fault starts with the shortest pause. */
const STEADY_MS = 10_000;
/** After this many stalls the connection is too slow for the picture. */
const STALLS_MAX = 2;

export class Video {
  /**
   * @param {{
   *   root: HTMLElement,
   *   stream: Stream,
   *   address: string,
   *   whep?: string | null,
   *   onchange: () => void,
   *   onfault: (kind: FaultKind) => void,
   * }} options `whep`: an address of the same video with low delay, which is played where it can; `onchange`: what the buttons show may have changed; `onfault` is called for every fault
   */
  constructor({ root, stream, address, whep = null, onchange, onfault }) {
    this.root = root;
    this.stream = stream;
    this.address = contentAddress(address);
    this.whep = whep && contentAddress(whep);
    /** When the video with low delay is tried. @type {WhepTurns | null} */
    this.whepTurns = null;
    this.isConnecting = false;
    /** What plays: the address of the show, or that of one of its qualities. */
    this.source = this.address;
    /** The quality that the reader chose: `auto`, `audio` or the id of one. */
    this.quality = 'auto';
    this.onchange = onchange;
    this.onfault = onfault;
    /** @type {NativeEngine | HlsEngine | WhepEngine | null} */
    this.engine = null;
    this.attempts = 0;
    this.stalls = 0;
    this.lastAt = 0;
    this.movedAt = 0;
    this.steadySince = 0;
    this.hasPlayed = false;
    this.isStopped = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.node = el('video', { playsInline: true, autoplay: true, muted: true, 'data-test': 'video' });
    if (stream.poster) this.node.poster = contentAddress(stream.poster);
    // A plain file, such as the one of the demo, begins again. A playlist that ends is a show whose encoder stopped.
    this.node.loop = !isPlaylist(this.source);
    this.text = el('span');
    this.lighter = el('button.slim', { type: 'button', 'data-test': 'video-lighter' }, t('video.audio_only'));
    this.start = el(
      'button.slim.primary',
      { type: 'button', 'data-test': 'video-play' },
      icon('play'),
      t('video.play'),
    );
    this.start.addEventListener('click', () => this.play());
    this.words = el(
      'div.video-words',
      { role: 'status', 'data-test': 'video-words' },
      this.text,
      this.lighter,
      this.start,
    );
    this.say('');
    this.node.addEventListener('resize', () => this.measure());
    this.node.addEventListener('ended', () => this.finished());
    this.node.addEventListener('volumechange', () => this.onchange());
    this.node.textTracks.addEventListener('addtrack', () => this.onchange());
    root.prepend(this.node);
    root.append(this.words);
    this.watching = setInterval(() => this.watch(), WATCH_MS);
    this.comeBack = () => {
      if (!document.hidden && this.timer) this.retry(0);
    };
    globalThis.addEventListener('online', this.comeBack);
    document.addEventListener('visibilitychange', this.comeBack);
    this.load();
  }

  /** The show is not over, so a video that fails is loaded again. */
  get isWanted() {
    return !this.isStopped && this.stream.status !== 'ended';
  }

  /** @param {Stream} stream */
  update(stream) {
    const hasEnded = stream.status === 'ended' && this.stream.status !== 'ended';
    this.stream = stream;
    if (hasEnded && this.root.dataset.video !== 'playing') this.rest();
    else if (this.timer) this.say(this.waitingText());
  }

  async load() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.unload();
    this.steadySince = 0;
    this.movedAt = performance.now();
    this.lastAt = 0;
    if (!this.hasPlayed) this.setState('waiting');
    this.say(this.waitingText());
    if (await this.playWhep()) return;
    if (!this.source) return this.fail('playlist');
    try {
      const make = await engineFor(this.node, this.source);
      if (this.isStopped || this.engine) return;
      if (!make) return this.giveLink();
      const engine = make(this.source, (kind) => {
        if (this.engine === engine) this.fail(kind);
      });
      this.engine = engine;
    } catch {
      return this.fail('network');
    }
    this.play();
  }

  /**
   * Plays the video with low delay, if it is there and its turn has come. While it connects, what plays goes on.
   * @returns {Promise<boolean>}
   */
  async playWhep() {
    const { whep } = this;
    if (!whep || this.quality !== 'auto' || this.isConnecting || this.stream.status !== 'live') return false;
    this.isConnecting = true;
    try {
      const part = await import('./whep.js');
      this.whepTurns ??= new part.WhepTurns();
      if (!this.whepTurns.isDue) return false;
      const engine = new part.WhepEngine(whep, this.stream.id);
      await engine.connect();
      if (this.isStopped || this.quality !== 'auto') {
        engine.stop();
        return false;
      }
      this.unload();
      this.engine = engine;
      engine.attach(this.node, (kind) => {
        if (this.engine !== engine) return;
        this.whepTurns?.failed();
        this.fail(kind);
      });
      this.play();
      return true;
    } catch {
      this.whepTurns?.failed();
      return false;
    } finally {
      this.isConnecting = false;
    }
  }

  /** HLS plays: the video with low delay comes back when its turn has come. */
  comeBackToWhep() {
    const isOther = this.whep && this.engine && !('attach' in this.engine);
    if (isOther && !this.timer && !document.hidden && (this.whepTurns?.isDue ?? true)) this.playWhep();
  }

  /** A playlist has ended, but the show has not. */
  finished() {
    this.fail('stall');
  }

  play() {
    // A browser that lets nothing start by itself needs a press.
    this.node.play().then(
      () => setVisible(this.start, false),
      ({ name }) => {
        // Every other failure is an error of the video too.
        if (name !== 'NotAllowedError') return;
        this.say(t('video.press'));
        setVisible(this.start, true);
      },
    );
  }

  /** @param {FaultKind} kind */
  fail(kind) {
    if (this.isStopped || this.timer) return;
    this.onfault(kind);
    if (kind === 'stall') this.stalls++;
    if (!this.isWanted) return this.rest();
    const pause = PAUSES_MS[Math.min(this.attempts++, PAUSES_MS.length - 1)];
    this.setState(this.hasPlayed ? 'stalled' : 'waiting');
    this.say(this.waitingText());
    if (this.stalls >= STALLS_MAX && this.quality !== 'audio') this.offerAudio();
    // Not all viewers come back at the same moment.
    this.retry(pause * (0.75 + Math.random() / 2));
  }

  /** @param {number} ms */
  retry(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), ms);
  }

  /** Sees once a second whether the picture moves. A hidden page and a pressed pause are no stalls. */
  watch() {
    this.comeBackToWhep();
    if (this.timer || !this.engine) return;
    const now = performance.now();
    const { currentTime, paused } = this.node;
    // The time goes on with the sound alone, which hides no picture that stands still: pictures count, where the browser counts them.
    const { videoWidth } = this.node;
    const at = (videoWidth && this.node.getVideoPlaybackQuality?.().totalVideoFrames) || currentTime;
    if (document.hidden || (paused && this.hasPlayed) || !this.start.hidden) this.movedAt = now;
    else if (at !== this.lastAt && currentTime > 0) this.moved(now);
    else if (now - this.movedAt > STALL_MS) this.fail(this.hasPlayed ? 'stall' : 'playlist');
    this.lastAt = at;
  }

  /** @param {number} now */
  moved(now) {
    this.movedAt = now;
    this.steadySince ||= now;
    if (now - this.steadySince > STEADY_MS) [this.attempts, this.stalls] = [0, 0];
    if (this.root.dataset.video === 'playing' || this.root.dataset.video === 'audio') return;
    this.hasPlayed = true;
    this.say('');
    this.measure();
    this.setState(this.node.videoWidth ? 'playing' : 'audio');
  }

  /** When the picture on the screen was taken, in ms, by the times in the playlist; null where there are none. */
  pictureTime() {
    const isOn = ['playing', 'audio', 'stalled'].includes(this.root.dataset.video ?? '');
    return isOn ? (this.engine?.pictureTime() ?? null) : null;
  }

  /** A picture that is higher than wide covers a phone. */
  measure() {
    const { videoWidth, videoHeight } = this.node;
    this.root.dataset.shape = videoHeight > videoWidth ? 'portrait' : 'landscape';
    if (this.hasPlayed && !this.timer) this.setState(videoWidth ? 'playing' : 'audio');
  }

  /** @param {'waiting' | 'playing' | 'stalled' | 'audio' | 'none' | 'link'} state */
  setState(state) {
    this.root.dataset.video = state;
    this.onchange();
  }

  waitingText() {
    // Before the show its clock says enough.
    if (this.stream.status !== 'live') return '';
    return t(this.hasPlayed ? 'video.again' : 'video.soon');
  }

  /** @param {string} text */
  say(text) {
    setText(this.text, text);
    setVisible(this.words, Boolean(text));
    setVisible(this.lighter, false);
    setVisible(this.start, false);
  }

  /** This browser cannot play the video here: words and a link, as long as the show has this address. */
  giveLink() {
    this.onfault('unsupported');
    const target = { href: this.address, target: '_blank', rel: 'noopener', 'data-test': 'video-link' };
    this.say(t('video.unsupported'));
    this.words.append(el('a.button.slim', target, icon('play'), t('video.open')));
    this.setState('link');
  }

  /**
   * Plays another quality: an address of its own, or a choice of hls.js.
   * @param {string} id
   * @param {string} [source]
   */
  choose(id, source) {
    this.quality = id;
    this.attempts = this.stalls = 0;
    if (!source && this.source === this.address && this.engine && 'choose' in this.engine) {
      return this.engine.choose(id);
    }
    this.source = source ?? this.address;
    return this.load();
  }

  /** A connection that is too slow for the picture may carry the sound. */
  async offerAudio() {
    const { variantsOf } = await import('./video_variants.js');
    const { audio } = await variantsOf(this.address);
    if (!audio || !this.timer) return;
    this.lighter.onclick = () => this.choose('audio', audio);
    setVisible(this.lighter, true);
  }

  /** Nothing more will come: the show is over. */
  rest() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.unload();
    this.say('');
    this.setState('none');
  }

  unload() {
    this.engine?.stop();
    this.engine = null;
  }

  /** Ends it permanently. */
  stop() {
    this.isStopped = true;
    this.rest();
    clearInterval(this.watching);
    globalThis.removeEventListener('online', this.comeBack);
    document.removeEventListener('visibilitychange', this.comeBack);
    this.node.remove();
    this.words.remove();
  }
}
