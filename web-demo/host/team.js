// The team of a show: the host makes invite links with a role, and revokes them.

import { asRefusal, del, post } from '../api.js';
import { shopAddress } from '../base.js';
import { formatDateTime, refusalText, t } from '../i18n.js';
import { listAll } from '../list.js';
import { copyLink } from '../share.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, icon } from '../ui.js';

/** @import { Invite, Refusal, Stream } from '../types.d.ts' */

const ROLES = /** @type {const} */ (['moderator', 'producer', 'analyst']);
const HOURS = [2, 24, 24 * 7];
const DEFAULT_HOURS = 24;
/** How many people may use a link. One link for each person is the safest. */
const USES = [1, 5, 20];

/**
 * @param {Stream} stream
 * @param {(refusal: Refusal) => void} onrefused
 * @param {() => number} now the time of the server
 */
export function teamSheet(stream, onrefused, now) {
  const path = `/streams/${stream.id}/invites`;
  const newLink = el('div');
  const list = el('div', {}, el('p.empty', {}, t('loading')));
  const role = el(
    'select',
    { 'data-test': 'team-role' },
    ROLES.map((name) => new Option(t(`team.role_${name}`), name)),
  );
  const length = el(
    'select',
    { 'data-test': 'team-length' },
    HOURS.map((hours) => new Option(lengthText(hours), String(hours * 3600))),
  );
  length.value = String(DEFAULT_HOURS * 3600);
  const uses = el(
    'select',
    { 'data-test': 'team-uses' },
    USES.map((n) => new Option(t('team.people', { n }), String(n))),
  );
  const button = el(
    'button.primary.wide',
    { type: 'submit', 'data-test': 'team-invite' },
    icon('plus'),
    t('team.invite'),
  );

  async function load() {
    try {
      /** @type {Invite[]} */
      const invites = await listAll(path, 1);
      const active = invites.filter((invite) => !invite.revoked_at && invite.expires_at > now());
      const rows = active.map((invite) => inviteRow(invite, path, onrefused, load));
      const content = rows.length
        ? el('ul.muted', { 'data-test': 'team-list' }, rows)
        : el('p.empty', {}, t('team.none'));
      list.replaceChildren(content);
    } catch (error) {
      list.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
    }
  }

  const create = async () => {
    /** @type {{ code: string }} */
    const { code } = await post(path, {
      role: role.value,
      expires_s: Number(length.value),
      uses: Number(uses.value),
    });
    const url = `${shopAddress()}/host?stream=${encodeURIComponent(stream.id)}#invite=${code}`;
    newLink.replaceChildren(linkBox(url, role.value));
    await load();
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    withBusy(button, create, onrefused);
  };
  const form = el(
    'form',
    { onsubmit: submit },
    el('p.fine', {}, t('team.why')),
    el('div.pair', {}, el('label', {}, t('team.role'), role), el('label', {}, t('team.length'), length)),
    el('label', {}, t('team.uses'), uses),
    button,
  );
  const content = [form, newLink, el('h3', {}, t('team.open')), list];
  openSheet(content, { title: t('team.title'), test: 'team', className: 'side' });
  return load();
}

/** @param {number} hours */
const lengthText = (hours) => (hours < 48 ? t('team.hours', { n: hours }) : t('team.days', { n: hours / 24 }));

/**
 * @param {Invite} invite
 * @param {string} path
 * @param {(refusal: Refusal) => void} onrefused
 * @param {() => Promise<void>} onrevoked
 */
function inviteRow({ id, role, expires_at, uses, helpers }, path, onrefused, onrevoked) {
  const people = helpers.map(({ name, online }) =>
    el('span.helper', { 'data-online': online }, el('bdi', {}, name), online ? ` · ${t('team.online')}` : ''),
  );
  const revoke = async () => {
    const text = t('team.revoke_sure', { n: helpers.length });
    const yes = await confirmDialog({ title: t('team.revoke'), text, yes: t('team.revoke'), danger: true });
    if (yes) await withBusy(button, () => del(`${path}/${id}`).then(onrevoked), onrefused);
  };
  const props = { type: 'button', 'data-test': `revoke-${id}`, onclick: revoke };
  const button = el('button.slim.danger', props, t('team.revoke'));
  return el(
    'li',
    {},
    el(
      'span.row-text',
      {},
      el('b.row-title', {}, t(`team.role_${role}`)),
      el('small', {}, people.length ? people : t('team.nobody')),
      el('small', { 'data-test': 'team-used' }, t('team.used', { used: helpers.length, n: uses })),
      el('small', {}, t('team.until', { at: formatDateTime(expires_at) })),
    ),
    button,
  );
}

/**
 * A new link. It is shown once, because the server keeps only a hash of its code.
 * @param {string} url
 * @param {string} role
 */
function linkBox(url, role) {
  const input = el('input', {
    value: url,
    readOnly: true,
    dir: 'ltr',
    'data-test': 'invite-link',
    'aria-label': t('team.link', { role: t(`team.role_${role}`) }),
    onfocus: () => input.select(),
  });
  const props = { type: 'button', 'data-test': 'invite-copy', onclick: () => copyLink(url, input) };
  const copy = el('button.slim', props, t('team.copy'));
  return el('div.fresh-link', {}, el('p', {}, t('team.once')), el('span.inline', {}, input, copy));
}
