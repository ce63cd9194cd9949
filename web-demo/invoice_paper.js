// What stands on the paper of an invoice or a credit note.

import { decimalsOf, formatNumber, lang, locale, t, titleOf } from './i18n.js';
import { fullTitle } from './offer.js';
import { el } from './ui.js';

/** @import { BillingBuyer, BillingDocument, BillingLine } from './types.d.ts' */

const countries = new Intl.DisplayNames([lang], { type: 'region' });

/** @param {string | null} code */
function countryName(code) {
  try {
    return code && (countries.of(code) ?? code);
  } catch {
    return code; // The browser does not know it.
  }
}

/** @param {number} bp */
const percent = (bp) =>
  new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 2 }).format(bp / 10_000);

/**
 * An amount with all its decimals: columns of a bill stand one under the other.
 * @param {string} currency
 */
function moneyIn(currency) {
  const digits = decimalsOf(currency);
  const format = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return (/** @type {number} */ minor) => el('bdi', {}, format.format(minor / 10 ** digits));
}

/** @param {BillingDocument} bill */
export function invoicePaper(bill) {
  const money = moneyIn(bill.currency);
  return el(
    'article.paper',
    { 'data-test': `paper-${bill.kind}` },
    el('header.paper-head', {}, sellerPart(bill), factsPart(bill)),
    bill.buyer && el('div.paper-parties', {}, buyerPart(bill.buyer)),
    linesTable(bill, money),
    taxPart(bill, money),
  );
}

/** @param {BillingDocument} bill */
function sellerPart({ seller }) {
  const title = titleOf(seller);
  const number = seller.vat_number;
  return el(
    'div',
    {},
    el('h1', {}, el('bdi', {}, title)),
    seller.name !== title && el('p', {}, el('bdi', {}, seller.name)),
    el(
      'address',
      {},
      seller.address.map((line) => el('p', {}, el('bdi', {}, line))),
      countryName(seller.country) && el('p', {}, countryName(seller.country)),
    ),
    number && el('p', { 'data-test': 'paper-vat' }, t('bill.vat_number'), ': ', el('bdi', { dir: 'ltr' }, number)),
  );
}

/** @param {BillingDocument} bill */
function factsPart({ kind, number, issued_at, at, time_zone, order_number, invoice_number }) {
  const day = (/** @type {number} */ ms) =>
    new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: time_zone }).format(ms);
  const left = (/** @type {string} */ text) => el('bdi', { dir: 'ltr' }, text);
  /** @type {[string, string | HTMLElement][]} */
  const facts = [
    [t('bill.number'), left(number)],
    [t('bill.issued'), day(issued_at)],
    [t(kind === 'invoice' ? 'bill.paid' : 'bill.refunded'), day(at)],
  ];
  if (invoice_number) facts.push([t('bill.corrects'), left(invoice_number)]);
  if (order_number) facts.push([t('bill.order'), left(`#${order_number}`)]);
  return el(
    'div',
    {},
    el('h2', {}, t(`bill.${kind}`)),
    el(
      'dl.paper-facts',
      { 'data-test': 'paper-facts' },
      facts.map(([label, value]) => [el('dt', {}, label), el('dd', {}, value)]),
    ),
  );
}

/** @param {BillingBuyer} buyer */
function buyerPart({ name, lines, city, region, postcode, country }) {
  const place = [city, region, postcode].filter(Boolean).join(' ');
  return el(
    'address',
    { 'data-test': 'paper-buyer' },
    el('h3', {}, t('bill.buyer')),
    el('p', {}, el('bdi', {}, name)),
    lines.map((line) => el('p', {}, el('bdi', {}, line))),
    place && el('p', {}, el('bdi', {}, place)),
    countryName(country) && el('p', {}, countryName(country)),
  );
}

/**
 * @param {BillingDocument} bill
 * @param {(minor: number) => HTMLElement} money
 */
function linesTable(bill, money) {
  const isTaxed = bill.taxes.some(({ tax_bp }) => tax_bp > 0);
  const columns = isTaxed ? 3 : 2;
  const num = (/** @type {string} */ text) => el('th.num', { scope: 'col' }, text);
  const sum = (/** @type {string} */ label, /** @type {number} */ amount) =>
    el('tr', {}, el('th', { scope: 'row', colSpan: columns }, label), el('td.num', {}, money(amount)));
  const discount = bill.lines.reduce((total, line) => total + line.discount, 0);
  const isAdded = !bill.tax_included && bill.tax > 0;
  return el(
    'table',
    {},
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        el('th', { scope: 'col' }, t('bill.item')),
        num(t('bill.quantity')),
        isTaxed && num(t('bill.tax')),
        num(t('bill.amount')),
      ),
    ),
    el(
      'tbody',
      {},
      bill.lines.map((line) => lineRow(line, isTaxed, money)),
    ),
    el(
      'tfoot',
      {},
      discount > 0 && sum(t('bill.discount'), -discount),
      bill.delivery > 0 && sum(t('bill.delivery'), bill.delivery),
      bill.adjustment !== 0 && sum(t(bill.adjustment < 0 ? 'bill.kept' : 'bill.adjustment'), bill.adjustment),
      isAdded && sum(t('bill.tax'), bill.tax),
      el(
        'tr.paper-total',
        {},
        el('th', { scope: 'row', colSpan: columns }, t(bill.kind === 'invoice' ? 'bill.total' : 'bill.total_refunded')),
        el('td.num', { 'data-test': 'paper-total' }, money(bill.total)),
      ),
    ),
  );
}

/**
 * @param {BillingLine} line
 * @param {boolean} isTaxed
 * @param {(minor: number) => HTMLElement} money
 */
function lineRow(line, isTaxed, money) {
  return el(
    'tr',
    {},
    el('td', {}, el('bdi', {}, fullTitle(line)), line.sku && el('small', {}, el('bdi', { dir: 'ltr' }, line.sku))),
    el('td.num', {}, formatNumber(line.qty)),
    isTaxed && el('td.num', {}, percent(line.tax_bp), line.tax !== null && el('small', {}, money(line.tax))),
    el('td.num', {}, money(line.amount)),
  );
}

/**
 * The tax by rate. A shop that charges none says nothing about it.
 * @param {BillingDocument} bill
 * @param {(minor: number) => HTMLElement} money
 */
function taxPart({ taxes, tax_included, kind }, money) {
  if (!taxes.some(({ tax_bp }) => tax_bp > 0)) return null;
  const num = (/** @type {string} */ text) => el('th.num', { scope: 'col' }, text);
  return el(
    'section',
    {},
    el(
      'table',
      { 'data-test': 'paper-taxes' },
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', { scope: 'col' }, t('bill.rate')),
          num(t('bill.net')),
          num(t('bill.tax')),
          num(t('bill.gross')),
        ),
      ),
      el(
        'tbody',
        {},
        taxes.map(({ tax_bp, net, tax, gross }) =>
          el(
            'tr',
            {},
            el('td', {}, percent(tax_bp)),
            [net, tax, gross].map((amount) => el('td.num', {}, money(amount))),
          ),
        ),
      ),
    ),
    el('p.paper-note', {}, t(tax_included || kind === 'credit_note' ? 'bill.with_tax' : 'bill.without_tax')),
  );
}
