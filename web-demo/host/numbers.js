// The numbers: the report, asked for every five seconds, and how viewers and orders went since the console opened.

import { get } from '../api.js';
import { money, number, short, t } from '../i18n.js';
import { el, put } from '../ui.js';

const REPORT_MS = 5_000;
const CARD_MS = 1_500; // a card is everywhere by then, or worth a look
const POINTS_MAX = 240;
const SVG = 'http://www.w3.org/2000/svg';

export class Numbers {
  constructor({ stream, figures, trend, client }) {
    Object.assign(this, { stream, client });
    this.points = [];
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
    this.svg = document.createElementNS(SVG, 'svg');
    this.svg.setAttribute('viewBox', '0 0 240 60');
    this.svg.setAttribute('preserveAspectRatio', 'none');
    this.svg.setAttribute('aria-hidden', 'true');
    this.lines = ['viewers', 'orders'].map((name) => {
      const line = document.createElementNS(SVG, 'polyline');
      line.setAttribute('class', `trend-${name}`);
      this.svg.append(line);
      return [name, line];
    });
    this.more = el('p.trend-words');
    this.card = el('p.trend-words', { 'data-test': 'card-reach' });
    trend.append(large, el('p.trend-legend', {}, el('span.trend-viewers', {}, t('figure.viewers')), el('span.trend-orders', {}, t('figure.orders'))), this.svg, this.more, this.card);
    this.load();
    client.on('state', (changed) => { if (changed.has('pin')) setTimeout(() => this.load(), CARD_MS); });
    setInterval(() => { if (!document.hidden) this.load(); }, REPORT_MS);
  }

  async load() {
    try {
      this.report = await get(`/streams/${this.stream.id}/report`);
    } catch {
      return; // the connection bar tells of a lost shop; an old number is better than none
    }
    const { viewers, orders_paid, orders_held } = this.report;
    this.points.push({ viewers, orders: orders_paid + orders_held });
    if (this.points.length > POINTS_MAX) this.points.shift();
    this.paint();
    this.draw();
  }

  paint() {
    const { report, client } = this;
    this.set('viewers', report ? t('figure.peak', { now: short(client.state.viewers), n: report.viewers_peak }) : short(client.state.viewers));
    this.set('likes', short(client.state.likes));
    if (!report) return;
    this.set('orders', report.orders_held ? t('figure.held', { paid: report.orders_paid, n: report.orders_held }) : number(report.orders_paid));
    this.set('sales', money(report.amount_paid, report.currency));
    const { seen, asked, p95_ms } = report.card ?? {};
    put(this.card, seen ? t('figure.card', { share: number(Math.round((seen / asked) * 100)), ms: number(p95_ms) }) : '');
    put(this.more, t('figure.more', { n: report.units_paid, messages: report.messages }));
  }

  set(name, text) {
    for (const node of this.nodes[name]) put(node, text);
  }

  /** Viewers from zero; orders as they grew since the console opened. The shape is the message, the figures stand above. */
  draw() {
    const first = this.points[0].orders;
    const values = { viewers: (point) => point.viewers, orders: (point) => point.orders - first };
    for (const [name, line] of this.lines) {
      const most = Math.max(name === 'orders' ? 10 : 1, ...this.points.map(values[name])) * 1.15;
      const step = 240 / Math.max(1, this.points.length - 1);
      line.setAttribute('points', this.points.map((point, i) => `${(i * step).toFixed(1)},${(58 - (values[name](point) / most) * 54).toFixed(1)}`).join(' '));
    }
  }
}
