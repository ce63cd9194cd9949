// The settings of the shop, its mail server, its keys of Stripe and its API keys, for owners and admins.

import { asRefusal, call, get } from '../api.js';
import { refusalText, t } from '../i18n.js';
import { readAll, showFieldError } from '../host/form.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { ApiKeyPart } from './api_keys.js';
import { mailForm, removeMailServer } from './mail_form.js';
import { keepFocus } from '../keep_focus.js';
import { manualPaymentForm } from './manual_payment_form.js';
import { marketForm } from './market_form.js';
import { policiesPart } from './policies_part.js';
import { retentionForm } from './retention_form.js';
import { shopForm, shopRequest } from './shop_form.js';
import { stripePart } from './stripe_form.js';

/** @import { Identity, MailServer, Refusal, Role, ShopSettings } from '../types.d.ts' */

/**
 * Shows the settings. A refusal of the first read is thrown, so that the page can offer to sign in.
 * @param {HTMLElement} root
 * @param {Role} role of the user
 */
export async function showSettings(root, role) {
  /** @type {ShopSettings} */
  const settings = await get('/shop/settings');
  const hasProducts = /** @type {{ items: unknown[] }} */ (await get('/products?status=any&limit=1')).items.length > 0;
  const { nodes, fields, ticked } = shopForm(settings, { canChangeCurrency: !hasProducts });
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'settings-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = refusalText(refusal);
    if (showFieldError(fields, refusal, text)) return;
    setText(alert, text);
    setVisible(alert, true);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': 'settings-save' }, t('save'));
  let isChanged = false;
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    const values = readAll(fields);
    const boxes = ticked();
    if (!values || !boxes) return;
    const send = async () => {
      await call('PATCH', '/shop/settings', { body: shopRequest(values, boxes, settings.titles) });
      isChanged = false;
      toast(t('settings.saved'), { kind: 'good', test: 'settings-saved' });
    };
    withBusy(submit, send, showRefusal);
  };
  const props = { noValidate: true, onsubmit: save, oninput: () => (isChanged = true), 'data-test': 'settings-form' };
  const form = el('form.desk-form', props, nodes, alert, el('div.actions', {}, submit));
  globalThis.addEventListener('beforeunload', (event) => {
    if (isChanged || market.isChanged() || policies.isChanged()) event.preventDefault();
  });
  const market = marketForm(settings.market);
  const policies = policiesPart(settings);
  const keys = new ApiKeyPart();
  await keys.reload();
  const manual = manualPaymentForm(settings.manual_payments);
  const mail = role === 'owner' ? await mailPart() : await mailWords();
  // The money of the shop goes to the account of these keys, so only an owner sees them.
  const stripe = role === 'owner' ? [await stripePart()] : [];
  const retention = retentionForm(settings.kept_days);
  root.replaceChildren(form, market.node, manual, ...stripe, policies.node, retention, mail, keys.node);
}

/** What an admin reads about the mail server, which only an owner sets. */
async function mailWords() {
  /** @type {MailServer} */
  const { is_given, host, from } = await get('/shop/settings/mail');
  const inUse = host ? t('mail_server.in_use', { host, from: from ?? '' }) : t('mail_server.not_set');
  return el(
    'section.desk-form',
    { 'data-test': 'mail-words' },
    el('h2', {}, t('mail_server.title')),
    el('p.fine', {}, t('mail_server.about')),
    el('p', {}, is_given ? t('mail_server.given') : inUse),
    el('p', {}, t('mail_server.owner_only')),
  );
}

/** The mail server, a form of its own. What changes it needs a recent sign-in. */
async function mailPart() {
  const part = el('form.desk-form', { noValidate: true, 'data-test': 'mail-form' });
  const paint = async () => {
    /** @type {Identity} */
    const { email } = await get('/session');
    const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'mail-alert' });
    /** @type {(refusal: Refusal) => void} */
    let show = () => {};
    const { nodes, fields, save, isOpen, isSet } = await mailForm({ email, showRefusal: (refusal) => show(refusal) });
    show = (refusal) => {
      const text = refusalText(refusal);
      if (showFieldError(fields, refusal, text)) return;
      setText(alert, text);
      setVisible(alert, true);
    };
    const submit = el('button.primary', { type: 'submit', 'data-test': 'mail-save' }, t('save'));
    const drop = async () => {
      await removeMailServer();
      toast(t('mail_server.removed'), { test: 'mail-removed' });
      await paint();
    };
    const bin = el(
      'button.ghost',
      { type: 'button', 'data-test': 'mail-remove', onclick: () => withBusy(bin, drop, show) },
      t('mail_server.remove'),
    );
    part.onsubmit = (event) => {
      event.preventDefault();
      setVisible(alert, false);
      const work = async () => {
        const saving = save();
        if (!saving) return;
        await saving;
        toast(t('mail_server.saved'), { kind: 'good', test: 'mail-saved' });
        await paint();
      };
      withBusy(submit, work, show);
    };
    const content = [
      el('h2', {}, t('mail_server.title')),
      el('p.fine', {}, t('mail_server.about')),
      ...nodes,
      alert,
      ...(isOpen ? [el('div.actions', {}, isSet && bin, submit)] : []),
    ];
    keepFocus(
      part,
      () => part.replaceChildren(...content),
      () => ['mail-save'],
    );
  };
  await paint();
  return part;
}

/** @param {unknown} error */
export const isForbidden = (error) => ['forbidden', 'sign_in'].includes(asRefusal(error).code);
