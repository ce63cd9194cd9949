// The figures of the show: sums that are loaded every few seconds, and the chart of the show, minute by minute.

import { get } from '../api.js';
import { formatCompact, formatMoney, formatNumber, locale, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { WAIT_MAX_MS } from '../shown_pin.js';
import { el, setText } from '../ui.js';
import { chart, chartMarks } from './chart.js';

/** @import { FullReport, LiveClient, Report, Stream } from '../types.d.ts' */
/** @import { Activity } from './activity.js' */

const REPORT_MS = 5_000;
const FULL_REPORT_MS = 15_000;
/** By then every viewer should have the pinned card. */
const CARD_MS = 1_500;
const MINUTE_MS = 60_000;
/** Clocks of two machines that are set by the network differ by less. */
const CLOCKS_MS = 1_000;
const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const MAY_SEE = new Set(['host', 'admin', 'owner', 'producer', 'analyst']);
const NAMES = /** @type {const} */ (['viewers', 'likes', 'orders', 'sales']);

export class Figures {
  /**
   * @param {{
   *   stream: Stream,
   *   bar: HTMLElement,
   *   panel: HTMLElement,
   *   client: LiveClient,
   *   role: () => string | undefined,
   *   activity: Activity,
   *   pictureDelay: () => number | null,
   * }} options the figures are shown twice: in the bar of a desktop, and large in the panel of a phone
   */
  constructor({ stream, bar, panel, client, role, activity, pictureDelay }) {
    this.path = `/streams/${stream.id}/report`;
    this.client = client;
    this.role = role;
    this.activity = activity;
    this.pictureDelay = pictureDelay;
    /** @type {Report | null} */
    this.report = null;
    /** @type {FullReport | null} */
    this.full = null;
    this.fullLoadedAt = 0;
    const large = el('dl.figures');
    this.nodes = new Map(
      NAMES.map((name) => {
        const nodes = [bar, large].map((list) => {
          const node = el('dd.num', { 'data-test': list === bar && `figure-${name}` }, '–');
          list.append(el('div', {}, el('dt', {}, t(`figure.${name}`)), node));
          return node;
        });
        return [name, nodes];
      }),
    );
    this.chart = el('div');
    this.more = el('p.trend-text');
    this.delivery = el('p.trend-text', { 'data-test': 'delivery' });
    this.card = el('p.trend-text', { 'data-test': 'card-reach' });
    this.picture = el('p.trend-text', { 'data-test': 'picture-delay' });
    this.video = el('p.trend-text', { 'data-test': 'video-faults' });
    panel.append(large, this.chart, this.more, this.delivery, this.card, this.picture, this.video);
    client.on('state', (changed) => {
      if (changed.has('pin')) setTimeout(() => this.load(), CARD_MS);
    });
    setInterval(() => {
      if (!document.hidden) this.load();
    }, REPORT_MS);
  }

  /** The server gives no figures to a moderator. */
  maySee() {
    return MAY_SEE.has(this.role() ?? '');
  }

  async load() {
    if (!this.maySee()) return;
    try {
      const now = performance.now();
      if (!this.full || now - this.fullLoadedAt >= FULL_REPORT_MS) {
        /** @type {FullReport} */
        const full = await get(`${this.path}/full`);
        this.full = full;
        this.report = full.report;
        this.fullLoadedAt = now;
      } else {
        /** @type {Report} */
        const report = await get(this.path);
        this.report = report;
      }
    } catch {
      return; // The connection bar shows that the shop cannot be reached, and old figures are better than none.
    }
    this.activity.checkPayments(this.report);
    this.paint();
    this.paintChart(this.full);
  }

  paint() {
    const { report } = this;
    const { viewers, likes } = this.client.state;
    this.set('likes', formatCompact(likes));
    setText(this.picture, this.pictureText());
    if (!report) return this.set('viewers', formatCompact(viewers));
    const peak = Math.max(report.viewers_peak, viewers);
    this.set('viewers', t('figure.peak', { now: formatCompact(viewers), n: peak }));
    const { orders_held, orders_paid, amount_paid, currency, units_paid, messages, delivery_p99_ms, card } = report;
    const orders = orders_held ? t('figure.held', { paid: orders_paid, n: orders_held }) : formatNumber(orders_paid);
    this.set('orders', orders);
    this.set('sales', formatMoney(amount_paid, currency));
    setText(this.more, t('figure.more', { n: units_paid, messages }));
    setText(this.delivery, delivery_p99_ms === null ? '' : t('figure.delivery', { ms: delivery_p99_ms }));
    const share = card?.seen ? formatNumber(Math.round((card.seen / card.asked) * 100)) : '';
    setText(this.video, videoText(report));
    setText(this.card, share && t('figure.card', { share, ms: formatNumber(card?.p95_ms ?? 0) }));
  }

  /** How far the picture is behind the camera, by the preview; empty where its playlist has no times. */
  pictureText() {
    const delay = this.pictureDelay();
    if (delay === null) return '';
    if (delay < -CLOCKS_MS) return t('figure.picture_ahead');
    const text = delay > WAIT_MAX_MS ? 'figure.picture_far' : 'figure.picture';
    return t(text, { s: tenths.format(Math.max(0, delay) / 1000), n: WAIT_MAX_MS / 1000 });
  }

  /**
   * @param {(typeof NAMES)[number]} name
   * @param {string} text
   */
  set(name, text) {
    for (const node of this.nodes.get(name) ?? []) setText(node, text);
  }

  /**
   * While the show is live, its last minute is now and counts the viewers of this moment.
   * @param {FullReport} full
   */
  paintChart(full) {
    const minutes = full.minutes.map((minute) => ({ ...minute }));
    if (full.stream.status === 'live') {
      const at = Math.floor(this.client.now() / MINUTE_MS) * MINUTE_MS;
      const last = minutes.at(-1)?.at === at ? minutes.pop() : undefined;
      const viewers = Math.max(last?.viewers ?? 0, this.client.state.viewers);
      minutes.push({ at, orders: 0, messages: 0, ...last, viewers });
    }
    this.chart.replaceChildren(chart(minutes, chartMarks(full, fullTitle), 'trend-plot'));
  }
}

/**
 * What viewers reported about the video, the most frequent fault first; empty if nothing.
 * @param {Report} report
 */
function videoText({ video_faults }) {
  const faults = Object.entries(video_faults).filter(([, n]) => n > 0);
  faults.sort(([, a], [, b]) => b - a);
  const list = faults.map(([kind, n]) => `${t(`video_fault.${kind}`)} ${formatNumber(n)}`).join(' · ');
  return list && t('figure.video_faults', { list });
}
