// The list of shows, and the form for a new one.

import { post } from '../api.js';
import { route } from '../base.js';
import { formatDateTime, languageSwitch, refusalText, t, titleOf } from '../i18n.js';
import { listAll } from '../list.js';
import { pictureField, shownAddress } from '../picture_field.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, icon } from '../ui.js';
import { anyText, field, readAll, required, webAddress } from './form.js';
import { canCreateShows, isOwnShow, isTeamOfShop } from './rank.js';

/** @import { Refusal, Shop, Stream } from '../types.d.ts' */

const ORDER = { live: 0, scheduled: 1, ended: 2 };
const TITLE_MAX = 120;

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
  root.replaceChildren(
    el(
      'header.shows-head',
      {},
      el('h1', {}, t('host.shows')),
      lang,
      el('a.button.ghost', { href: route('/') }, t('home')),
      isTeamOfShop() && el('a.button', { href: route('/admin'), 'data-test': 'open-desk' }, t('host.orders')),
      el('button.primary', create, icon('plus'), t('host.new_show')),
    ),
    isAllowed ? '' : el('p.fine', { 'data-test': 'shows-locked' }, t('error.forbidden')),
    ...lists(shows),
  );
  root.hidden = false;
  document.title = `${t('host.shows')} · ${titleOf(shop)}`;
}

/**
 * One's own shows come first, under that name; the shows of others are shows.
 * @param {Stream[]} shows
 */
function lists(shows) {
  if (!shows.length) return [el('p.empty', {}, t('host.shows_empty'))];
  const own = shows.filter(isOwnShow);
  const others = shows.filter((show) => !isOwnShow(show));
  /** @param {Stream[]} part */
  const list = (part) => el('ul', {}, part.map(showRow));
  if (!own.length) return [list(others)];
  const rest = others.length ? [el('h2', {}, t('host.shows')), list(others)] : [];
  return [el('h2', { 'data-test': 'own-shows' }, t('host.your_shows')), list(own), ...rest];
}

/** @param {Stream} show */
function showRow(show) {
  const { id, status, scheduled_at, started_at, ended_at } = show;
  const when = { scheduled: scheduled_at, live: started_at, ended: ended_at }[status];
  const address = encodeURIComponent(id);
  return el(
    'li.show-row',
    { 'data-test': `show-${id}` },
    el('b.live-badge', { 'data-status': status }, t(`badge.${status}`)),
    el(
      'span.row-text',
      {},
      el('bdi.row-title', {}, titleOf(show)),
      el('small', {}, el('bdi', {}, show.host), when ? ` · ${formatDateTime(when)}` : ''),
    ),
    el('a.button.slim', { href: route(`/watch?stream=${address}`) }, t('shop.watch')),
    el('a.button.slim.primary', { href: route(`/host?stream=${address}`) }, t('host.open_console')),
  );
}

function newShowSheet() {
  const fields = {
    title: field({ label: t('form.show_title'), test: 'show-title-field', check: required, maxLength: TITLE_MAX }),
    title_ar: field({ label: t('form.title_ar'), test: 'show-title-ar', check: anyText, maxLength: TITLE_MAX }),
    scheduled_at: field({
      label: t('form.when'),
      test: 'show-when',
      type: 'datetime-local',
      dir: 'ltr',
      hint: t('form.when_hint'),
      check: (text) => (text ? new Date(text).getTime() : null),
    }),
    video: field({
      label: t('form.video'),
      test: 'show-video',
      check: webAddress,
      dir: 'ltr',
      hint: t('form.video_hint'),
    }),
    pictures: pictureField({ label: t('form.poster'), test: 'show-poster', single: true }),
  };
  const alert = el('p.alert', { role: 'alert', hidden: true });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    alert.textContent = refusalText(refusal);
    alert.hidden = false;
  };
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'show-create' }, t('host.new_show'));
  const create = (/** @type {Event} */ event) => {
    event.preventDefault();
    const values = readAll(fields);
    if (!values) return;
    const { title, title_ar, scheduled_at, video, pictures } = values;
    const optional = { scheduled_at, video, poster: shownAddress(pictures) };
    const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null));
    const titles = title_ar ? { titles: { ar: title_ar } } : {};
    const send = async () => {
      /** @type {Stream} */
      const stream = await post('/streams', { title, ...titles, ...given });
      location.assign(route(`/host?stream=${encodeURIComponent(stream.id)}`));
    };
    withBusy(submit, send, showRefusal);
  };
  const nodes = Object.values(fields).map((one) => one.node);
  const form = el('form', { noValidate: true, onsubmit: create }, nodes, alert, el('div.actions', {}, submit));
  openSheet(form, { title: t('host.new_show'), test: 'show-form', className: 'side' });
  fields.title.control.focus();
}
