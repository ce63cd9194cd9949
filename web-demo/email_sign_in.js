// Signing in with an account: by a code that is sent by e-mail, then by a passkey where the account has one. The sheets of buyers and of
// the staff share these steps, and so does the proof before what cannot be undone.

import { get, post, Problem } from './api.js';
import { lang, load, refusalText, t } from './i18n.js';
import { signedIn } from './identity.js';
import { oidcButton } from './oidc.js';
import { openSheet, withBusy } from './sheet.js';
import { el, style } from './ui.js';

/** @import { Identity, Refusal } from './types.d.ts' */

const NAME = 'livesouk.name';
const NAME_MAX = 40;

await Promise.all([load('buy'), style('sheet', 'fields')]);

/**
 * Asks for the code that is sent to an address, in a sheet. Resolves to true when the reader has signed in.
 * @param {{ email?: string, title: string, about: string }} options `email`: the address that must be proved
 * @returns {Promise<boolean>}
 */
export async function signInByEmail({ email, title, about }) {
  /** @type {Identity} */
  const who = await get('/session');
  return inSheet(title, (body, done) => {
    const first = () => {
      const byPasskey = who.passkeys && !email ? [passkeyForm(done, 'button.wide')] : [];
      const byProvider = email ? [] : oidcButton(who);
      const byCode = who.email_sign_in ? [el('p', {}, about), emailForm({ email, next: second })] : [];
      const both = byPasskey.length + byProvider.length && byCode.length ? [or('sign_in.or_code')] : [];
      body.replaceChildren(...byPasskey, ...byProvider, ...both, ...byCode);
      if (!email) body.querySelector('input')?.focus();
    };
    /** @param {Sent} sent */
    const second = (sent) => codeStep(body, sent, { done, back: email ? null : first });
    first();
  });
}

/** Proves once more who the reader is: by a passkey if the account has one. Resolves to false when the reader gave up. */
export async function proveAgain() {
  /** @type {Identity} */
  const { email, passkey } = await get('/session');
  const [title, about] = [t('sign_in.title'), t('error.sign_in_again')];
  if (passkey !== 'none') return provePasskey(about);
  return email ? signInByEmail({ email, title, about }) : false;
}

/**
 * Asks for the passkey of the account in a sheet. Resolves to true when it was used.
 * @param {string} about
 */
export function provePasskey(about) {
  return inSheet(t('passkey.title'), (body, done) => {
    body.replaceChildren(el('p', {}, about), passkeyForm(done));
  });
}

/**
 * @param {string} title
 * @param {(body: HTMLElement, done: () => void) => void} start
 * @returns {Promise<boolean>}
 */
function inSheet(title, start) {
  return new Promise((resolve) => {
    let isDone = false;
    const body = el('div.sign-in');
    const dialog = openSheet(body, { title, test: 'signin', className: 'small', onclose: () => resolve(isDone) });
    start(body, () => {
      isDone = true;
      dialog.close();
    });
  });
}

/** @param {'sign_in.or' | 'sign_in.or_code'} key */
export const or = (key) => el('p.or', {}, el('span', {}, t(key)));

/** @typedef {{ id: string, email: string }} Sent a code that is on its way */

/**
 * A form that shows why it was refused.
 * @param {{ test: string, fields: HTMLElement[], button: HTMLButtonElement, send: () => Promise<unknown>, onrefused?: (refusal: Refusal) => boolean | void }} options `onrefused` gives true for a refusal that needs no sentence
 */
export function form({ test, fields, button, send, onrefused }) {
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': `${test}-alert` });
  const node = el('form', {}, fields, alert, button);
  node.addEventListener('submit', (event) => {
    event.preventDefault();
    alert.hidden = true;
    withBusy(button, send, (refusal) => {
      if (onrefused?.(refusal)) return;
      alert.textContent = refusalText(refusal);
      alert.hidden = false;
    });
  });
  return node;
}

/**
 * @param {string} test
 * @param {string} label
 * @param {Record<string, unknown>} props
 */
function field(test, label, props) {
  const input = el('input', { type: 'text', id: test, required: true, 'data-test': test, ...props });
  return { input, parts: [el('label', { for: test }, label), input] };
}

export const nameField = () =>
  field('signin-name', t('sign_in.name'), {
    maxLength: NAME_MAX,
    autocomplete: 'nickname',
    dir: 'auto',
    value: storedName(),
  });

/** @param {{ email?: string, about?: string, next: (sent: Sent) => void }} options `email`: the only one that counts */
export function emailForm({ email, about, next }) {
  const { input, parts } = field('signin-email', t('sign_in.email'), {
    type: 'email',
    autocomplete: 'email',
    inputMode: 'email',
    dir: 'ltr',
    maxLength: 254,
    value: email ?? '',
    readOnly: Boolean(email),
  });
  const look = email ? 'button.primary.wide' : 'button.wide';
  const button = el(look, { type: 'submit', 'data-test': 'signin-send' }, t('sign_in.send'));
  const send = async () => next(await ask(input.value.trim()));
  const note = about ? [el('p.fine', {}, about)] : [];
  return form({ test: 'signin-email', fields: [...parts, ...note], button, send });
}

/**
 * @param {string} email
 * @returns {Promise<Sent>}
 */
async function ask(email) {
  /** @type {{ id: string }} */
  const { id } = await post('/session/email', { email, lang });
  return { id, email };
}

/**
 * The code, and a passkey after it where the account has one.
 * @param {HTMLElement} body
 * @param {Sent} sent
 * @param {{ done: () => void, back: (() => void) | null }} options
 */
export function codeStep(body, sent, { done, back }) {
  /** @param {Identity} who */
  const next = (who) => {
    if (who.passkey !== 'needed') return done();
    body.replaceChildren(el('p', { 'data-test': 'passkey-step' }, t('passkey.step')), passkeyForm(done));
    body.querySelector('button')?.focus();
  };
  body.replaceChildren(...codeForm(sent, { next, back }));
  body.querySelector('input')?.focus();
}

/**
 * @param {Sent} sent
 * @param {{ next: (who: Identity) => void, back: (() => void) | null }} options
 * @returns {HTMLElement[]}
 */
function codeForm(sent, { next, back }) {
  const { input, parts } = field('signin-code', t('sign_in.code'), {
    inputMode: 'numeric',
    autocomplete: 'one-time-code',
    dir: 'ltr',
    maxLength: 12,
  });
  const name = nameField();
  const nameBox = el('div', { hidden: true }, name.parts);
  name.input.required = false;
  const button = el('button.primary.wide', { type: 'submit', 'data-test': 'signin-verify' }, t('sign_in.verify'));
  const send = async () => {
    const chosen = nameBox.hidden ? null : name.input.value.trim();
    const who = await post('/session/email/verify', { id: sent.id, code: input.value, name: chosen });
    await begin(who);
    if (chosen) storeName(chosen);
    return next(who);
  };
  /** A new account has no name yet: the code remains valid. @param {Refusal} refusal */
  const onrefused = ({ code }) => {
    if (code !== 'name_needed') {
      input.select();
      return false;
    }
    nameBox.hidden = false;
    name.input.required = true;
    name.input.focus();
    return true;
  };
  const again = el('button.ghost', { type: 'button', 'data-test': 'signin-again' }, t('sign_in.again'));
  const note = el('p.fine', { role: 'status' });
  again.addEventListener('click', () =>
    withBusy(
      again,
      async () => {
        sent.id = (await ask(sent.email)).id;
        note.textContent = t('sign_in.sent_again');
        input.value = '';
        input.focus();
      },
      (refusal) => {
        note.textContent = refusalText(refusal);
      },
    ),
  );
  const other =
    back && el('button.ghost', { type: 'button', 'data-test': 'signin-other', onclick: back }, t('sign_in.other'));
  return [
    el('p', { 'data-test': 'signin-sent' }, t('sign_in.code_sent', { email: sent.email })),
    form({ test: 'signin-code', fields: [...parts, nameBox], button, send, onrefused }),
    note,
    el('div.actions', {}, other, again),
  ];
}

/**
 * The button that asks for a passkey.
 * @param {() => void} done
 * @param {'button.wide' | 'button.primary.wide'} [look]
 */
function passkeyForm(done, look = 'button.primary.wide') {
  const button = el(look, { type: 'submit', 'data-test': 'passkey-use' }, t('passkey.use'));
  const send = async () => {
    const { hasPasskeys, usePasskey } = await import('./passkey.js');
    if (!hasPasskeys()) throw new Problem('passkey_unsupported');
    await begin(await usePasskey());
    done();
  };
  return form({ test: 'passkey', fields: [], button, send });
}

/**
 * The server signed the reader in. A browser that keeps no cookie here, for example in a frame of another site, is still nobody.
 * @param {Identity} who
 */
export async function begin(who) {
  /** @type {Identity} */
  const now = await get('/session');
  if (now.user !== who.user) throw new Problem('cookies_blocked');
  signedIn(who);
}

function storedName() {
  try {
    return localStorage.getItem(NAME) ?? '';
  } catch {
    return '';
  }
}

/** @param {string} name */
export function storeName(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // Private mode: the next sign-in begins with an empty field.
  }
}
