// Lists come in pages; the small ones are wanted whole.

import { get } from './api.js';

/** Every page of a list, up to a sane end. */
export async function list(path, pages_max = 10) {
  const items = [];
  let after = null;
  for (let page = 0; page < pages_max; page++) {
    const mark = path.includes('?') ? '&' : '?';
    const answer = await get(`${path}${mark}limit=100${after ? `&after=${encodeURIComponent(after)}` : ''}`);
    items.push(...answer.items);
    after = answer.next;
    if (!after) break;
  }
  return items;
}
