// What the shop says about a product: its description, and delivery and returns. Read when a buyer opens its sheet.

import { get } from './api.js';
import { lang, t } from './i18n.js';
import { richText } from './rich_text.js';
import { el } from './ui.js';

/** @import { ProductDetail } from './types.d.ts' */

/**
 * An element that fills itself. Without a description, and when it cannot be read, it stays empty: nothing else waits for it.
 * @param {string} product its id
 */
export function productAbout(product) {
  const root = el('div.product-about', { 'data-test': 'product-about' });
  fill(root, product).catch(() => {});
  return root;
}

/**
 * @param {HTMLElement} root
 * @param {string} id
 */
async function fill(root, id) {
  /** @type {ProductDetail} */
  const product = await get(`/products/${id}`);
  const html = product.descriptions_html[lang] || product.description_html;
  const delivery = product.deliveries[lang] || product.delivery;
  root.replaceChildren(
    ...(html ? [richText(html)] : []),
    ...(delivery
      ? [
          el('h4', {}, t('product.delivery')),
          el('p.multi-line', { dir: 'auto', 'data-test': 'product-delivery' }, delivery),
        ]
      : []),
  );
}
