// The people: the chat with the tools of whoever keeps order, its questions, what waits, the log, and the list of the muted.

import { del, post, put } from '../api.js';
import { ChatField, ChatList } from '../chat.js';
import { dateTime, refusal, t } from '../i18n.js';
import { list } from '../list.js';
import { busy, confirmDialog, sheet } from '../sheet.js';
import { el, icon, show } from '../ui.js';
import { Held } from './held.js';
import { Log } from './log.js';
import { rulesSheet } from './rules.js';

const SLOW_S = [0, 5, 10, 30, 60, 300];
const MUTE_MIN = [10, 60];
const REST_OF_SHOW_S = 24 * 3600; // a mute holds in this show alone, and no show is longer
const PROTECTED = new Set(['host', 'admin']);

export class People {
  constructor({ client, stream, tell, $, offerOf }) {
    Object.assign(this, { client, stream, tell, $ });
    this.held = new Held({ stream, tell, root: $('chat-held'), count: $('held-count') });
    this.log = new Log({ stream, tell, root: $('chat-log') });
    this.replying = null;
    this.chat = new ChatList({ list: $('chat-list'), pill: $('chat-pill'), tools: (message) => this.tools(message), offerOf });
    this.field = new ChatField({
      form: $('chat-form'), input: $('chat-input'), button: $('chat-send'), tell, now: () => client.now(), hint: t('host.say'),
      gate: () => (client.show?.status === 'ended' ? { reason: t('chat.ended') } : null),
      send: async (text) => {
        await post(`/streams/${stream.id}/messages`, { text, reply_to: this.replying?.id });
        this.reply(null);
      },
    });
    this.slow = $('slow');
    for (const seconds of SLOW_S) this.slow.append(new Option(seconds ? t('host.seconds', { n: seconds }) : t('host.slow_off'), seconds));
    this.slow.addEventListener('change', () => busy(this.slow, () => put(`/streams/${stream.id}/chat`, { slow_s: Number(this.slow.value) }), tell));
    $('muted-list').addEventListener('click', () => this.mutedList());
    $('rules').addEventListener('click', () => rulesSheet({ stream, rules: client.state.chat, tell }));
    const tabs = [...$('chat-tabs').children];
    for (const [place, tab] of tabs.entries()) {
      tab.addEventListener('click', () => this.choose(tab.dataset.tab));
      tab.addEventListener('keydown', (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = tabs[(place + (document.dir === 'rtl' ? -step : step) + tabs.length) % tabs.length];
        next.focus();
        this.choose(next.dataset.tab);
      });
    }
    this.choose('all');
  }

  choose(tab) {
    const { $ } = this;
    for (const button of $('chat-tabs').children) {
      button.setAttribute('aria-selected', button.dataset.tab === tab);
      button.tabIndex = button.dataset.tab === tab ? 0 : -1;
    }
    show($('chat-all'), tab === 'all' || tab === 'questions');
    show($('chat-held'), tab === 'held');
    show($('chat-log'), tab === 'log');
    $('chat-list').dataset.only = tab;
    if (tab === 'log') this.log.load();
    else if (tab !== 'held') this.chat.toEnd();
  }

  note(event) {
    this.chat.add(event);
    if (event.type === 'muted' || event.type === 'banned' || event.type === 'erased') this.held.drop(event.user);
  }

  rules({ slow_ms, pinned }) {
    this.slowMode(slow_ms);
    const down = pinned && el('button.ghost.round', { type: 'button', 'aria-label': t('host.unpin'), 'data-test': 'unpin-message', onclick: () => busy(down, () => del(`/streams/${this.stream.id}/pinned-message`), this.tell) }, icon('close'));
    this.chat.pin(pinned, down);
  }

  /** The next message answers this one; null: none. */
  reply(message) {
    this.replying = message;
    const bar = this.$('replying');
    show(bar, Boolean(message));
    if (!message) return;
    bar.replaceChildren(el('span', {}, t('host.replying', { name: message.from.name }), ' ', el('bdi', {}, message.text)),
      el('button.ghost.round', { type: 'button', 'aria-label': t('cancel'), onclick: () => this.reply(null) }, icon('close')));
    this.$('chat-input').focus();
  }

  slowMode(slow_ms = 0) {
    const seconds = String(Math.round(slow_ms / 1000));
    if (![...this.slow.options].some((option) => option.value === seconds)) this.slow.append(new Option(t('host.seconds', { n: Number(seconds) }), seconds));
    if (document.activeElement !== this.slow) this.slow.value = seconds;
  }

  /** The tools of one line, made only when asked for: a busy chat is thousands of lines. */
  tools(message) {
    const { from } = message;
    const toggle = el('button.ghost.round.line-more', { type: 'button', 'aria-label': t('host.tools', { name: from.name }), 'aria-expanded': 'false', 'data-test': 'msg-tools', onclick: () => {
      const row = toggle.parentNode.querySelector('.line-tools');
      toggle.setAttribute('aria-expanded', !row);
      if (row) return row.remove();
      const fresh = this.toolRow(message, toggle);
      toggle.after(fresh);
      fresh.scrollIntoView({ block: 'nearest' });
    } }, '⋯');
    return toggle;
  }

  toolRow(message, toggle) {
    const { id, from } = message;
    const base = `/streams/${this.stream.id}`;
    const why = el('input.reason', { type: 'text', dir: 'auto', maxLength: 200, placeholder: t('host.reason'), 'aria-label': t('host.reason'), 'data-test': 'msg-reason' });
    const reason = () => why.value.trim() || undefined;
    const query = () => (reason() ? `?reason=${encodeURIComponent(reason())}` : '');
    const mute = (seconds) => put(`${base}/mutes/${encodeURIComponent(from.id)}`, { seconds, reason: reason() });
    const button = (label, test, act, look = 'slim') => el(`button.${look}`, { type: 'button', 'data-test': test, onclick: (event) => busy(event.currentTarget, act, this.tell) }, label);
    return el('span.line-tools', {},
      button(t('host.reply'), 'msg-reply', async () => { toggle.click(); this.reply(message); }),
      button(t('host.pin'), 'msg-pin', () => put(`${base}/pinned-message`, { id })),
      why,
      button(t('host.delete'), 'msg-delete', () => del(`${base}/messages/${id}${query()}`)),
      PROTECTED.has(from.role) ? [] : [
        ...MUTE_MIN.map((minutes) => button(minutes < 60 ? t('host.mute', { n: minutes }) : t('host.mute_hour'), `msg-mute-${minutes}`, () => mute(minutes * 60))),
        button(t('host.mute_rest'), 'msg-mute-rest', () => mute(REST_OF_SHOW_S)),
        button(t('host.ban'), 'msg-ban', () => this.ban(from, reason()), 'slim.danger'),
      ]);
  }

  async ban(from, reason) {
    const yes = await confirmDialog({ title: t('host.ban'), text: t('host.ban_sure', { name: from.name }), yes: t('host.ban'), danger: true });
    if (yes) await put(`/streams/${this.stream.id}/bans/${encodeURIComponent(from.id)}`, { reason });
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

  mutedRow({ user, name, kind, until, by, reason }) {
    const door = kind === 'ban' ? 'bans' : 'mutes';
    const free = el('button.slim', { type: 'button', 'data-test': `free-${user}`, onclick: () => busy(free, async () => {
      await del(`/streams/${this.stream.id}/${door}/${encodeURIComponent(user)}`);
      row.remove();
    }, this.tell) }, icon('check'), t(kind === 'ban' ? 'host.unban' : 'host.unmute'));
    const row = el('li', {}, el('span.row-text', {}, el('bdi.row-title', {}, name ?? user),
      el('small', {}, kind === 'ban' ? t('host.banned_by', { by }) : t('host.muted_by', { by, at: until ? dateTime(until) : '…' }), reason && ` · ${t('host.because', { reason })}`)), free);
    return row;
  }
}
