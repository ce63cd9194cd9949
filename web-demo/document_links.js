// The links to the invoice and the credit notes of an order.

import { route } from './base.js';
import { formatDateTime, formatMoney, t } from './i18n.js';
import { el } from './ui.js';

/** @import { BillingDocument } from './types.d.ts' */

/**
 * A link opens a new tab, which keeps the sign-in of this one.
 * @param {BillingDocument[]} documents
 * @param {string} [secret] of the link by which a guest reads the order
 */
export function documentLinks(documents, secret) {
  const links = documents.map((bill) => {
    const address = `/invoice?order=${bill.order}&document=${bill.id}&lang=${bill.language}`;
    const href = route(secret ? `${address}#order=${secret}` : address);
    return el(
      'li',
      {},
      el(
        'a',
        { href, target: '_blank', rel: 'opener', 'data-test': `document-${bill.kind}` },
        t(`document.${bill.kind}`),
        ' ',
        el('bdi', { dir: 'ltr' }, bill.number),
      ),
      ' ',
      el('small', {}, el('bdi', {}, formatMoney(bill.total, bill.currency)), ' · ', formatDateTime(bill.issued_at)),
    );
  });
  return el('ul.document-links', { 'data-test': 'documents' }, links);
}
