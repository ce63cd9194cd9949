// Following by e-mail: a form for an address, or a button for an account that has proven its own. `following.js`
// loads it, only where the shop can send such mails.

import { get, post, del, signedInAs } from './api.js';
import { lang, load, refusalText, t, titleOf } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { openSheet, withBusy } from './sheet.js';
import { el, icon, ICONS, queryAll, style, toast } from './ui.js';

/** @import { Follow, Identity, Offer, Refusal, Titled } from './types.d.ts' */
/** @typedef {Titled & { id: string }} Wanted a product */

await Promise.all([load('follow'), style('sheet', 'fields', 'follow')]);

ICONS.bell ??= 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 20.5h4M12 5V3.5';
const TOAST_MS = 9_000;
let parts = 0;

/**
 * What the reader can do to be notified by e-mail: of the next show, or of a product.
 * @param {Wanted | null} product
 */
export async function followPart(product) {
  const body = el('div.follow-body');
  const title = el('h3', {}, product ? t('follow.product', { product: titleOf(product) }) : t('follow.shop'));
  const about = el('p.fine', {}, t(product ? 'follow.product_about' : 'follow.shop_about'));
  const root = el('section.follow', { 'data-test': product ? `follow-${product.id}` : 'follow' }, title, about, body);
  await paint(body, product);
  return root;
}

/** The same in a sheet. @param {Wanted | null} product */
export async function openFollowSheet(product) {
  const part = await followPart(product);
  openSheet(part, { title: t('follow.title'), test: 'follow-sheet', className: 'small' });
}

/** @param {Offer} offer @returns {Wanted} */
const wantedOf = ({ product, title, titles }) => ({ id: product, title, titles });

/** @param {HTMLElement} slot @param {Offer} offer */
export async function fillSlot(slot, offer) {
  slot.append(await followPart(wantedOf(offer)));
}

/** A bell rings only while the page is open: an e-mail arrives anyway. @param {Offer} offer */
export function afterBell(offer) {
  const onclick = () => openFollowSheet(wantedOf(offer)).catch(showUnreachable);
  const action = el('button.slim', { type: 'button', 'data-test': 'bell-by-email', onclick }, t('follow.by_email'));
  toast('', { ms: TOAST_MS, action });
}

/** The end of a show: the next one, and each product that was sold. @param {import('./show_end.js').ShowEnd} end */
export async function atEnd({ follow, products, sold }) {
  follow.append(await followPart(null));
  for (const card of queryAll('[data-product]', products)) {
    const offer = sold.find(({ product }) => product === card.dataset.product);
    if (!offer) continue;
    const label = t('follow.product', { product: titleOf(offer) });
    const props = { type: 'button', 'aria-label': label, title: label, 'data-test': `end-follow-${offer.product}` };
    const button = el('button.ghost.round', props, icon('bell'));
    button.addEventListener('click', () => openFollowSheet(wantedOf(offer)).catch(showUnreachable));
    card.append(button);
  }
}

/**
 * @param {HTMLElement} body
 * @param {Wanted | null} product
 */
async function paint(body, product) {
  const who = signedInAs() ? /** @type {Identity} */ (await get('/session')) : null;
  if (who?.kind !== 'account' || !who.email) return showForm(body, product);
  /** @type {{ items: Follow[] }} */
  const { items } = await get('/follows');
  const own = items.find((follow) => (follow.product?.id ?? null) === (product?.id ?? null));
  showButton(body, product, who.email, own ?? null);
}

/**
 * An account has proven its address: one press is enough.
 * @param {HTMLElement} body
 * @param {Wanted | null} product
 * @param {string} email
 * @param {Follow | null} follow
 */
function showButton(body, product, email, follow) {
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'follow-alert' });
  const toggle = async () => {
    alert.hidden = true;
    if (follow) await del(`/follows/${follow.id}`);
    /** @type {{ follow: Follow | null } | null} */
    const answer = follow ? null : await post('/follows', { product: product?.id, lang });
    showButton(body, product, email, answer?.follow ?? null);
    body.querySelector('button')?.focus();
  };
  const label = t(follow ? 'follow.stop' : 'follow.start');
  const look = follow ? 'button' : 'button.primary';
  const button = el(look, { type: 'button', 'data-test': follow ? 'follow-stop' : 'follow-start' }, label);
  button.addEventListener('click', () => withBusy(button, toggle, (refusal) => showRefusal(alert, refusal)));
  const state = el(
    'p',
    { role: 'status', 'data-test': 'follow-state' },
    withMail(follow ? 'follow.on' : 'follow.to', email),
  );
  body.replaceChildren(state, alert, el('div.actions', {}, button));
}

/**
 * Any address: its owner gets a mail that asks.
 * @param {HTMLElement} body
 * @param {Wanted | null} product
 * @param {string} [typed]
 */
function showForm(body, product, typed = '') {
  const id = `follow-email-${++parts}`;
  const input = el('input', {
    id,
    type: 'email',
    required: true,
    autocomplete: 'email',
    inputMode: 'email',
    dir: 'ltr',
    maxLength: 254,
    value: typed,
    'data-test': 'follow-email',
  });
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'follow-alert' });
  const button = el('button.primary', { type: 'submit', 'data-test': 'follow-send' }, t('follow.start'));
  const form = el(
    'form',
    {},
    el('label', { for: id }, t('follow.email')),
    el('div.follow-line', {}, input, button),
    alert,
  );
  const send = async () => {
    const email = input.value.trim();
    await post('/follows', { email, product: product?.id, lang });
    showSent(body, product, email);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    alert.hidden = true;
    withBusy(button, send, (refusal) => {
      showRefusal(alert, refusal);
      input.focus();
    });
  });
  body.replaceChildren(form);
}

/**
 * The same words for every address: whether it follows already is nobody else's business.
 * @param {HTMLElement} body
 * @param {Wanted | null} product
 * @param {string} email
 */
function showSent(body, product, email) {
  const other = el('button', { type: 'button', 'data-test': 'follow-other' }, t('follow.other'));
  other.addEventListener('click', () => {
    showForm(body, product, email);
    body.querySelector('input')?.select();
  });
  const props = { role: 'status', tabIndex: -1, 'data-test': 'follow-sent' };
  const note = el('p', props, withMail('follow.sent', email));
  body.replaceChildren(note, el('div.actions', {}, other));
  note.focus();
}

const PLACE = '{mail}';

/**
 * A sentence with an address that is not broken at its dots and dashes.
 * @param {string} key
 * @param {string} email
 */
function withMail(key, email) {
  const [before, after = ''] = t(key, { email: PLACE }).split(PLACE);
  return [before, el('bdi.mail', { dir: 'ltr' }, email), after];
}

/**
 * @param {HTMLElement} alert
 * @param {Refusal} refusal
 */
function showRefusal(alert, refusal) {
  alert.textContent = refusalText(refusal);
  alert.hidden = false;
}
