// The sections of the desk: links in the bar. Which one is open is in the address of the page.

import { t } from '../i18n.js';
import { el } from '../ui.js';

/** @import { Role } from '../types.d.ts' */
/** @typedef {'orders' | 'payments' | 'customers' | 'products' | 'coupons' | 'mails' | 'staff' | 'audit' | 'settings'} Section */

/** @type {Section[]} */
const SECTIONS = ['orders', 'payments', 'customers', 'products', 'coupons', 'mails', 'staff', 'audit', 'settings'];
/** Sections that only owners and admins see. */
const FOR_MANAGERS = new Set(['staff', 'audit', 'settings']);

/** @param {Section} section */
export const sectionAddress = (section) => `?${new URLSearchParams({ section })}`;

/** @param {string} id of a product, or `new` */
export const productAddress = (id) => `?${new URLSearchParams({ section: 'products', product: id })}`;

/** @param {string} id of an import, or `new` */
export const importAddress = (id) => `?${new URLSearchParams({ section: 'products', import: id })}`;

/** @param {'grid' | 'count'} kind the grid, or the stock take */
export const bulkAddress = (kind) => `?${new URLSearchParams({ section: 'products', bulk: kind })}`;

/** @returns {Section} */
export function openSection() {
  const asked = new URLSearchParams(location.search).get('section');
  return SECTIONS.find((section) => section === asked) ?? 'orders';
}

/**
 * Puts the links of the sections into the row that has its room for them, with the open one in sight.
 * @param {HTMLElement} slot
 * @param {Section} open
 * @param {Role} role of the reader
 */
export function showSectionLinks(slot, open, role) {
  const nav = sectionLinks(open, role);
  slot.replaceChildren(nav);
  const current = nav.querySelector('[aria-current]');
  if (!current) return;
  const [link, row] = [current.getBoundingClientRect(), nav.getBoundingClientRect()];
  nav.scrollLeft += link.left + link.width / 2 - (row.left + row.width / 2);
}

/**
 * @param {Section} open
 * @param {Role} role
 */
function sectionLinks(open, role) {
  const isManager = role === 'owner' || role === 'admin';
  const seen = SECTIONS.filter((section) => isManager || !FOR_MANAGERS.has(section));
  const links = seen.map((section) => {
    const current = section === open ? { 'aria-current': 'page' } : {};
    return el(
      'a',
      { href: sectionAddress(section), 'data-test': `section-${section}`, ...current },
      t(`desk.${section}`),
    );
  });
  return el('nav.sections', { 'aria-label': t('desk.sections'), 'data-slides': '' }, links);
}
