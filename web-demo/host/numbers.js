// The numbers: sums asked for every few seconds, and the course of the show, minute by minute.

import { get } from '../api.js';
import { money, number, short, t } from '../i18n.js';
import { el, put } from '../ui.js';
import { marksOf, plot } from './plot.js';
import { fullTitle } from '../offer.js';

const REPORT_MS = 5_000;
const COURSE_MS = 15_000;
const CARD_MS = 1_500; // a card is everywhere by then, or worth a look
const MINUTE = 60_000;
const SEES = new Set(['host', 'admin', 'producer', 'analyst']);

export class Numbers {
  constructor({ stream, figures, trend, client, role, feed }) {
    Object.assign(this, { stream, client, role, feed });
    this.nodes = {};
    // Twice: in the bar of a desk, and large in the phone's "Numbers".
    const large = el('dl.figures');
    for (const name of ['viewers', 'likes', 'orders', 'sales']) {
      this.nodes[name] = [figures, large].map((list) => {
        const node = el('dd.num', { 'data-test': list === figures && `figure-${name}` }, '–');
        list.append(el('div', {}, el('dt', {}, t(`figure.${name}`)), node));
        return node;
      });
    }
    this.plot = el('div');
    this.more = el('p.trend-words');
    this.delivery = el('p.trend-words', { 'data-test': 'delivery' });
    this.card = el('p.trend-words', { 'data-test': 'card-reach' });
    trend.append(large, this.plot, this.more, this.delivery, this.card);
    client.on('state', (changed) => { if (changed.has('pin')) setTimeout(() => this.load(), CARD_MS); });
    setInterval(() => { if (!document.hidden) this.load(); }, REPORT_MS);
  }

  /** A moderator is told no numbers, so none are asked for. */
  may() {
    return SEES.has(this.role());
  }

  async load() {
    if (!this.may()) return;
    try {
      const now = Date.now();
      if (!this.course || now - this.course.read_at >= COURSE_MS) {
        this.course = { ...await get(`/streams/${this.stream.id}/report/full`), read_at: now };
        this.report = this.course.report;
      } else {
        this.report = await get(`/streams/${this.stream.id}/report`);
      }
    } catch {
      return; // the connection bar tells of a lost shop; an old number is better than none
    }
    this.feed.sums(this.report);
    this.paint();
    this.draw();
  }

  paint() {
    const { report, client } = this;
    this.set('viewers', report ? t('figure.peak', { now: short(client.state.viewers), n: Math.max(report.viewers_peak, client.state.viewers) }) : short(client.state.viewers));
    this.set('likes', short(client.state.likes));
    if (!report) return;
    this.set('orders', report.orders_held ? t('figure.held', { paid: report.orders_paid, n: report.orders_held }) : number(report.orders_paid));
    this.set('sales', money(report.amount_paid, report.currency));
    const { seen, asked, p95_ms } = report.card ?? {};
    put(this.card, seen ? t('figure.card', { share: number(Math.round((seen / asked) * 100)), ms: number(p95_ms) }) : '');
    put(this.more, t('figure.more', { n: report.units_paid, messages: report.messages }));
    put(this.delivery, report.delivery_p99_ms === null ? '' : t('figure.delivery', { ms: report.delivery_p99_ms }));
  }

  set(name, text) {
    for (const node of this.nodes[name]) put(node, text);
  }

  /** While the show runs its last minute is now: who watches at this moment counts in it. */
  draw() {
    const { course, client } = this;
    const minutes = course.minutes.map((minute) => ({ ...minute }));
    if (course.stream.status === 'live') {
      const at = Math.floor(client.now() / MINUTE) * MINUTE;
      if (minutes.at(-1)?.at !== at) minutes.push({ at, viewers: 0, orders: 0, messages: 0 });
      minutes.at(-1).viewers = Math.max(minutes.at(-1).viewers, client.state.viewers);
    }
    this.plot.replaceChildren(plot(minutes, marksOf(course, fullTitle), 'trend-plot'));
  }
}
