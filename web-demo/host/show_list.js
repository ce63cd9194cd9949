// The list of shows. Hosts correct, copy and cancel a show here.

import { route } from '../base.js';
import { formatDateTime, languageSwitch, t, titleOf } from '../i18n.js';
import { keepFocus } from '../keep_focus.js';
import { listAll } from '../list.js';
import { el, icon } from '../ui.js';
import { canCreateShows, isOwnShow, isTeamOfShop } from './rank.js';
import { rowMenu } from './row_menu.js';
import { cancelShow, copyShowSheet, editShowSheet, newShowSheet, openPublishKey } from './show_form.js';

/** @import { Shop, Stream } from '../types.d.ts' */

const ORDER = { live: 0, scheduled: 1, ended: 2 };

/** @param {Stream} show */
const beginOf = (show) => show.scheduled_at ?? show.started_at ?? 0;

/**
 * @param {HTMLElement} root
 * @param {Shop} shop
 */
export async function showList(root, shop) {
  /** @type {Stream[]} */
  const shows = await listAll('/streams');
  shows.sort((a, b) => ORDER[a.status] - ORDER[b.status] || beginOf(a) - beginOf(b));
  const lang = el('select.lang', { 'aria-label': t('language'), 'data-test': 'lang' });
  languageSwitch(lang);
  const isAllowed = canCreateShows();
  const create = { type: 'button', 'data-test': 'new-show', disabled: !isAllowed, onclick: newShowSheet };
  const content = [
    el(
      'header.shows-head',
      {},
      el('h1', {}, t('host.shows')),
      lang,
      el('a.button.ghost', { href: route('/') }, t('host.shop_page')),
      isTeamOfShop() && el('a.button', { href: route('/admin'), 'data-test': 'open-desk' }, t('host.orders')),
      el('button.primary', create, icon('plus'), t('host.new_show')),
    ),
    isAllowed ? '' : el('p.fine', { 'data-test': 'shows-locked' }, t('error.forbidden')),
    ...lists(shows, () => showList(root, shop)),
  ];
  keepFocus(root, () => root.replaceChildren(...content));
  root.hidden = false;
  document.title = `${t('host.shows')} · ${titleOf(shop)}`;
}

/**
 * One's own shows come first, under that name; the shows of others are shows.
 * @param {Stream[]} shows
 * @param {() => void} onchange
 */
function lists(shows, onchange) {
  if (!shows.length) return [el('p.empty', {}, t('host.shows_empty'))];
  const own = shows.filter(isOwnShow);
  const others = shows.filter((show) => !isOwnShow(show));
  /** @param {Stream[]} part */
  const list = (part) =>
    el(
      'ul',
      {},
      part.map((show) => showRow(show, onchange)),
    );
  if (!own.length) return [list(others)];
  const rest = others.length ? [el('h2', {}, t('host.shows')), list(others)] : [];
  return [el('h2', { 'data-test': 'own-shows' }, t('host.your_shows')), list(own), ...rest];
}

/**
 * @param {Stream} show
 * @param {() => void} onchange
 */
function showRow(show, onchange) {
  const { id, status, scheduled_at, started_at, ended_at, cancelled_at } = show;
  const when = cancelled_at ? scheduled_at : { scheduled: scheduled_at, live: started_at, ended: ended_at }[status];
  const address = encodeURIComponent(id);
  const badge = cancelled_at ? 'cancelled' : status;
  return el(
    'li.show-row',
    { 'data-test': `show-${id}` },
    el('b.live-badge', { 'data-status': status }, t(`badge.${badge}`)),
    el(
      'span.row-text',
      {},
      el('bdi.row-title', {}, titleOf(show)),
      el('small', {}, el('bdi', {}, show.host), when ? ` · ${formatDateTime(when)}` : ''),
      show.tags.length > 0 && el('small', {}, el('bdi', {}, show.tags.join(' · '))),
    ),
    el('a.button.slim', { href: route(`/watch?stream=${address}`) }, t('shop.watch')),
    el('a.button.slim.primary', { href: route(`/host?stream=${address}`) }, t('host.open_console')),
    canCreateShows() && moreOf(show, onchange),
  );
}

/**
 * What a host does with a show less often.
 * @param {Stream} show
 * @param {() => void} onchange
 */
function moreOf(show, onchange) {
  const action = (/** @type {string} */ name, /** @type {() => unknown} */ onclick) =>
    el('button.ghost', { type: 'button', 'data-test': `${name}-${show.id}`, onclick }, t(`show.${name}`));
  const { button, menu } = rowMenu({
    label: t('show.more'),
    test: `more-${show.id}`,
    content: [
      action('edit', () => editShowSheet(show, onchange)),
      action('copy', () => copyShowSheet(show, onchange)),
      action('publish_key', () => openPublishKey(show)),
      ...(show.status === 'scheduled' ? [action('cancel', () => cancelShow(show, onchange))] : []),
    ],
  });
  return [button, menu];
}
