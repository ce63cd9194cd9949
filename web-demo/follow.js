// Where the links of mails lead: `/follow#confirm=…` confirms, `/unsubscribe/…` stops. Nothing changes before a press: programs that
// check mails open their links too.

import { asRefusal, get, post, Problem } from './api.js';
import { basePath, route } from './base.js';
import { load, refusalText, t, titleOf, translate } from './i18n.js';
import { byId, el } from './ui.js';

/** @import { Follow, Refusal, Shop } from './types.d.ts' */

const TIMEOUT_MS = 10_000;
const root = byId('follow');
const stopSecret = location.pathname.slice(`${basePath}/unsubscribe/`.length);
const isStop = location.pathname.startsWith(`${basePath}/unsubscribe/`);
const secret = new URLSearchParams(location.hash.slice(1)).get('confirm') ?? '';

await load('follow');
translate();
/** The name of the shop; without it the page still works. */
const shop = await /** @type {Promise<Shop>} */ (get('/shop')).then(titleOf, () => '');
document.title = [t(isStop ? 'follow.stop_title' : 'follow.title'), shop].filter(Boolean).join(' · ');
if (isStop) askToStop();
else if (secret) askToConfirm();
else show('follow.no_link', t('error.follow_link_invalid'));
document.body.dataset.ready = '';

function askToConfirm() {
  const yes = button('follow.confirm', 'follow-confirm', async () => {
    /** @type {Follow} */
    const { email, product } = await post('/follows/confirm', { secret });
    const about = product ? t('follow.product_on', { product: titleOf(product), email }) : t('follow.on', { email });
    show('follow.confirmed', about);
  });
  show('follow.confirm_title', t('follow.confirm_about', { shop }), yes);
}

function askToStop() {
  const one = button('follow.stop', 'unsubscribe', () => stop(false));
  const all = button('follow.stop_all', 'unsubscribe-all', () => stop(true), 'button');
  show('follow.stop_title', t('follow.stop_about', { shop }), one, all);
}

/** @param {boolean} all */
async function stop(all) {
  const address = route(`/unsubscribe/${stopSecret}${all ? '?all=true' : ''}`);
  const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
  const answer = await fetch(address, { method: 'POST', body, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => {
    throw new Problem('network');
  });
  if (!answer.ok) throw new Problem(answer.status >= 500 ? 'unavailable' : 'bad_request');
  show('follow.stopped', t(all ? 'follow.stopped_all' : 'follow.stopped_one', { shop }));
}

/**
 * @param {string} label
 * @param {string} test
 * @param {() => Promise<void>} act
 */
function button(label, test, act, look = 'button.primary') {
  const node = el(look, { type: 'button', 'data-test': test }, t(label));
  node.addEventListener('click', async () => {
    if (node.getAttribute('aria-busy')) return;
    node.setAttribute('aria-busy', 'true');
    try {
      await act();
    } catch (error) {
      showRefusal(asRefusal(error));
    } finally {
      node.removeAttribute('aria-busy');
    }
  });
  return node;
}

/** @param {Refusal} refusal */
function showRefusal(refusal) {
  const alert = root.querySelector('.alert');
  if (!(alert instanceof HTMLElement)) return;
  alert.textContent = refusalText(refusal);
  alert.hidden = false;
}

/**
 * @param {string} title
 * @param {string} about
 * @param {HTMLElement[]} buttons
 */
function show(title, about, ...buttons) {
  const heading = el('h1', { tabIndex: -1, 'data-test': 'follow-title' }, t(title));
  const home = el('a.button', { href: route('/'), 'data-test': 'follow-home' }, t('home'));
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'follow-alert' });
  const acts = el('div.actions', {}, buttons.length ? buttons : home);
  root.replaceChildren(el('div.notice-box', {}, heading, el('p', {}, about), alert, acts));
  if (document.body.dataset.ready !== undefined) heading.focus();
}
