// The sections of the desk: links in the bar. Which one is open stands in the address of the page.

import { t } from '../i18n.js';
import { el } from '../ui.js';

/** @typedef {'orders' | 'mails'} Section */

/** @type {Section[]} */
const SECTIONS = ['orders', 'mails'];

/** @returns {Section} */
export function openSection() {
  const asked = new URLSearchParams(location.search).get('section');
  return SECTIONS.find((section) => section === asked) ?? 'orders';
}

/** @param {Section} open */
export function sectionLinks(open) {
  const links = SECTIONS.map((section) => {
    const address = new URLSearchParams({ section });
    const current = section === open ? { 'aria-current': 'page' } : {};
    return el('a', { href: `?${address}`, 'data-test': `section-${section}`, ...current }, t(`desk.${section}`));
  });
  return el('nav.sections', { 'aria-label': t('desk.sections') }, links);
}
