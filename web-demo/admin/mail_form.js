// The mail server of the shop as a form with a test message: used by the page of the settings and by the set-up.

import { del, get, post, put } from '../api.js';
import { lang, t } from '../i18n.js';
import { anyText, field, readAll, required, wholeNumber } from '../host/form.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible } from '../ui.js';
import { choice } from './choice.js';
import { emailAddress } from './email_address.js';

/** @import { MailServer, Refusal } from '../types.d.ts' */
/** @import { Field } from '../host/form.js' */

const PORT_MAX = 65_535;
/** The usual port of each protection. @type {Record<string, number>} */
const PORTS = { tls: 465, starttls: 587, none: 25 };

/**
 * Shows what can be set here. Without a key for secrets, or where the server was started with a mail server, there is no field.
 * @param {{ email: string | null, showRefusal: (refusal: Refusal) => void }} options `email`: who gets the test message
 */
export async function mailForm({ email, showRefusal }) {
  /** @type {MailServer} */
  const server = await get('/shop/settings/mail');
  const text = (/** @type {string} */ key) => el('p', { 'data-test': 'mail-note' }, t(key));
  const closed = { fields: /** @type {Record<string, Field<any>>} */ ({}), isOpen: false, isSet: false };
  if (server.is_given) return { ...closed, nodes: [text('mail_server.given')], save: () => null };
  if (!server.can_store) return { ...closed, nodes: [text('mail_server.no_key')], save: () => null };
  const fields = formFields(server);
  const request = () => {
    const values = readAll(fields);
    if (!values) return null;
    const { user, password, ...others } = values;
    return { ...others, ...(user ? { user } : {}), ...(password ? { password } : {}) };
  };
  /** Saves what was typed; null: something is wrong, and is marked. */
  const save = () => {
    const body = request();
    return body && put('/shop/settings/mail', body);
  };
  const nodes = [
    fields.host.node,
    el('div.pair', {}, fields.protection.node, fields.port.node),
    el('div.pair', {}, fields.user.node, fields.password.node),
    fields.from.node,
    testPart({ email, request, showRefusal }),
  ];
  return { nodes, fields, save, isOpen: true, isSet: Boolean(server.host) };
}

export const removeMailServer = () => del('/shop/settings/mail');

/** @param {MailServer} server */
function formFields(server) {
  const port = field({
    label: t('mail_server.port'),
    test: 'mail-port',
    check: wholeNumber(1, PORT_MAX),
    value: server.port ?? PORTS.tls,
    inputMode: 'numeric',
  });
  return {
    host: field({
      label: t('mail_server.host'),
      test: 'mail-host',
      check: required,
      value: server.host ?? '',
      dir: 'ltr',
      autocomplete: 'off',
      placeholder: 'smtp.example.com',
    }),
    protection: choice({
      label: t('mail_server.protection'),
      test: 'mail-protection',
      options: [
        ['tls', 'TLS'],
        ['starttls', 'STARTTLS'],
        ['none', t('mail_server.none')],
      ],
      value: server.protection ?? 'tls',
      onchange: (chosen) => (port.control.value = String(PORTS[chosen])),
    }),
    port,
    user: field({
      label: t('mail_server.user'),
      test: 'mail-user',
      check: anyText,
      value: server.user ?? '',
      dir: 'ltr',
      autocomplete: 'off',
    }),
    password: field({
      label: t('mail_server.password'),
      test: 'mail-password',
      check: anyText,
      type: 'password',
      dir: 'ltr',
      autocomplete: 'new-password',
      hint: server.user ? t('mail_server.password_kept') : undefined,
    }),
    from: field({
      label: t('mail_server.from'),
      test: 'mail-from',
      check: emailAddress,
      value: server.from ?? '',
      dir: 'ltr',
      type: 'email',
      autocomplete: 'off',
      placeholder: 'orders@example.com',
    }),
  };
}

/**
 * The test message: what the mail server says to it is shown unchanged, because the user who typed the settings can correct them.
 * @param {{ email: string | null, request: () => object | null, showRefusal: (refusal: Refusal) => void }} options
 */
function testPart({ email, request, showRefusal }) {
  const to = field({
    label: t('mail_server.test_to'),
    test: 'mail-test-to',
    check: emailAddress,
    value: email ?? '',
    dir: 'ltr',
    type: 'email',
    autocomplete: 'off',
  });
  const result = el('p.mail-result', { role: 'status', hidden: true, 'data-test': 'mail-test-result' });
  /**
   * @param {string} text
   * @param {boolean} isGood
   * @param {string} [answer] in English, whatever the language of the page
   */
  const show = (text, isGood, answer = '') => {
    setText(result, text);
    if (answer) result.append(el('bdi', { dir: 'ltr', lang: 'en' }, answer));
    result.dataset.good = String(isGood);
    setVisible(result, true);
  };
  const test = () => {
    const [server, address] = [request(), readAll({ to })];
    if (!server || !address) return;
    setVisible(result, false);
    const send = async () => {
      await post('/shop/settings/mail/test', { server, email: address.to, lang });
      show(t('mail_server.tested', { email: address.to }), true);
    };
    withBusy(button, send, (refusal) => {
      if (refusal.code !== 'mail_refused') return showRefusal(refusal);
      show(t('mail_server.test_failed'), false, String(refusal.detail?.detail ?? ''));
    });
  };
  const button = el('button', { type: 'button', 'data-test': 'mail-test', onclick: test }, t('mail_server.test'));
  return el(
    'fieldset.mail-test',
    {},
    el('legend', {}, t('mail_server.test_title')),
    to.node,
    el('div.actions', {}, button),
    result,
  );
}
