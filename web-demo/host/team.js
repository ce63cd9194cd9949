// Helpers: the host makes a link with a role in it, somebody opens it and helps in this one show, until the host takes it back.

import { del, post, token } from '../api.js';
import { dateTime, refusal, t } from '../i18n.js';
import { list } from '../list.js';
import { busy, confirmDialog, sheet } from '../sheet.js';
import { el, icon, toast } from '../ui.js';

const ROLES = ['moderator', 'producer', 'analyst'];
const HOURS = [2, 24, 24 * 7];
const NAME_MAX = 40;

/** The code stands behind the #, which no server and no log sees, and leaves the address at once. */
export function takeInviteFromAddress() {
  const match = /(?:^#|&)invite=([0-9a-f]+)/.exec(location.hash);
  if (!match) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return match[1];
}

/** Asks the newcomer for a name. Resolves true with a token in place, or false. */
export function openInvite(code) {
  token.clear();
  return new Promise((resolve) => {
    let done = false;
    const input = el('input', { type: 'text', id: 'invite-name', maxLength: NAME_MAX, required: true, autocomplete: 'nickname', dir: 'auto', 'data-test': 'invite-name' });
    const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'invite-alert' });
    const button = el('button.primary.wide', { type: 'submit', 'data-test': 'invite-accept' }, t('team.accept'));
    const form = el('form', {}, el('p', {}, t('team.welcome')), el('label', { for: 'invite-name' }, t('team.name')), input, alert, button);
    const dialog = sheet(form, { title: t('team.welcome_title'), test: 'invite', className: 'small', onclose: () => resolve(done) });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) return input.focus();
      return busy(button, async () => {
        token.set((await post(`/invites/${code}`, { name })).token);
        done = true;
        dialog.close();
      }, (problem) => { alert.textContent = refusal(problem); alert.hidden = false; });
    });
    input.focus();
  });
}

export function teamSheet(stream, tell) {
  const fresh = el('div', {});
  const rows = el('div', {}, el('p.empty', {}, t('loading')));
  const role = select('team-role', ROLES.map((name) => [name, t(`team.role_${name}`)]));
  const length = select('team-length', HOURS.map((hours) => [hours * 3600, hours < 48 ? t('team.hours', { n: hours }) : t('team.days', { n: hours / 24 })]));
  length.value = String(24 * 3600);
  const button = el('button.primary.wide', { type: 'submit', 'data-test': 'team-invite' }, icon('plus'), t('team.invite'));
  const form = el('form', {}, el('p.fine', {}, t('team.why')), el('div.pair', {}, el('label', {}, t('team.role'), role), el('label', {}, t('team.length'), length)), button);

  async function load() {
    try {
      const invites = await list(`/streams/${stream.id}/invites`, 1);
      const open = invites.filter((invite) => !invite.revoked_at && invite.expires_at > Date.now());
      rows.replaceChildren(open.length ? el('ul.muted', { 'data-test': 'team-list' }, open.map(row)) : el('p.empty', {}, t('team.none')));
    } catch (problem) {
      rows.replaceChildren(el('p.alert', {}, refusal(problem)));
    }
  }

  function row(invite) {
    const { id, role: what, expires_at, helpers } = invite;
    const people = helpers.length ? helpers.map((helper) => el('span.helper', { 'data-online': helper.online }, el('bdi', {}, helper.name), helper.online ? ` · ${t('team.online')}` : '')) : t('team.nobody');
    const revoke = el('button.slim.danger', { type: 'button', 'data-test': `revoke-${id}`, onclick: async () => {
      const yes = await confirmDialog({ title: t('team.revoke'), text: t('team.revoke_sure', { n: helpers.length }), yes: t('team.revoke'), danger: true });
      if (yes) await busy(revoke, async () => { await del(`/streams/${stream.id}/invites/${id}`); await load(); }, tell);
    } }, t('team.revoke'));
    return el('li', {}, el('span.row-text', {}, el('b.row-title', {}, t(`team.role_${what}`)), el('small', {}, people), el('small', {}, t('team.until', { at: dateTime(expires_at) }))), revoke);
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(button, async () => {
      const { code } = await post(`/streams/${stream.id}/invites`, { role: role.value, expires_s: Number(length.value) });
      fresh.replaceChildren(link(`${location.origin}/host?stream=${encodeURIComponent(stream.id)}#invite=${code}`, role.value));
      await load();
    }, tell);
  });
  sheet([form, fresh, el('h3', {}, t('team.open')), rows], { title: t('team.title'), test: 'team', className: 'side' });
  return load();
}

function select(test, choices) {
  return el('select', { 'data-test': test }, choices.map(([value, text]) => new Option(text, value)));
}

/** Shown once: the shop keeps only a hash of it. */
function link(url, role) {
  const input = el('input', { value: url, readOnly: true, dir: 'ltr', 'data-test': 'invite-link', 'aria-label': t('team.link', { role: t(`team.role_${role}`) }), onfocus: () => input.select() });
  const copy = el('button.slim', { type: 'button', 'data-test': 'invite-copy', onclick: async () => {
    try {
      await navigator.clipboard.writeText(url);
      toast(t('share.copied'));
    } catch {
      input.focus();
    }
  } }, t('team.copy'));
  return el('div.fresh-link', {}, el('p', {}, t('team.once')), el('span.inline', {}, input, copy));
}
