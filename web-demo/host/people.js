// The people: the chat with the tools of whoever keeps order, slow mode, and the list of the muted.

import { del, post, put } from '../api.js';
import { ChatField, ChatList } from '../chat.js';
import { dateTime, refusal, t } from '../i18n.js';
import { list } from '../list.js';
import { busy, confirmDialog, sheet } from '../sheet.js';
import { el, icon } from '../ui.js';

const SLOW_S = [0, 5, 10, 30, 60, 300];
const MUTE_MIN = [1, 10, 60];
const PROTECTED = new Set(['host', 'admin']);

export class People {
  constructor({ client, stream, tell, $, offerOf }) {
    Object.assign(this, { client, stream, tell });
    this.chat = new ChatList({ list: $('chat-list'), pill: $('chat-pill'), tools: (message) => this.tools(message), offerOf });
    this.field = new ChatField({
      form: $('chat-form'), input: $('chat-input'), button: $('chat-send'), tell, now: () => client.now(), hint: t('host.say'),
      gate: () => (client.show?.status === 'ended' ? { reason: t('chat.ended') } : null),
      send: (text) => post(`/streams/${stream.id}/messages`, { text }),
    });
    this.slow = $('slow');
    for (const seconds of SLOW_S) this.slow.append(new Option(seconds ? t('host.seconds', { n: seconds }) : t('host.slow_off'), seconds));
    this.slow.addEventListener('change', () => busy(this.slow, () => put(`/streams/${stream.id}/chat`, { slow_s: Number(this.slow.value) }), tell));
    $('muted-list').addEventListener('click', () => this.mutedList());
  }

  slowMode(slow_ms = 0) {
    const seconds = String(Math.round(slow_ms / 1000));
    if (![...this.slow.options].some((option) => option.value === seconds)) this.slow.append(new Option(t('host.seconds', { n: Number(seconds) }), seconds));
    if (document.activeElement !== this.slow) this.slow.value = seconds;
  }

  /** The tools of one line, made only when asked for: a busy chat is thousands of lines. */
  tools({ id, from }) {
    const toggle = el('button.ghost.round.line-more', { type: 'button', 'aria-label': t('host.tools', { name: from.name }), 'aria-expanded': 'false', 'data-test': 'msg-tools', onclick: () => {
      const row = toggle.parentNode.querySelector('.line-tools');
      toggle.setAttribute('aria-expanded', !row);
      if (row) row.remove();
      else toggle.after(this.toolRow(id, from));
    } }, '⋯');
    return toggle;
  }

  toolRow(id, from) {
    const base = `/streams/${this.stream.id}`;
    const button = (label, test, act, look = 'slim') => el(`button.${look}`, { type: 'button', 'data-test': test, onclick: (event) => busy(event.currentTarget, act, this.tell) }, label);
    return el('span.line-tools', {},
      button(t('host.delete'), 'msg-delete', () => del(`${base}/messages/${id}`)),
      PROTECTED.has(from.role) ? [] : [
        ...MUTE_MIN.map((minutes) => button(t('host.mute', { n: minutes }), `msg-mute-${minutes}`, () => put(`${base}/mutes/${from.id}`, { seconds: minutes * 60 }))),
        button(t('host.ban'), 'msg-ban', () => this.ban(from), 'slim.danger'),
      ]);
  }

  async ban(from) {
    const yes = await confirmDialog({ title: t('host.ban'), text: t('host.ban_sure', { name: from.name }), yes: t('host.ban'), danger: true });
    if (yes) await put(`/streams/${this.stream.id}/bans/${from.id}`);
  }

  async mutedList() {
    const body = el('div', {}, el('p.empty', {}, t('loading')));
    sheet(body, { title: t('host.muted'), test: 'muted', className: 'side' });
    try {
      const items = await list(`/streams/${this.stream.id}/mutes`);
      body.replaceChildren(items.length ? el('ul.muted', {}, items.map((item) => this.mutedRow(item))) : el('p.empty', {}, t('host.muted_none')));
    } catch (problem) {
      body.replaceChildren(el('p.alert', {}, refusal(problem)));
    }
  }

  mutedRow({ user, name, kind, until, by }) {
    const door = kind === 'ban' ? 'bans' : 'mutes';
    const free = el('button.slim', { type: 'button', 'data-test': `free-${user}`, onclick: () => busy(free, async () => {
      await del(`/streams/${this.stream.id}/${door}/${user}`);
      row.remove();
    }, this.tell) }, icon('check'), t(kind === 'ban' ? 'host.unban' : 'host.unmute'));
    const row = el('li', {}, el('span.row-text', {}, el('bdi.row-title', {}, name ?? user),
      el('small', {}, kind === 'ban' ? t('host.banned_by', { by }) : t('host.muted_by', { by, at: until ? dateTime(until) : '…' }))), free);
    return row;
  }
}
