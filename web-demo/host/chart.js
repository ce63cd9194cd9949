// The chart of a show: viewers as a line, orders as bars, and marks where an offer was pinned or a flash sale began.

import { formatNumber, formatTime, t } from '../i18n.js';
import { el } from '../ui.js';

/** @import { FullReport, Minute, OfferSales } from '../types.d.ts' */
/** @typedef {{ at: number, kind: 'pin' | 'sale', text: string }} Mark */

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 120;
const MINUTE_MS = 60_000;
const MINUTES_MAX = 1_440;
/** Few orders make small bars. */
const ORDERS_SCALE_MIN = 4;

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function svgNode(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

/**
 * Every minute from the first to the last one. A minute that the server did not list had no viewers.
 * @param {Minute[]} minutes
 */
function withoutHoles(minutes) {
  const last = minutes.at(-1);
  if (!last) return [];
  const known = new Map(minutes.map((minute) => [minute.at, minute]));
  const first = Math.max(minutes[0].at, last.at - (MINUTES_MAX - 1) * MINUTE_MS);
  return Array.from({ length: (last.at - first) / MINUTE_MS + 1 }, (_, index) => {
    const at = first + index * MINUTE_MS;
    return known.get(at) ?? { at, viewers: 0, orders: 0, messages: 0 };
  });
}

/**
 * Makes a figure. Its label has the numbers; the shapes are for the eye.
 * @param {Minute[]} given
 * @param {Mark[]} marks
 * @param {string} test
 */
export function chart(given, marks, test) {
  const minutes = withoutHoles(given);
  if (!minutes.length) return el('p.empty', { 'data-test': test }, t('chart.none'));
  const first = minutes[0].at;
  const end = first + minutes.length * MINUTE_MS;
  /** @param {number} at */
  const x = (at) => (((at - first) / (end - first)) * WIDTH).toFixed(1);
  /**
   * @param {number} value
   * @param {number} most
   */
  const y = (value, most) => (HEIGHT - 2 - (value / most) * (HEIGHT - 10)).toFixed(1);
  const viewers = Math.max(1, ...minutes.map((minute) => minute.viewers));
  const orders = Math.max(ORDERS_SCALE_MIN, ...minutes.map((minute) => minute.orders));
  const sum = minutes.reduce((total, minute) => total + minute.orders, 0);
  const range = { from: formatTime(first), until: formatTime(end) };
  const svg = svgNode('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': t('chart.summary', { viewers: formatNumber(viewers), orders: formatNumber(sum), ...range }),
  });
  const width = Math.max(1, (WIDTH / minutes.length) * 0.8).toFixed(1);
  for (const minute of minutes.filter((one) => one.orders)) {
    const top = y(minute.orders, orders);
    const height = (HEIGHT - Number(top)).toFixed(1);
    svg.append(svgNode('rect', { class: 'chart-orders', x: x(minute.at), y: top, width, height }));
  }
  for (const { at, kind, text } of marks.filter((mark) => mark.at >= first && mark.at <= end)) {
    const line = svgNode('line', { class: `chart-${kind}`, x1: x(at), x2: x(at), y1: 0, y2: HEIGHT });
    const title = svgNode('title', {});
    title.textContent = `${text} · ${formatTime(at)}`;
    line.append(title);
    svg.append(line);
  }
  // The line is level within each minute, so that a show of one minute has a shape too.
  const points = minutes.flatMap(({ at, viewers: value }) =>
    [at, at + MINUTE_MS].map((time) => `${x(time)},${y(value, viewers)}`),
  );
  svg.append(svgNode('polyline', { class: 'chart-viewers', points: points.join(' ') }));
  const legend = ['viewers', 'orders', 'pin', 'sale'].map((kind) => el(`span.key-${kind}`, {}, t(`chart.${kind}`)));
  return el(
    'figure.chart',
    { 'data-test': test },
    svg,
    el('p.chart-times', { 'aria-hidden': 'true' }, el('span', {}, range.from), el('span', {}, range.until)),
    el('figcaption', {}, legend),
  );
}

/**
 * The marks of a full report.
 * @param {FullReport} report
 * @param {(offer: OfferSales) => string} nameOf
 * @returns {Mark[]}
 */
export function chartMarks({ pins, offers }, nameOf) {
  const names = new Map(offers.map((offer) => [offer.offer, nameOf(offer)]));
  /** @type {Mark[]} */
  const marks = pins.map(({ at, offer }) => {
    return { at, kind: 'pin', text: t('chart.pin_of', { offer: names.get(offer) ?? '' }) };
  });
  for (const { kind, opens_at, offer } of offers) {
    if (kind !== 'flash' || !opens_at) continue;
    marks.push({ at: opens_at, kind: 'sale', text: t('chart.sale_of', { offer: names.get(offer) }) });
  }
  return marks;
}
