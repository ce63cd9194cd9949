// The stock of a variant: change it with a reason, and see who changed it and its price.

import { asRefusal, get } from '../api.js';
import { addOnce } from '../host/add_once.js';
import { field, wholeNumber } from '../host/form.js';
import { formatDateTime, formatMoney, formatNumber, refusalText, t } from '../i18n.js';
import { openSheet, withBusy } from '../sheet.js';
import { el } from '../ui.js';
import { choice } from './choice.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { PriceChange, Refusal, StockChange, Variant } from '../types.d.ts' */

const STOCK_MAX = 10_000_000;
const NOTE_MAX = 200;
/** What the reader may choose: the reason of the server, and what the number means: units to add, to take, or the count. */
const REASONS = /** @type {const} */ ({
  received: 1,
  returned: 1,
  counted: 0,
  damaged: -1,
  lost: -1,
  more: 1,
  fewer: -1,
});
const SERVER_REASON = /** @type {Record<string, string>} */ ({ more: 'correction', fewer: 'correction' });

/**
 * @param {{ variant: Variant, title: string, onchange: (stock: number) => void }} options
 */
export function openStock({ variant, title, onchange }) {
  const stock = variant.stock ?? 0;
  const reason = choice({
    label: t('products.reason'),
    test: 'stock-reason',
    options: Object.keys(REASONS).map((name) => [name, t(`products.reason.${name}`)]),
    value: 'received',
    onchange: () => paint(),
  });
  const units = field({
    label: t('products.units'),
    test: 'stock-units',
    inputMode: 'numeric',
    check: (text) => wholeNumber(isCount() ? 0 : 1, STOCK_MAX)(text),
  });
  const note = field({
    label: t('products.note'),
    test: 'stock-note',
    maxLength: NOTE_MAX,
    check: (text) => text || null,
  });
  const chosen = () => /** @type {keyof typeof REASONS} */ (reason.control.value);
  const isCount = () => REASONS[chosen()] === 0;
  const label = /** @type {HTMLElement} */ (units.node.querySelector('label'));
  const paint = () => (label.textContent = t(isCount() ? 'products.count' : 'products.units'));
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'stock-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    alert.hidden = false;
    alert.textContent = refusalText(refusal);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': 'stock-save' }, t('save'));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    alert.hidden = true;
    const [number, text] = [units.read(), note.read()];
    if ('error' in number || 'error' in text) return;
    const way = REASONS[chosen()];
    const change = way === 0 ? number.value - stock : way * number.value;
    if (change === 0) return dialog.close();
    const send = async () => {
      const name = chosen();
      const body = { units: change, reason: SERVER_REASON[name] ?? name, ...(text.value ? { note: text.value } : {}) };
      /** @type {Variant} */
      const now = await addOnce(`/variants/${variant.id}/stock-changes`, body);
      onchange(now.stock ?? 0);
      dialog.close();
    };
    withBusy(submit, send, showRefusal);
  };
  const form = el(
    'form',
    { noValidate: true, onsubmit: save },
    el('p', {}, el('bdi', {}, title), ` · ${t('products.in_stock', { n: stock })}`),
    reason.node,
    units.node,
    note.node,
    alert,
    el('div.actions', {}, submit),
  );
  const dialog = guardTyped(openSheet(form, { title: t('products.change_stock'), test: 'stock', className: 'small' }));
  units.control.focus();
}

/**
 * @param {{ variant: Variant, title: string }} options
 */
export async function openHistory({ variant, title }) {
  const body = el('div', { 'data-test': 'history' }, el('p.empty', {}, t('loading')));
  openSheet(body, { title: t('products.history'), test: 'variant-history', className: 'side' });
  try {
    /** @type {[{ items: StockChange[] }, { items: PriceChange[] }]} */
    const [stock, prices] = await Promise.all([
      get(`/variants/${variant.id}/stock-changes?limit=100`),
      get(`/variants/${variant.id}/price-changes?limit=100`),
    ]);
    body.replaceChildren(
      el('p', {}, el('bdi', {}, title)),
      el('h3', {}, t('products.prices')),
      el('ul.log', { 'data-test': 'price-log' }, prices.items.map(priceLine)),
      el('h3', {}, t('products.stock_log')),
      stock.items.length
        ? el('ul.log', { 'data-test': 'stock-log' }, stock.items.map(stockLine))
        : el('p.fine', {}, t('products.no_log')),
    );
  } catch (error) {
    body.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
  }
}

/** @param {{ at: number, by: { name: string } | null }} change */
const when = ({ at, by }) => el('small', {}, formatDateTime(at), by?.name ? [' · ', el('bdi', {}, by.name)] : '');

/** @param {PriceChange} change */
const priceLine = (change) => el('li', {}, el('bdi', {}, formatMoney(change.price, change.currency)), when(change));

/** @param {StockChange} change */
function stockLine(change) {
  const { units, stock, reason, note } = change;
  const sign = units > 0 ? '+' : '−';
  return el(
    'li',
    {},
    el(
      'span',
      {},
      el('b', {}, el('bdi', { dir: 'ltr' }, `${sign}${formatNumber(Math.abs(units))}`)),
      ` · ${t(`products.reason.${reason}`)}`,
    ),
    note && el('bdi', {}, note),
    when(change),
    el('small', {}, t('products.in_stock', { n: stock })),
  );
}
