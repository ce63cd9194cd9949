// The shop's front: what is live, what is coming, what was. It looks again every few seconds while it can be seen.

import { get, UNKNOWN } from './api.js';
import { clock, dateTime, languageSwitch, load, refusal, t, titleOf, translate } from './i18n.js';
import { list } from './list.js';
import { el, icon, picture, put } from './ui.js';

const AGAIN_MS = 10_000;
const PICTURES_MAX = 4;

const root = document.getElementById('shows');
let printed = null;

await load('shop');
translate();
languageSwitch(document.getElementById('lang'));
await look();
setInterval(() => { if (!document.hidden) look(); }, AGAIN_MS);
setInterval(tick, 500);
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });

async function look() {
  try {
    const [shop, shows] = await Promise.all([get('/shop'), list('/streams')]);
    put(document.getElementById('shop-title'), titleOf(shop));
    document.title = titleOf(shop);
    const pictures = await Promise.all(shows.map((show) => (show.status === 'live' ? picturesOf(show) : [])));
    // Repainting only what changed keeps the focus and a half-read line where they are.
    const print = JSON.stringify([shows.map(({ now, viewers, ...rest }) => rest), pictures]);
    if (print !== printed) root.replaceChildren(...page(shows, pictures));
    printed = print;
    for (const show of shows) for (const node of root.querySelectorAll(`[data-watching="${CSS.escape(show.id)}"]`)) put(node, t('shop.watching', { n: show.viewers }));
    tick();
  } catch (problem) {
    if (printed === null || printed === 'error') fail(problem);
  }
}

/** A few pictures of what is on sale; a shop without them is no worse. */
async function picturesOf(show) {
  const answer = await get(`/streams/${show.id}/offers?limit=20`).catch(() => ({ items: [] }));
  return [...new Set(answer.items.map((offer) => offer.image).filter(Boolean))].slice(0, PICTURES_MAX);
}

function fail(problem) {
  printed = 'error';
  root.replaceChildren(el('div.notice-box', { 'data-test': 'shop-error', role: 'alert' }, el('h2', {}, t('problem.away')), !UNKNOWN.has(problem.code) && el('p', {}, refusal(problem)),
    el('button.primary', { type: 'button', onclick: look }, t('problem.again'))));
}

function page(shows, pictures) {
  const live = shows.filter((show) => show.status === 'live');
  const coming = shows.filter((show) => show.status === 'scheduled').sort((a, b) => (a.scheduled_at ?? Infinity) - (b.scheduled_at ?? Infinity));
  const past = shows.filter((show) => show.status === 'ended').sort((a, b) => b.ended_at - a.ended_at).slice(0, 6);
  if (!live.length && !coming.length && !past.length) {
    return [el('div.notice-box', { 'data-test': 'shop-empty' }, el('h2', {}, t('shop.empty')), el('p', {}, t('shop.empty_more')))];
  }
  return [
    live.length && section(t('shop.live'), live.map((show) => liveCard(show, pictures[shows.indexOf(show)])), 'live'),
    coming.length && section(t('shop.coming'), coming.map(row), 'coming'),
    past.length && section(t('shop.ended'), past.map(row), 'past'),
  ].filter(Boolean);
}

function section(title, cards, name) {
  return el(`section.${name}`, {}, el('h2', {}, title), el('ul', {}, cards.map((card) => el('li', {}, card))));
}

function address(show) {
  return `/watch?stream=${encodeURIComponent(show.id)}`;
}

function liveCard(show, images) {
  const watching = el('span', {}, t('shop.watching', { n: show.viewers }));
  watching.dataset.watching = show.id;
  const arches = (images.length ? images : [null]).map((image) => el('span.arch', {}, picture(image)));
  return el('a.live-card', { href: address(show), 'data-test': `show-${show.id}` },
    show.poster ? el('span.poster', {}, picture(show.poster)) : el('span.arches', { 'aria-hidden': 'true' }, arches),
    el('span.live-words', {},
      el('span.live-line', {}, el('b.live-badge', {}, t('badge.live')), el('span.watching', {}, icon('eye'), watching)),
      el('bdi.live-title', {}, titleOf(show)), el('span.host-line', {}, t('shop.host', { name: show.host })),
      el('span.button.primary', {}, icon('play'), t('shop.watch'))));
}

function row(show) {
  const at = show.status === 'ended' ? show.ended_at : show.scheduled_at;
  const soon = el('bdi.num', { dir: 'ltr' });
  if (show.status === 'scheduled' && show.scheduled_at) soon.dataset.at = show.scheduled_at - show.now + Date.now();
  return el('a.show-card', { href: address(show), 'data-test': `show-${show.id}` },
    el('span.show-mark', { 'aria-hidden': 'true' }, icon(show.status === 'ended' ? 'check' : 'clock')),
    el('span.row-text', {}, el('bdi.row-title', {}, titleOf(show)), el('small', {}, t('shop.host', { name: show.host }), at ? ` · ${dateTime(at)}` : '')), soon);
}

function tick() {
  for (const node of root.querySelectorAll('[data-at]')) put(node, clock(Number(node.dataset.at) - Date.now()));
}
