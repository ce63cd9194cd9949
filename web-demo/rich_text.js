// Descriptions as the server renders them: a fixed set of tags without attributes, except the address of a link.
//
// The browser's own parser is not used, so that no markup of a stranger ever reaches it: what is not one of these tags is text.

import { el } from './ui.js';

const TOKEN = /<(\/?)(p|h3|ul|ol|li|blockquote|strong|em|br|a)(?: href="([^"]*)"[^>]*)?>|[^<]+|</g;
const SIGNS = /** @type {Record<string, string>} */ ({ lt: '<', gt: '>', amp: '&', quot: '"', '#39': "'" });

/** @param {string} text */
const decoded = (text) => text.replace(/&(lt|gt|amp|quot|#39);/g, (_, name) => SIGNS[name]);

/**
 * @param {string} html `description_html` of a product
 * @returns {HTMLElement}
 */
export function richText(html) {
  const root = el('div.rich-text', { dir: 'auto' });
  /** @type {HTMLElement[]} */
  const open = [root];
  for (const [token, slash, tag, address] of html.matchAll(TOKEN)) {
    const top = open[open.length - 1];
    if (!tag) top.append(decoded(token));
    else if (slash) {
      if (open.length > 1) open.pop();
    } else {
      const node = el(tag);
      if (tag === 'a' && /^(https?:|mailto:)/i.test(address ?? '')) {
        node.setAttribute('href', decoded(address));
        node.setAttribute('rel', 'nofollow noopener noreferrer');
        node.setAttribute('target', '_blank');
      }
      if (['p', 'h3', 'li', 'blockquote'].includes(tag)) node.setAttribute('dir', 'auto');
      top.append(node);
      if (tag !== 'br') open.push(node);
    }
  }
  return root;
}
