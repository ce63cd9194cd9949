// The sign-in of the shop's own pages: as a guest under a name, or with an account by a code by e-mail.

import { get, post, Problem, signedInAs } from './api.js';
import { lang, load, refusalText, t } from './i18n.js';
import { signedIn } from './identity.js';
import { openSheet, withBusy } from './sheet.js';
import { el, style } from './ui.js';

/** @import { Identity, Refusal } from './types.d.ts' */
/** @typedef {'buy' | 'buyers' | 'orders' | 'stock_alert'} About what the reader was about to do */

const NAME = 'livesouk.name';
const NAME_MAX = 40;

await Promise.all([load('buy'), style('sheet')]);

/**
 * Asks the reader to sign in. Resolves when the sheet is closed, to whom the reader is then; null: nobody.
 * @param {{ about?: About, onlyByEmail?: boolean }} [options] `onlyByEmail`: a guest wants an account
 * @returns {Promise<string | null>}
 */
export async function signInSheet({ about, onlyByEmail = false } = {}) {
  /** @type {Identity} */
  const who = await get('/session');
  if (who.kind !== 'anonymous' && !onlyByEmail) {
    // Another tab signed in, or this one forgot.
    signedIn(who);
    return signedInAs();
  }
  return new Promise((resolve) => {
    const plain = onlyByEmail ? 'account.by_email_why' : 'sign_in.why';
    const why = about ? `sign_in.why_${about}` : plain;
    const body = el('div.sign-in');
    const done = () => dialog.close();
    const first = () => {
      body.replaceChildren(
        el('p', {}, t(why)),
        ...(onlyByEmail ? [] : [guestForm(done)]),
        ...(who.email_sign_in && !onlyByEmail ? [el('p.or', {}, el('span', {}, t('sign_in.or')))] : []),
        ...(who.email_sign_in ? [emailForm((sent) => second(sent))] : []),
        ...(onlyByEmail && !who.email_sign_in ? [el('p', {}, t('error.email_off'))] : []),
      );
      body.querySelector('input')?.focus();
    };
    /** @param {Sent} sent */
    const second = (sent) => {
      body.replaceChildren(...codeForm(sent, { done, back: first }));
      body.querySelector('input')?.focus();
    };
    const dialog = openSheet(body, {
      title: t(onlyByEmail ? 'account.by_email' : 'sign_in.title'),
      test: 'signin',
      className: 'small',
      onclose: () => resolve(onlyByEmail && !hasChanged(who) ? null : signedInAs()),
    });
    first();
  });
}

/** @typedef {{ id: string, email: string }} Sent a code that is on its way */

/** @param {Identity} before */
const hasChanged = (before) => signedInAs() !== before.user;

/**
 * A form that shows why it was refused.
 * @param {{ test: string, fields: HTMLElement[], button: HTMLButtonElement, send: () => Promise<unknown>, onrefused?: (refusal: Refusal) => boolean | void }} options `onrefused` gives true for a refusal that needs no sentence
 */
function form({ test, fields, button, send, onrefused }) {
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

const nameField = () =>
  field('signin-name', t('sign_in.name'), {
    maxLength: NAME_MAX,
    autocomplete: 'nickname',
    dir: 'auto',
    value: storedName(),
  });

/** @param {() => void} done */
function guestForm(done) {
  const { input, parts } = nameField();
  const button = el('button.primary.wide', { type: 'submit', 'data-test': 'signin-submit' }, t('sign_in.guest_submit'));
  const send = async () => {
    const name = input.value.trim();
    if (!name) return input.focus();
    await begin(await post('/session/guest', { name }));
    storeName(name);
    return done();
  };
  return form({ test: 'signin', fields: parts, button, send });
}

/** @param {(sent: Sent) => void} next */
function emailForm(next) {
  const { input, parts } = field('signin-email', t('sign_in.email'), {
    type: 'email',
    autocomplete: 'email',
    inputMode: 'email',
    dir: 'ltr',
    maxLength: 254,
  });
  const button = el('button.wide', { type: 'submit', 'data-test': 'signin-send' }, t('sign_in.send'));
  const send = async () => next(await ask(input.value.trim()));
  const about = el('p.fine', {}, t('sign_in.email_about'));
  return form({ test: 'signin-email', fields: [...parts, about], button, send });
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
 * @param {Sent} sent
 * @param {{ done: () => void, back: () => void }} options
 * @returns {HTMLElement[]}
 */
function codeForm(sent, { done, back }) {
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
    await begin(await post('/session/email/verify', { id: sent.id, code: input.value, name: chosen }));
    if (chosen) storeName(chosen);
    return done();
  };
  /** A new account has no name yet: the code stays good. @param {Refusal} refusal */
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
  const other = el('button.ghost', { type: 'button', 'data-test': 'signin-other', onclick: back }, t('sign_in.other'));
  return [
    el('p', { 'data-test': 'signin-sent' }, t('sign_in.code_sent', { email: sent.email })),
    form({ test: 'signin-code', fields: [...parts, nameBox], button, send, onrefused }),
    note,
    el('div.actions', {}, other, again),
  ];
}

/**
 * The server signed the reader in. A browser that keeps no cookie here, for example in a frame of another site, is still nobody.
 * @param {Identity} who
 */
async function begin(who) {
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
function storeName(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // Private mode: the next sign-in begins with an empty field.
  }
}
