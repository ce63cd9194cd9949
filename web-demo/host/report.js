// The report of a show: its sums, its chart, what each offer sold, and all of it as a CSV file.

import { asRefusal, get } from '../api.js';
import {
  formatDateTime,
  formatDuration,
  formatMoney,
  formatNumber,
  formatTime,
  locale,
  refusalText,
  t,
  titleOf,
} from '../i18n.js';
import { listAll } from '../list.js';
import { fullTitle } from '../offer.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, toast } from '../ui.js';
import { chart, chartMarks } from './chart.js';
import { download } from './download.js';

/** @import { FullReport, OfferSales, Refusal, Report, Stream } from '../types.d.ts' */
/** @typedef {{ show: Stream, report: Report }} LastShow */

/**
 * The figures that are compared with the last show, by their field in the report.
 * @type {Partial<Record<string, 'viewers_peak' | 'orders_paid' | 'units_paid' | 'amount_paid' | 'messages' | 'likes'>>}
 */
const COMPARED = {
  viewers_peak: 'viewers_peak',
  orders: 'orders_paid',
  units: 'units_paid',
  sales: 'amount_paid',
  messages: 'messages',
  likes: 'likes',
};
const shares = new Intl.NumberFormat(locale, { style: 'percent', signDisplay: 'exceptZero', maximumFractionDigits: 0 });
const STATUSES = /** @type {const} */ (['paid', 'held', 'expired', 'cancelled', 'refunded']);

/** @param {Stream} stream */
export async function reportSheet(stream) {
  const body = el('div.report', { 'data-test': 'report' }, el('p.empty', {}, t('loading')));
  openSheet(body, { title: t('report.title'), test: 'report-sheet', className: 'report-sheet' });
  try {
    /** @type {FullReport} */
    const full = await get(`/streams/${stream.id}/report/full`);
    body.replaceChildren(...reportParts(full, await lastShow(full.stream)));
  } catch (error) {
    body.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
  }
}

/**
 * The show before this one and its sums, or null where there is none, or the reader may not see it.
 * @param {Stream} stream
 * @returns {Promise<LastShow | null>}
 */
async function lastShow({ id, started_at }) {
  if (!started_at) return null;
  try {
    /** @type {Stream[]} */
    const ended = await listAll('/streams?status=ended');
    const before = ended.filter((show) => show.id !== id && show.started_at && show.started_at < started_at);
    before.sort((a, b) => Number(b.started_at) - Number(a.started_at));
    return before[0] ? { show: before[0], report: await get(`/streams/${before[0].id}/report`) } : null;
  } catch {
    return null;
  }
}

/**
 * The best sellers first, what sold nothing last.
 * @param {OfferSales} a
 * @param {OfferSales} b
 */
const bySales = (a, b) => b.units - a.units || b.amount - a.amount;

/**
 * @param {FullReport} full
 * @param {LastShow | null} last
 */
function reportParts(full, last) {
  const { stream, report, minutes } = full;
  const offers = [...full.offers].sort(bySales);
  const begin = stream.started_at && formatDateTime(stream.started_at);
  const end = stream.ended_at && formatTime(stream.ended_at);
  const when = [begin, end].filter(Boolean).join(' – ');
  return [
    el('h3', {}, titleOf(stream)),
    ...(when ? [el('p.fine', {}, when)] : []),
    figureList(report, last?.report),
    ...(last ? [comparisonText(last)] : []),
    el('h3', {}, t('report.minutes')),
    chart(minutes, chartMarks(full, fullTitle), 'report-plot'),
    el('h3', {}, t('report.offers')),
    offers.length
      ? el(
          'ul.report-rows',
          { 'data-test': 'report-offers' },
          offers.map((offer) => offerLine(offer, report.currency)),
        )
      : el('p.empty', {}, t('report.no_offers')),
    el('h3', {}, t('report.pins')),
    pinList(full),
    el('div.actions', {}, downloadButton(stream)),
  ];
}

/** @param {LastShow} last */
function comparisonText({ show }) {
  const at = show.started_at && formatDateTime(show.started_at);
  return el('p.fine', { 'data-test': 'report-last-show' }, t('report.last_show', { show: titleOf(show), at }));
}

/**
 * By how much a figure differs from that of the last show; nothing where there is nothing to compare.
 * @param {number} now
 * @param {number | undefined} before
 */
function change(now, before) {
  if (!before || now === before) return null;
  const share = shares.format((now - before) / before);
  return el(`small.report-change.${now > before ? 'up' : 'down'}`, {}, el('bdi', { dir: 'ltr' }, share));
}

/**
 * @param {Report} report
 * @param {Report} [last] of the show before
 */
function figureList(report, last) {
  const { currency, orders_refunded, amount_refunded } = report;
  const refunds = orders_refunded ? ` · ${formatMoney(amount_refunded, currency)}` : '';
  const figures = Object.entries({
    viewers_peak: formatNumber(report.viewers_peak),
    orders: formatNumber(report.orders_paid),
    units: formatNumber(report.units_paid),
    sales: formatMoney(report.amount_paid, currency),
    refunded: formatNumber(orders_refunded) + refunds,
    expired: formatNumber(report.orders_expired),
    cancelled: formatNumber(report.orders_cancelled),
    failed: formatNumber(report.payments_failed),
    messages: formatNumber(report.messages),
    likes: formatNumber(report.likes),
  });
  const rows = figures.map(([name, text]) => {
    const value = el('dd.num', { 'data-test': `report-${name}` }, text);
    const field = COMPARED[name];
    const differs = field && last?.currency === currency ? change(report[field], last[field]) : null;
    return el('div', {}, el('dt', {}, t(`report.${name}`)), value, differs);
  });
  return el('dl.report-figures', {}, rows);
}

/**
 * What an offer sold, and what became of its other orders.
 * @param {OfferSales} offer
 * @param {string} currency
 */
function offerLine(offer, currency) {
  const statuses = STATUSES.filter((status) => offer[status] || status === 'paid');
  const orders = statuses.map((status) => t(`report.of_${status}`, { n: offer[status] })).join(' · ');
  return el(
    'li',
    {},
    el('span.row-text', {}, el('bdi.row-title', {}, fullTitle(offer)), el('small', {}, orders)),
    el(
      'span.report-sum',
      {},
      el('b.num', {}, formatMoney(offer.amount, currency)),
      el('small', {}, t('report.sold', { n: offer.units })),
    ),
  );
}

/** @param {FullReport} full */
function pinList({ pins, offers }) {
  if (!pins.length) return el('p.empty', {}, t('report.no_pins'));
  const names = new Map(offers.map((offer) => [offer.offer, fullTitle(offer)]));
  const lines = pins.map(({ offer, at, until }) =>
    el(
      'li',
      {},
      el('span.row-text', {}, el('bdi.row-title', {}, names.get(offer) ?? ''), el('small', {}, formatTime(at))),
      el('bdi.num', { dir: 'ltr' }, until ? formatDuration(until - at) : t('report.still')),
    ),
  );
  return el('ul.report-rows', { 'data-test': 'report-pins' }, lines);
}

/** @param {Stream} stream */
function downloadButton({ id }) {
  const save = () => download(`/streams/${id}/report.csv`, `report-${id}.csv`);
  /** @param {Refusal} refusal */
  const onrefused = (refusal) => toast(refusalText(refusal), { kind: 'warn' });
  const props = { type: 'button', 'data-test': 'report-csv', onclick: () => withBusy(button, save, onrefused) };
  const button = el('button.primary', props, t('report.csv'));
  return button;
}
