// The staff of the shop: who has which role, and invites by e-mail. For owners and admins.

import { asRefusal, del, get, post, put } from '../api.js';
import { formatDateTime, lang, refusalText, t, titleOf } from '../i18n.js';
import { field, readAll, showFieldError } from '../host/form.js';
import { outranks } from '../host/rank.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, icon, toast } from '../ui.js';
import { choice } from './choice.js';
import { emailAddress } from './email_address.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { Identity, Refusal, Role, StaffInvite, StaffMember, Stream } from '../types.d.ts' */

const ROLES = /** @type {const} */ (['owner', 'admin', 'host', 'producer', 'moderator', 'analyst']);
/** Roles of the whole shop only. */
const SHOP_ROLES = new Set(['owner', 'admin']);

export class StaffPage {
  /** @param {{ root: HTMLElement, me: Identity, shows: Stream[] }} options */
  constructor({ root, me, shows }) {
    this.root = root;
    this.me = me;
    this.shows = shows;
    this.members = el('ul.staff-list', { 'data-test': 'staff-members' });
    this.invites = el('ul.staff-list', { 'data-test': 'staff-invites' });
    this.nobody = el('p.empty', { 'data-test': 'staff-none' }, t('staff.no_members'));
    this.none = el('p.empty', {}, t('staff.no_invites'));
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    await this.reload();
    const props = { type: 'button', 'data-test': 'staff-invite', onclick: () => this.openInvite() };
    this.root.replaceChildren(
      el(
        'div.desk-head',
        {},
        el('h2', {}, t('staff.members')),
        el('button.primary', props, icon('plus'), t('staff.invite')),
      ),
      this.members,
      this.nobody,
      el('h2', {}, t('staff.invites')),
      this.invites,
      this.none,
    );
  }

  async reload() {
    /** @type {{ members: StaffMember[], invites: StaffInvite[] }} */
    const { members, invites } = await get('/staff');
    this.members.replaceChildren(...members.map((member) => this.memberRow(member)));
    this.invites.replaceChildren(...invites.map((invite) => this.inviteRow(invite)));
    this.nobody.hidden = members.length > 0;
    this.none.hidden = invites.length > 0;
  }

  /** @param {Role} role */
  mayGive(role) {
    return this.me.role === 'owner' || outranks(this.me.role, role);
  }

  /** @param {string | null} stream */
  placeText(stream) {
    if (!stream) return t('staff.whole_shop');
    return titleOf(this.shows.find(({ id }) => id === stream)) || stream;
  }

  /** @param {StaffMember} member */
  memberRow(member) {
    const { account, name, email, role, stream, by } = member;
    const isMe = this.me.user === member.user;
    const change = { type: 'button', 'data-test': `change-${account}`, onclick: () => this.openChange(member) };
    const remove = { type: 'button', 'data-test': `remove-${account}`, onclick: () => this.remove(member) };
    return el(
      'li',
      { 'data-role': role },
      el(
        'span.row-text',
        {},
        el('b.row-title', {}, el('bdi', {}, name), isMe && ` · ${t('staff.you')}`),
        el('small', {}, `${t(`staff.${role}`)} · `, el('bdi', {}, this.placeText(stream))),
        el('small', {}, email ? el('bdi', { dir: 'ltr' }, email) : t('staff.no_email')),
        el('small', {}, t('staff.by', { name: by })),
      ),
      this.mayGive(role) && [
        el('button.slim', change, t('staff.change')),
        el('button.slim.danger', remove, t('staff.remove')),
      ],
    );
  }

  /** @param {StaffInvite} invite */
  inviteRow({ id, email, role, stream, by, expires_at }) {
    const withdraw = () =>
      withBusy(button, () => del(`/staff/invites/${id}`).then(() => this.reload()), this.showRefusal);
    const button = el(
      'button.slim.danger',
      { type: 'button', 'data-test': `withdraw-${id}`, onclick: withdraw },
      t('staff.withdraw'),
    );
    return el(
      'li',
      {},
      el(
        'span.row-text',
        {},
        el('b.row-title', {}, el('bdi', { dir: 'ltr' }, email)),
        el('small', {}, `${t(`staff.${role}`)} · `, el('bdi', {}, this.placeText(stream))),
        el(
          'small',
          {},
          `${t('staff.invited_by', { name: by })} · ${t('staff.until', { at: formatDateTime(expires_at) })}`,
        ),
      ),
      this.mayGive(role) && button,
    );
  }

  /** @param {Refusal} refusal */
  showRefusal = (refusal) => toast(refusalText(refusal), { kind: 'warn' });

  /** @param {StaffMember} member */
  async remove({ account, name, role, stream }) {
    const [title, text] = [t('staff.remove_title', { name }), t('staff.remove_about', { name })];
    if (!(await confirmDialog({ title, text, yes: t('staff.remove'), danger: true }))) return;
    try {
      await del(`/staff/${account}${stream ? `?stream=${encodeURIComponent(stream)}` : ''}`);
      await this.reload();
    } catch (error) {
      return this.showRefusal(asRefusal(error));
    }
    const undo = () =>
      withBusy(button, () => this.setRole(account, role, stream).then(() => this.reload()), this.showRefusal);
    const button = el('button.slim', { type: 'button', 'data-test': 'staff-undo', onclick: undo }, t('staff.undo'));
    toast(t('staff.removed', { name }), { test: 'staff-removed', action: button, ms: 12_000 });
  }

  /**
   * @param {string} account
   * @param {string} role
   * @param {string | null} stream
   */
  setRole(account, role, stream) {
    return put(`/staff/${account}`, { role, ...(stream ? { stream } : {}) });
  }

  /**
   * The roles that the reader may give, with what each allows.
   * @param {{ value: string, isForShow: () => boolean }} options
   */
  roleField({ value, isForShow }) {
    const about = el('p.fine', { 'data-test': 'role-about' });
    const roles = ROLES.filter((role) => this.mayGive(role));
    /** @param {string} role */
    const explain = (role) => (about.textContent = t(`staff.about_${role}`));
    const one = choice({
      label: t('staff.role'),
      test: 'staff-role',
      options: roles.map((role) => [role, t(`staff.${role}`)]),
      value,
      onchange: explain,
    });
    explain(value);
    /** Owners and admins are those of the whole shop. */
    const paint = () => {
      for (const option of one.control.querySelectorAll('option')) {
        option.disabled = isForShow() && SHOP_ROLES.has(option.value);
      }
      if (one.control.querySelector('option:checked')?.matches(':disabled')) {
        one.control.value = 'host';
        explain('host');
      }
    };
    return { one, about, paint };
  }

  openInvite() {
    const shows = this.shows.filter(({ status }) => status !== 'ended');
    const place = choice({
      label: t('staff.place'),
      test: 'staff-place',
      options: [
        ['', t('staff.whole_shop')],
        ...shows.map((show) => /** @type {[string, string]} */ ([show.id, titleOf(show)])),
      ],
      onchange: () => role.paint(),
    });
    const role = this.roleField({ value: 'host', isForShow: () => Boolean(place.control.value) });
    const email = field({
      label: t('staff.email'),
      test: 'staff-email',
      check: emailAddress,
      type: 'email',
      autocomplete: 'off',
      dir: 'ltr',
    });
    const fields = { email, stream: place, role: role.one };
    const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'staff-alert' });
    const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'staff-send' }, t('staff.invite'));
    const send = (/** @type {Event} */ event) => {
      event.preventDefault();
      const values = readAll(fields);
      if (!values) return;
      const body = {
        email: values.email,
        role: values.role,
        lang,
        ...(values.stream ? { stream: values.stream } : {}),
      };
      const work = async () => {
        await post('/staff/invites', body);
        dialog.close();
        toast(t('staff.invited', { email: values.email }), { kind: 'good', test: 'staff-invited' });
        await this.reload();
      };
      withBusy(submit, work, (refusal) => {
        const text = refusal.code === 'email_off' ? t('staff.email_off') : refusalText(refusal);
        if (showFieldError(fields, refusal, text)) return;
        alert.textContent = text;
        alert.hidden = false;
      });
    };
    const nodes = [el('p.fine', {}, t('staff.invite_about')), email.node, place.node, role.one.node, role.about];
    const form = el('form', { noValidate: true, onsubmit: send }, nodes, alert, submit);
    const dialog = guardTyped(
      openSheet(form, { title: t('staff.invite_title'), test: 'staff-form', className: 'side' }),
    );
    email.control.focus();
  }

  /** @param {StaffMember} member */
  openChange({ account, name, role: before, stream }) {
    const role = this.roleField({ value: before, isForShow: () => Boolean(stream) });
    role.paint();
    const alert = el('p.alert', { role: 'alert', hidden: true });
    const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'staff-save' }, t('save'));
    const save = (/** @type {Event} */ event) => {
      event.preventDefault();
      const chosen = role.one.control.value;
      const work = async () => {
        await this.setRole(account, chosen, stream);
        dialog.close();
        toast(t('staff.changed', { name, role: t(`staff.${chosen}`) }), { kind: 'good', test: 'staff-changed' });
        await this.reload();
      };
      withBusy(submit, work, (refusal) => {
        alert.textContent = refusalText(refusal);
        alert.hidden = false;
      });
    };
    const about = el('p.fine', {}, t('staff.lowered', { name }));
    const form = el('form', { noValidate: true, onsubmit: save }, role.one.node, role.about, about, alert, submit);
    const dialog = openSheet(form, {
      title: t('staff.change_title', { name }),
      test: 'staff-change',
      className: 'side',
    });
    role.one.control.focus();
  }
}
