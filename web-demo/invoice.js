// An invoice or a credit note, for the buyer, for the team, and for readers of the link to a guest's order. It is shown in the language of
// the shop, as it was when the document was made, and printed by the browser.

import { asRefusal, get, post, UNKNOWN_OUTCOME } from './api.js';
import { route } from './base.js';
import { invoicePaper } from './invoice_paper.js';
import { LANGUAGE_NAMES, lang, load, refusalText, setDecimals, t, titleOf, translate } from './i18n.js';
import { byId, el } from './ui.js';

/** @import { BillingDocument, Refusal, Shop } from './types.d.ts' */

const root = byId('invoice');
const query = new URLSearchParams(location.search);
const [, secret] = /^#order=([0-9a-f]{64})$/.exec(location.hash) ?? [];

await Promise.all([load('bill'), load('buy')]);
translate();
await show();

async function show() {
  try {
    const [shop, document] = await Promise.all([/** @type {Promise<Shop>} */ (get('/shop')), find()]);
    if (!document) return showNothing();
    if (document.language !== lang && query.get('lang') !== document.language && isKnown(document.language)) {
      return reloadIn(document.language);
    }
    setDecimals(shop.currency, shop.decimals);
    paint(document);
  } catch (error) {
    showRefusal(asRefusal(error));
  }
}

/** The document that the address names; without a name, the invoice. */
async function find() {
  const order = query.get('order') ?? '';
  /** @type {{ items: BillingDocument[] }} */
  const { items } = secret
    ? await post('/order-links/documents', { secret })
    : await get(`/orders/${encodeURIComponent(order)}/documents`);
  const id = query.get('document');
  return items.find((one) => (id ? one.id === id : one.kind === 'invoice'));
}

const isKnown = (/** @type {string} */ code) => LANGUAGE_NAMES.some(([known]) => known === code);

/** @param {string} language */
function reloadIn(language) {
  const url = new URL(location.href);
  url.searchParams.set('lang', language);
  location.replace(url);
}

/** @param {BillingDocument} bill */
function paint(bill) {
  document.title = `${bill.number} · ${titleOf(bill.seller)}`;
  const print = () => globalThis.print();
  root.replaceChildren(
    el(
      'div.invoice-tools',
      {},
      el('a.button.slim.ghost', { href: route(secret ? `/orders#order=${secret}` : '/orders') }, t('my_orders')),
      el('button.slim.primary', { type: 'button', 'data-test': 'invoice-print', onclick: print }, t('bill.print')),
    ),
    invoicePaper(bill),
  );
  document.body.dataset.ready = '';
}

function showNothing() {
  const way = el('a.button.primary', { href: route('/orders') }, t('my_orders'));
  root.replaceChildren(el('div.notice-box', { 'data-test': 'invoice-none' }, el('h2', {}, t('bill.none')), way));
}

/** @param {Refusal} refusal */
function showRefusal(refusal) {
  const text = UNKNOWN_OUTCOME.has(refusal.code) ? t('problem.network') : refusalText(refusal);
  const again = el('button.primary', { type: 'button', onclick: show }, t('try_again'));
  root.replaceChildren(
    el('div.notice-box', { role: 'alert', 'data-test': 'invoice-error' }, el('h2', {}, text), again),
  );
}
