// The list of shows, and the form for a new one.

import { post } from '../api.js';
import { dateTime, languageSwitch, refusal, t, titleOf } from '../i18n.js';
import { list } from '../list.js';
import { busy, sheet } from '../sheet.js';
import { el, icon } from '../ui.js';
import { address, field, readAll, required } from './form.js';

const ORDER = { live: 0, scheduled: 1, ended: 2 };

export async function showList(root, shop) {
  const shows = (await list('/streams')).sort((a, b) => ORDER[a.status] - ORDER[b.status] || (a.scheduled_at ?? a.started_at ?? 0) - (b.scheduled_at ?? b.started_at ?? 0));
  const lang = el('select.lang', { 'aria-label': t('language'), 'data-test': 'lang' });
  languageSwitch(lang);
  root.replaceChildren(
    el('header.shows-head', {}, el('h1', {}, t('host.shows')), lang, el('a.button.ghost', { href: '/' }, t('home')),
      el('button.primary', { type: 'button', 'data-test': 'new-show', onclick: newShow }, icon('plus'), t('host.new_show'))),
    shows.length ? el('ul', {}, shows.map(row)) : el('p.empty', {}, t('host.shows_empty')));
  root.hidden = false;
  document.title = `${t('host.shows')} · ${titleOf(shop)}`;
}

function row(stream) {
  const when = stream.status === 'scheduled' ? stream.scheduled_at : stream.status === 'live' ? stream.started_at : stream.ended_at;
  const badge = el('b.live-badge', {}, t(`badge.${stream.status}`));
  badge.dataset.status = stream.status;
  return el('li.show-row', { 'data-test': `show-${stream.id}` }, badge,
    el('span.row-text', {}, el('bdi.row-title', {}, titleOf(stream)), el('small', {}, el('bdi', {}, stream.host), when ? ` · ${dateTime(when)}` : '')),
    el('a.button.slim', { href: `/watch?stream=${encodeURIComponent(stream.id)}` }, t('shop.watch')),
    el('a.button.slim.primary', { href: `/host?stream=${encodeURIComponent(stream.id)}` }, t('host.open_console')));
}

function newShow() {
  const fields = {
    title: field({ label: t('form.show_title'), test: 'show-title-field', check: required, maxLength: 120 }),
    other: field({ label: t('form.title_ar'), test: 'show-title-ar', maxLength: 120 }),
    scheduled_at: field({ label: t('form.when'), test: 'show-when', type: 'datetime-local', dir: 'ltr', hint: t('form.when_hint'), check: (text) => (text ? new Date(text).getTime() : null) }),
    video: field({ label: t('form.video'), test: 'show-video', check: address, dir: 'ltr', hint: t('form.video_hint') }),
    poster: field({ label: t('form.poster'), test: 'show-poster', check: address, dir: 'ltr' }),
  };
  const alert = el('p.alert', { role: 'alert', hidden: true });
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'show-create' }, t('host.new_show'));
  const form = el('form', { noValidate: true }, Object.values(fields).map((one) => one.node), alert, el('div.actions', {}, submit));
  sheet(form, { title: t('host.new_show'), test: 'show-form', className: 'side' });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const values = readAll(fields);
    if (!values) return;
    const { other, ...body } = values;
    for (const name of ['scheduled_at', 'video', 'poster']) if (body[name] === null) delete body[name];
    busy(submit, async () => {
      const stream = await post('/streams', { ...body, ...(other ? { titles: { ar: other } } : {}) });
      location.assign(`/host?stream=${encodeURIComponent(stream.id)}`);
    }, (problem) => { alert.textContent = refusal(problem); alert.hidden = false; });
  });
  fields.title.control.focus();
}
