// The bar below a recording: play and pause, the position, and the chapters.

import { formatDuration, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { el, icon, ICONS, queryAll, setText, setVisible } from '../ui.js';

/** @import { Offer } from '../types.d.ts' */
/** @import { Recording } from './recording.js' */
/** @import { Chapter } from './state.js' */

ICONS.pause = 'M8 5.5v13M16 5.5v13';

export class ReplayBar {
  /**
   * @param {() => Recording | null} videoOf
   * @param {(id: string) => Offer | undefined} offerOf
   */
  constructor(videoOf, offerOf) {
    this.videoOf = videoOf;
    this.offerOf = offerOf;
    /** @type {Chapter[]} */
    this.chapters = [];
    this.isMoving = false;
    this.face = '';
    this.toggle = el('button.round.ghost', {
      type: 'button',
      'data-test': 'replay-toggle',
      onclick: () => this.press(),
    });
    this.slider = el('input', {
      type: 'range',
      min: '0',
      max: '1',
      step: '1',
      value: '0',
      dir: 'ltr',
      'aria-label': t('replay.position'),
      'data-test': 'replay-position',
      oninput: () => {
        this.isMoving = true;
        this.paintTime(Number(this.slider.value));
      },
      onchange: () => {
        this.isMoving = false;
        this.videoOf()?.moveTo(Number(this.slider.value));
      },
    });
    this.time = el('bdi.replay-time', { dir: 'ltr', 'data-test': 'replay-time' });
    this.list = el('ol.chapters', { 'aria-label': t('replay.chapters'), 'data-test': 'replay-chapters', hidden: true });
    this.root = el(
      'section.replay-bar',
      { 'aria-label': t('replay.badge'), 'data-test': 'replay-bar' },
      el('div.replay-line', { dir: 'ltr' }, this.toggle, this.slider, this.time),
      this.list,
    );
  }

  press() {
    const video = this.videoOf();
    if (!video) return;
    if (!video.node.paused) video.node.pause();
    else if (video.node.ended) video.moveTo(0);
    else video.play();
    this.paint();
  }

  /** @param {Chapter[]} chapters */
  setChapters(chapters) {
    this.chapters = chapters;
    const rows = chapters.map(({ offer, at }) => {
      const product = this.offerOf(offer);
      const onclick = () => this.videoOf()?.moveTo(at / 1000);
      const time = el('bdi.num', { dir: 'ltr' }, formatDuration(Math.floor(at / 1000) * 1000));
      return el(
        'li',
        {},
        el('button.slim', { type: 'button', onclick }, time, el('bdi', {}, product ? fullTitle(product) : '')),
      );
    });
    this.list.replaceChildren(...rows);
    setVisible(this.list, chapters.length > 0);
  }

  paint() {
    const video = this.videoOf();
    const face = !video || video.node.paused ? 'play' : 'pause';
    if (face !== this.face) {
      this.face = face;
      this.toggle.replaceChildren(icon(face));
      this.toggle.setAttribute('aria-label', t(`replay.${face}`));
    }
    this.toggle.disabled = this.slider.disabled = !video?.duration;
    if (!video || this.isMoving) return;
    const seconds = video.node.currentTime;
    const max = String(Math.max(1, Math.floor(video.duration)));
    if (this.slider.max !== max) this.slider.max = max;
    this.slider.value = String(Math.floor(seconds));
    this.paintTime(seconds);
    const current = this.chapters.findLastIndex(({ at }) => at <= seconds * 1000);
    queryAll('button', this.list).forEach((button, index) => {
      if (index === current) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    });
  }

  /** @param {number} seconds */
  paintTime(seconds) {
    const texts = [Math.floor(seconds), Math.floor(this.videoOf()?.duration ?? 0)].map((it) =>
      formatDuration(it * 1000),
    );
    setText(this.time, texts.join(' / '));
    this.slider.setAttribute('aria-valuetext', texts.join(' / '));
  }
}
