// The page that accepts an invite to the staff. It proves the address by a code that is sent there, and then joins.

import { asRefusal, get, post } from './api.js';
import { route } from './base.js';
import { errorPage, messagePage } from './error_page.js';
import { lang, languageSwitch, load, refusalText, t, titleOf, translate } from './i18n.js';
import { field, readAll, required, showFieldError } from './host/form.js';
import { loadShop } from './load_shop.js';
import { withBusy } from './sheet.js';
import { byId, el, fillIcons, setText, setVisible } from './ui.js';

/** @import { Identity, OpenedInvite, Refusal, Shop } from './types.d.ts' */

const NAME_MAX = 40;
/** Behind `#`, so that it gets into no log of a server. */
const code = location.hash.slice(1);
const root = byId('join');

await Promise.all([load('host'), load('buy'), load('staff')]);
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
document.title = t('join.title');
start().catch((error) => errorPage(asRefusal(error)));

async function start() {
  const [shop, me] = await Promise.all([loadShop(), /** @type {Promise<Identity>} */ (get('/session'))]);
  try {
    /** @type {OpenedInvite} */
    const invite = await post('/staff/invites/open', { code });
    if (me.kind === 'account' && me.email === invite.email) acceptStep(shop, invite);
    else sendStep(shop, invite, me);
  } catch (error) {
    if (asRefusal(error).code !== 'no_such_invite') throw error;
    messagePage(t('join.title'), t('join.none'), false);
  }
}

/**
 * @param {Shop} shop
 * @param {OpenedInvite} invite
 */
function aboutText(shop, { by, role, show }) {
  const values = { by, role: t(`staff.${role}`), shop: titleOf(shop), show };
  return t(show ? 'join.about_show' : 'join.about', values);
}

/**
 * A box with words, a form and an alert. `work` is what the button does.
 * @param {{ test: string, words: string[], fields: Record<string, import('./host/form.js').Field<any>>, button: string,
 *   work: () => Promise<void> | null }} options
 */
function showBox({ test, words, fields, button, work }) {
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'join-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = refusalText(refusal);
    if (showFieldError(fields, refusal, text)) return;
    setText(alert, text);
    setVisible(alert, true);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': `${test}-submit` }, button);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    withBusy(submit, () => work() ?? undefined, showRefusal);
  };
  const nodes = Object.values(fields).map((one) => one.node);
  const paragraphs = words.map((text) => el('p', {}, text));
  const props = { noValidate: true, onsubmit: send, 'data-test': test };
  root.replaceChildren(el('form.setup-step', props, paragraphs, nodes, alert, el('div.actions', {}, submit)));
  Object.values(fields)[0]?.control.focus();
}

/**
 * @param {Shop} shop
 * @param {OpenedInvite} invite
 * @param {Identity} me
 */
function sendStep(shop, invite, me) {
  const words = [aboutText(shop, invite), t('join.prove', { email: invite.email })];
  if (me.kind === 'account') words.push(t('join.other'));
  const work = async () => {
    /** @type {{ id: string }} */
    const { id } = await post('/session/email', { email: invite.email, lang });
    codeStep(shop, invite, id);
  };
  showBox({ test: 'join-send', words, fields: {}, button: t('join.send'), work });
}

/**
 * @param {Shop} shop
 * @param {OpenedInvite} invite
 * @param {string} id of the code that was sent
 */
function codeStep(shop, invite, id) {
  const fields = {
    code: field({
      label: t('join.code'),
      test: 'join-code',
      check: sixDigits,
      inputMode: 'numeric',
      autocomplete: 'one-time-code',
      maxLength: 12,
      dir: 'ltr',
    }),
    name: field({
      label: t('join.name'),
      test: 'join-name',
      check: required,
      maxLength: NAME_MAX,
      autocomplete: 'name',
    }),
  };
  const work = () => {
    const values = readAll(fields);
    if (!values) return null;
    return post('/session/email/verify', { id, ...values }).then(accept);
  };
  const words = [aboutText(shop, invite), t('join.prove', { email: invite.email })];
  showBox({ test: 'join-code-form', words, fields, button: t('join.accept'), work });
}

/**
 * @param {Shop} shop
 * @param {OpenedInvite} invite
 */
function acceptStep(shop, invite) {
  const words = [aboutText(shop, invite)];
  showBox({ test: 'join-accept', words, fields: {}, button: t('join.accept'), work: accept });
}

async function accept() {
  /** @type {{ role: string, stream: string | null }} */
  const { role, stream } = await post('/staff/invites/accept', { code });
  const next = stream ? `/host?stream=${encodeURIComponent(stream)}` : role === 'moderator' ? '/host' : '/admin';
  const link = el('a.button.primary', { href: route(next), 'data-test': 'join-go' }, t('setup.to_desk'));
  root.replaceChildren(
    el(
      'div.setup-step',
      { 'data-test': 'join-done' },
      el('p', {}, t('join.joined', { role: t(`staff.${role}`) })),
      link,
    ),
  );
  history.replaceState(null, '', location.pathname + location.search);
}

/**
 * Six digits, in whatever digits they were typed.
 * @param {string} text
 */
function sixDigits(text) {
  const digits = text.replace(/[\s-]/g, '').replace(/[٠-٩۰-۹]/g, (digit) => String((digit.codePointAt(0) ?? 0) & 0xf));
  if (!/^\d{6}$/.test(digits)) throw new Error(t('join.code_wrong'));
  return digits;
}
