// The report of a show: its sums, its chart, what each offer sold, and all of it as a CSV file.

import { asRefusal, get } from '../api.js';
import {
  formatDateTime,
  formatDuration,
  formatMoney,
  formatNumber,
  formatTime,
  refusalText,
  t,
  titleOf,
} from '../i18n.js';
import { fullTitle } from '../offer.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, toast } from '../ui.js';
import { chart, chartMarks } from './chart.js';
import { download } from './download.js';

/** @import { FullReport, OfferSales, Refusal, Report, Stream } from '../types.d.ts' */

const STATUSES = /** @type {const} */ (['paid', 'held', 'expired', 'cancelled', 'refunded']);

/** @param {Stream} stream */
export async function reportSheet(stream) {
  const body = el('div.report', { 'data-test': 'report' }, el('p.empty', {}, t('loading')));
  openSheet(body, { title: t('report.title'), test: 'report-sheet', className: 'report-sheet' });
  try {
    /** @type {FullReport} */
    const full = await get(`/streams/${stream.id}/report/full`);
    body.replaceChildren(...reportParts(full));
  } catch (error) {
    body.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
  }
}

/** @param {FullReport} full */
function reportParts(full) {
  const { stream, report, minutes, offers } = full;
  const begin = stream.started_at && formatDateTime(stream.started_at);
  const end = stream.ended_at && formatTime(stream.ended_at);
  const when = [begin, end].filter(Boolean).join(' – ');
  return [
    el('h3', {}, titleOf(stream)),
    ...(when ? [el('p.fine', {}, when)] : []),
    figureList(report),
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

/** @param {Report} report */
function figureList(report) {
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
    return el('div', {}, el('dt', {}, t(`report.${name}`)), value);
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
