// Lists come in pages of at most 100 entries; the small ones are wanted as a whole.

import { get } from './api.js';

/**
 * All pages of a list, up to `pages_max`.
 * @template T
 * @param {string} path
 * @returns {Promise<T[]>}
 */
export async function listAll(path, pages_max = 10) {
  const items = [];
  /** @type {string | null} */
  let after = null;
  for (let page = 0; page < pages_max; page++) {
    const mark = path.includes('?') ? '&' : '?';
    /** @type {{ items: T[], next: string | null }} */
    const answer = await get(`${path}${mark}limit=100${after ? `&after=${encodeURIComponent(after)}` : ''}`);
    items.push(...answer.items);
    after = answer.next;
    if (!after) break;
  }
  return items;
}
