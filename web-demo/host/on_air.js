// What is on air: the preview of what viewers see, the sales that run, those that come, and the notice over the video.

import { post } from '../api.js';
import { t } from '../i18n.js';
import { phaseOf } from '../offer.js';
import { OfferCard } from '../offer_card.js';
import { withBusy } from '../sheet.js';
import { byId, el, setVisible } from '../ui.js';
import { NowPanel } from './now_panel.js';
import { Preview } from './preview.js';
import { UpcomingSales } from './upcoming_sales.js';

/** @import { LiveClient, Offer, Phase, Refusal, Stream } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

const PANELS_MAX = 3;
/** @type {Phase[]} */
const RUNNING = ['soon', 'live', 'low', 'paused', 'sold_out_for_now', 'sold_out'];

export class OnAir {
  /**
   * @param {{ client: LiveClient, lineup: Lineup, stream: Stream, onrefused: (refusal: Refusal) => void }} options
   */
  constructor({ client, lineup, stream, onrefused }) {
    this.client = client;
    this.lineup = lineup;
    this.stream = stream;
    this.onrefused = onrefused;
    this.preview = new Preview(byId('preview'), stream.id);
    this.card = new OfferCard(byId('card'), { onbuy() {}, onopen() {} });
    byId('card').inert = true; // The host only looks at it.
    this.nowPanel = byId('now-panel');
    this.panels = Array.from({ length: PANELS_MAX }, () => new NowPanel(this.nowPanel, lineup));
    this.idle = el('p.empty', {}, t('host.nothing_on'));
    this.nowPanel.append(this.idle);
    this.upcoming = new UpcomingSales(byId('next-panel'), lineup);
    this.noticeText = byId('notice-text', HTMLInputElement);
    this.clearButton = byId('notice-clear', HTMLButtonElement);
    const setButton = byId('notice-set', HTMLButtonElement);
    byId('notice-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.announce(this.noticeText.value.trim(), setButton);
    });
    this.clearButton.addEventListener('click', () => {
      this.noticeText.value = '';
      this.announce('', this.clearButton);
    });
  }

  /**
   * @param {string} text
   * @param {HTMLButtonElement} button
   */
  announce(text, button) {
    return withBusy(button, () => post(`/streams/${this.stream.id}/announcements`, { text }), this.onrefused);
  }

  /**
   * Shows the notice that is set, unless the host is writing another one.
   * @param {string | null | undefined} text
   */
  updateNotice(text) {
    if (document.activeElement !== this.noticeText) this.noticeText.value = text ?? '';
    setVisible(this.clearButton, Boolean(text));
  }

  /** The flash sales that run, then the pinned offer. */
  currentOffers() {
    const now = this.client.now();
    /** @param {Offer} offer */
    const isRunning = (offer) =>
      offer.kind === 'flash' && offer.closes_at !== null && RUNNING.includes(phaseOf(offer, now));
    const current = new Set(this.lineup.ordered().filter(isRunning));
    const pinned = this.lineup.offers.get(this.lineup.pinned ?? '');
    if (pinned) current.add(pinned);
    return [...current].slice(0, PANELS_MAX);
  }

  paint() {
    const now = this.client.now();
    const pinned = this.client.state.offers.get(this.lineup.pinned ?? '');
    this.card.paint(pinned, now, !this.client.live);
    setVisible(byId('no-pin'), !pinned);
    const current = this.currentOffers();
    this.panels.forEach((panel, index) => panel.paint(current[index], now));
    const [first] = current;
    this.nowPanel.toggleAttribute('data-sale', first?.kind === 'flash' && first.closes_at !== null);
    setVisible(this.idle, current.length === 0);
    this.upcoming.paint(now);
  }
}
