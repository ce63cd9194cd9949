// The panel of one offer that is on air: its clock, its stock, and the buttons for it.

import { formatDuration, locale, t } from '../i18n.js';
import { countdownOf, fullTitle, phaseOf, stockBar } from '../offer.js';
import { timeSpan } from '../time_span.js';
import { el, icon, setText, setVisible } from '../ui.js';

/** @import { Offer } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

export class NowPanel {
  /**
   * @param {HTMLElement} root
   * @param {Lineup} lineup
   */
  constructor(root, lineup) {
    /** @type {Offer | null} */
    this.offer = null;
    /** @type {string | null} */
    this.painted = null;
    /**
     * @param {string} name
     * @param {string} sign
     * @param {(offer: Offer, node: HTMLButtonElement) => unknown} act
     */
    const button = (name, sign, act, look = 'plain') => {
      const onclick = () => this.offer && act(this.offer, node);
      const props = { type: 'button', 'data-test': `now-${name}`, onclick };
      const node = el(`button.slim.${look}`, props, icon(sign), t(`host.${name}`));
      return node;
    };
    this.title = el('bdi');
    this.phase = el('span.status');
    this.clock = el('bdi.big-clock.num', { dir: 'ltr', 'data-test': 'now-clock' });
    this.left = el('b.num', { 'data-test': 'now-left' });
    this.hold = el('small');
    this.bar = el('div.now-bar');
    this.buttons = {
      extend: button('extend', 'plus', (offer, node) => lineup.extend(offer, node)),
      restock: button('restock', 'plus', (offer, node) => lineup.restock(offer, node)),
      pause: button('pause', 'pause', (offer, node) => lineup.pause(offer, node)),
      resume: button('resume', 'play', (offer, node) => lineup.open(offer, node), 'primary'),
      unpin: button('unpin', 'pin', (_, node) => lineup.unpin(node)),
      stop: button('stop', 'stop', (offer, node) => lineup.close(offer, node), 'danger'),
    };
    this.body = el(
      'div.now-offer',
      {},
      el('p.now-title', {}, el('span', {}, t('host.now')), this.title, this.phase),
      el('div.now-line', {}, this.clock, this.left, this.hold),
      this.bar,
      el('div.row-actions', {}, Object.values(this.buttons)),
    );
    root.append(this.body);
  }

  /**
   * @param {Offer | undefined} offer
   * @param {number} now
   */
  paint(offer, now) {
    setVisible(this.body, Boolean(offer));
    this.offer = offer ?? null;
    if (!offer) return;
    const phase = phaseOf(offer, now);
    const rest = countdownOf(offer, now);
    setText(this.title, fullTitle(offer));
    setText(this.phase, t(`phase.${phase}`));
    this.phase.dataset.phase = phase;
    setVisible(this.clock, rest !== null);
    if (rest !== null) setText(this.clock, formatDuration(rest));
    setText(this.left, t('host.stock', { left: offer.left, n: offer.quantity }));
    setText(this.hold, t('host.hold_time', { time: timeSpan(locale, offer.hold_s) }));
    const print = `${offer.id}${offer.v}${phase}`;
    if (print !== this.painted) this.bar.replaceChildren(stockBar(offer, phase));
    this.painted = print;
    const hasEnded = phase === 'ended';
    const { extend, restock, pause, resume, unpin, stop } = this.buttons;
    setVisible(extend, offer.closes_at !== null && !hasEnded);
    setVisible(restock, !hasEnded);
    setVisible(pause, phase === 'live' || phase === 'low');
    setVisible(resume, phase === 'paused');
    setVisible(unpin, hasEnded);
    setVisible(stop, !hasEnded);
  }
}
