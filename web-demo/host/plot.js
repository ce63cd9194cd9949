// A small picture of an evening: who watched as a line, orders as bars, and a mark where something was pinned or went on sale.

import { number, t, timeOfDay } from '../i18n.js';
import { el } from '../ui.js';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT] = [600, 120];
const MINUTE = 60_000;
const MINUTES_MAX = 1_440;

const node = (name, attributes) => {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  return one;
};

/** Every minute from the first to the last: of one that nobody wrote down, nobody was there. */
function whole(minutes) {
  if (!minutes.length) return [];
  const known = new Map(minutes.map((minute) => [minute.at, minute]));
  const last = minutes.at(-1).at;
  const first = Math.max(minutes[0].at, last - (MINUTES_MAX - 1) * MINUTE);
  return Array.from({ length: (last - first) / MINUTE + 1 }, (_, i) => known.get(first + i * MINUTE) ?? { at: first + i * MINUTE, viewers: 0, orders: 0, messages: 0 });
}

/** `marks`: `{ at, kind: 'pin' | 'sale', text }`. Gives a figure; numbers stand in its words, the shape is for the eye. */
export function plot(given, marks, test) {
  const minutes = whole(given);
  if (!minutes.length) return el('p.empty', { 'data-test': test }, t('plot.none'));
  const svg = node('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  const [first, last] = [minutes[0].at, minutes.at(-1).at + MINUTE];
  const x = (at) => (((at - first) / (last - first)) * WIDTH).toFixed(1);
  const y = (value, most) => (HEIGHT - 2 - (value / most) * (HEIGHT - 10)).toFixed(1);
  const viewers = Math.max(1, ...minutes.map((minute) => minute.viewers));
  const orders = Math.max(4, ...minutes.map((minute) => minute.orders));
  const bar = WIDTH / minutes.length;
  for (const minute of minutes) {
    if (!minute.orders) continue;
    const top = y(minute.orders, orders);
    svg.append(node('rect', { class: 'plot-orders', x: x(minute.at), y: top, width: Math.max(1, bar * 0.8).toFixed(1), height: (HEIGHT - top).toFixed(1) }));
  }
  for (const { at, kind, text } of marks) {
    if (at < first || at > last) continue;
    const line = node('line', { class: `plot-${kind}`, x1: x(at), x2: x(at), y1: 0, y2: HEIGHT });
    line.append(node('title', {}));
    line.firstChild.textContent = `${text} · ${timeOfDay(at)}`;
    svg.append(line);
  }
  // Level within each minute, so that a show of one minute has a shape too.
  const points = minutes.flatMap((minute) => [minute.at, minute.at + MINUTE].map((at) => `${x(at)},${y(minute.viewers, viewers)}`));
  svg.append(node('polyline', { class: 'plot-viewers', points: points.join(' ') }));
  const sum = minutes.reduce((all, minute) => all + minute.orders, 0);
  svg.setAttribute('aria-label', t('plot.words', { viewers: number(viewers), orders: number(sum), from: timeOfDay(first), until: timeOfDay(last) }));
  return el('figure.plot', { 'data-test': test }, svg,
    el('p.plot-times', { 'aria-hidden': 'true' }, el('span', {}, timeOfDay(first)), el('span', {}, timeOfDay(last))),
    el('figcaption', {}, ...['viewers', 'orders', 'pin', 'sale'].map((kind) => el(`span.key-${kind}`, {}, t(`plot.${kind}`)))));
}

/** The marks of a full report. */
export function marksOf({ pins, offers }, nameOf) {
  const name = new Map(offers.map((offer) => [offer.offer, nameOf(offer)]));
  return [
    ...pins.map(({ at, offer }) => ({ at, kind: 'pin', text: t('plot.pin_of', { offer: name.get(offer) ?? '' }) })),
    ...offers.filter((offer) => offer.kind === 'flash' && offer.opens_at).map((offer) => ({ at: offer.opens_at, kind: 'sale', text: t('plot.sale_of', { offer: name.get(offer.offer) }) })),
  ];
}
