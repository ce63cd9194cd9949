// The page of one host: the live show, those that come and those that were. It loads everything again every ten seconds while it is
// visible, as the front page does.

import { accountButton, onOtherTab } from './account.js';
import { asRefusal, session, UNKNOWN_OUTCOME } from './api.js';
import { paintAvatar } from './avatar.js';
import { basePath, route } from './base.js';
import { formatDuration, languageSwitch, load, refusalText, t, titleOf, translate } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { listAll } from './list.js';
import { loadShop } from './load_shop.js';
import { liveCard, loadOffers, section, showCard } from './shop_cards.js';
import { byId, el, fillIcons, queryAll, setText } from './ui.js';

/** @import { Refusal, Stream } from './types.d.ts' */

const RELOAD_MS = 10_000;
const TICK_MS = 500;
const PAST_MAX = 24;

const name = nameInAddress();
const root = byId('shows');
/** What the page looked like when it was painted. @type {string | null} */
let painted = null;

await load('shop');
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
const paintAccount = accountButton(byId('account', HTMLButtonElement), {
  name: () => session.get()?.name ?? '',
  signIn: () => openSignIn().catch(showUnreachable),
});
onOtherTab(() => paintAccount());
setText(byId('host'), name);
paintAvatar(byId('avatar'), name);
await reload();
document.body.dataset.ready = '';
setInterval(reloadIfVisible, RELOAD_MS);
setInterval(paintCountdowns, TICK_MS);
document.addEventListener('visibilitychange', reloadIfVisible);

/** `/hosts/Noura`; an address that cannot be read names nobody. */
function nameInAddress() {
  try {
    return decodeURIComponent(location.pathname.slice(`${basePath}/hosts/`.length));
  } catch {
    return '';
  }
}

async function openSignIn() {
  await (await import('./sign_in_sheet.js')).signInSheet();
  paintAccount();
}

function reloadIfVisible() {
  if (!document.hidden) reload();
}

async function reload() {
  try {
    const [shop, all] = await Promise.all([loadShop(), /** @type {Promise<Stream[]>} */ (listAll('/streams'))]);
    setText(byId('shop-title'), titleOf(shop));
    document.title = `${name} · ${titleOf(shop)}`;
    const shows = all.filter(({ host }) => host === name);
    await paint(shows);
  } catch (error) {
    if (painted === null || painted === 'error') showRefusal(asRefusal(error));
  }
}

/** Repaints only what has changed, so that the focus stays where it is. @param {Stream[]} shows */
async function paint(shows) {
  const print = JSON.stringify(shows.map((show) => ({ ...show, now: 0, viewers: 0 })));
  const having = (/** @type {Stream['status']} */ status) => shows.filter((show) => show.status === status);
  const live = having('live');
  if (print !== painted) {
    const offers = await Promise.all(live.map(loadOffers));
    const upcoming = having('scheduled').sort((a, b) => (a.scheduled_at ?? Infinity) - (b.scheduled_at ?? Infinity));
    const past = having('ended').sort((a, b) => (b.ended_at ?? 0) - (a.ended_at ?? 0));
    setText(byId('counts'), t('host_page.shows', { n: shows.length }));
    const parts = [
      ...section(
        t('shop.live'),
        live.map((show, index) => liveCard(show, offers[index][1])),
        'live',
      ),
      ...section(t('shop.coming'), upcoming.map(showCard), 'upcoming'),
      ...section(t('shop.ended'), past.slice(0, PAST_MAX).map(showCard), 'past'),
    ];
    root.replaceChildren(...(parts.length ? parts : [nothing()]));
  }
  painted = print;
  paintCountdowns();
  for (const node of queryAll('[data-watching]', root)) {
    const show = live.find(({ id }) => id === node.dataset.watching);
    if (show) setText(node, t('shop.watching', { n: show.viewers }));
  }
}

function nothing() {
  const way = el('a.button.primary', { href: route('/') }, t('home'));
  return el('div.notice-box', { 'data-test': 'host-empty' }, el('h2', {}, t('host_page.none', { name })), way);
}

/** @param {Refusal} refusal */
function showRefusal(refusal) {
  painted = 'error';
  const text = UNKNOWN_OUTCOME.has(refusal.code) ? t('problem.network') : refusalText(refusal);
  const again = el('button.primary', { type: 'button', onclick: reload }, t('try_again'));
  root.replaceChildren(el('div.notice-box', { role: 'alert' }, el('h2', {}, text), again));
}

function paintCountdowns() {
  for (const node of queryAll('[data-at]', root)) {
    setText(node, formatDuration(Number(node.dataset.at) - performance.now()));
  }
}
