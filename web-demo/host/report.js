// The report of a show: its sums, its course, what each offer brought, and all of it as a table for a spreadsheet.

import { get, Problem, token } from '../api.js';
import { clock, dateTime, money, number, refusal, t, timeOfDay, titleOf } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { busy, sheet } from '../sheet.js';
import { el, toast } from '../ui.js';
import { marksOf, plot } from './plot.js';

export async function reportSheet(stream) {
  const body = el('div.report', { 'data-test': 'report' }, el('p.empty', {}, t('loading')));
  sheet(body, { title: t('report.title'), test: 'report-sheet', className: 'report-sheet' });
  try {
    body.replaceChildren(...parts(await get(`/streams/${stream.id}/report/full`)));
  } catch (problem) {
    body.replaceChildren(el('p.alert', {}, refusal(problem)));
  }
}

function parts(full) {
  const { stream, report, minutes, pins, offers } = full;
  const cash = (minor) => money(minor, report.currency);
  const figures = [
    ['viewers_peak', number(report.viewers_peak)], ['orders', number(report.orders_paid)], ['units', number(report.units_paid)], ['sales', cash(report.amount_paid)],
    ['refunded', report.orders_refunded ? `${number(report.orders_refunded)} · ${cash(report.amount_refunded)}` : number(0)],
    ['expired', number(report.orders_expired)], ['cancelled', number(report.orders_cancelled)], ['failed', number(report.payments_failed)],
    ['messages', number(report.messages)], ['likes', number(report.likes)],
  ];
  const names = new Map(offers.map((offer) => [offer.offer, fullTitle(offer)]));
  const when = [stream.started_at && dateTime(stream.started_at), stream.ended_at && timeOfDay(stream.ended_at)].filter(Boolean).join(' – ');
  const download = el('button.primary', { type: 'button', 'data-test': 'report-csv', onclick: () => busy(download, () => saveCsv(stream), (problem) => toast(refusal(problem), { kind: 'warn' })) }, t('report.csv'));
  return [
    el('h3', {}, titleOf(stream)), when ? el('p.fine', {}, when) : '',
    el('dl.report-figures', {}, figures.map(([name, text]) => el('div', {}, el('dt', {}, t(`report.${name}`)), el('dd.num', { 'data-test': `report-${name}` }, text)))),
    el('h3', {}, t('report.course')), plot(minutes, marksOf(full, fullTitle), 'report-plot'),
    el('h3', {}, t('report.offers')),
    offers.length ? el('ul.report-rows', { 'data-test': 'report-offers' }, offers.map((offer) => el('li', {}, el('span.row-text', {}, el('bdi.row-title', {}, fullTitle(offer)), el('small', {}, became(offer))),
      el('span.report-sum', {}, el('b.num', {}, cash(offer.amount)), el('small', {}, t('report.sold', { n: offer.units })))))) : el('p.empty', {}, t('report.no_offers')),
    el('h3', {}, t('report.pins')),
    pins.length ? el('ul.report-rows', { 'data-test': 'report-pins' }, pins.map((pin) => el('li', {}, el('span.row-text', {}, el('bdi.row-title', {}, names.get(pin.offer) ?? ''), el('small', {}, timeOfDay(pin.at))),
      el('bdi.num', { dir: 'ltr' }, pin.until ? clock(pin.until - pin.at) : t('report.still'))))) : el('p.empty', {}, t('report.no_pins')),
    el('div.actions', {}, download),
  ];
}

/** Beside what was paid for: what became of the other orders, as far as there were any. */
function became(offer) {
  const words = ['paid', 'held', 'expired', 'cancelled', 'refunded'].filter((what) => offer[what] || what === 'paid').map((what) => t(`report.of_${what}`, { n: offer[what] }));
  return words.join(' · ');
}

async function saveCsv({ id }) {
  let answer;
  try {
    answer = await fetch(`/v1/streams/${id}/report.csv`, { headers: { authorization: `Bearer ${token.get()}` }, signal: AbortSignal.timeout(15_000) });
  } catch {
    throw new Problem('network');
  }
  if (!answer.ok) throw new Problem((await answer.json().catch(() => null))?.code ?? 'unavailable');
  const url = URL.createObjectURL(await answer.blob());
  const link = el('a', { href: url, download: `report-${id}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
