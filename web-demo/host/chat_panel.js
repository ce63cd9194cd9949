// The chat panel: the chat with the tools of the team, its questions, the review queue, the audit log, and the muted users.

import { del, post, put } from '../api.js';
import { ChatField } from '../chat_field.js';
import { ChatList } from '../chat_list.js';
import { dir, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { byId, el, icon, setVisible } from '../ui.js';
import { AuditLog } from './audit_log.js';
import { chatRulesSheet } from './chat_rules.js';
import { MessageTools } from './message_tools.js';
import { ReviewQueue } from './review_queue.js';
import { sanctionsSheet } from './sanctions.js';

/** @import { ChatRules, LiveClient, LiveEvent, Offer, Refusal, Role, Stream } from '../types.d.ts' */
/** @import { ChatMessage } from '../chat_list.js' */
/** @typedef {'all' | 'questions' | 'review' | 'audit'} Tab */

const SLOW_S = [0, 5, 10, 30, 60, 300];

export class ChatPanel {
  /**
   * @param {{
   *   client: LiveClient,
   *   stream: Stream,
   *   role: () => Role | undefined,
   *   offerOf: (id: string) => Offer | undefined,
   *   onrefused: (refusal: Refusal) => void,
   * }} options
   */
  constructor({ client, stream, role, offerOf, onrefused }) {
    this.path = `/streams/${stream.id}`;
    this.onrefused = onrefused;
    this.review = new ReviewQueue({ stream, root: byId('chat-review'), count: byId('review-count'), onrefused });
    this.audit = new AuditLog({ stream, root: byId('chat-audit'), offerOf, onrefused });
    /** The message that the next message replies to. @type {ChatMessage | null} */
    this.replyTo = null;
    const tools = new MessageTools({ path: this.path, role, onreply: (message) => this.reply(message), onrefused });
    this.list = new ChatList({
      list: byId('chat-list'),
      pill: byId('chat-pill'),
      offerOf,
      tools: (message) => tools.button(message),
    });
    this.field = new ChatField({
      form: byId('chat-form', HTMLFormElement),
      input: byId('chat-input', HTMLInputElement),
      button: byId('chat-send', HTMLButtonElement),
      onrefused,
      now: () => client.now(),
      hint: () => t('host.say'),
      barrier: () => (client.show?.status === 'ended' ? { reason: t('chat.ended') } : null),
      send: async (text) => {
        await post(`${this.path}/messages`, { text, reply_to: this.replyTo?.id });
        this.reply(null);
      },
    });
    this.slow = byId('slow', HTMLSelectElement);
    for (const seconds of SLOW_S) {
      const text = seconds ? t('rules.slow_s', { n: seconds }) : t('rules.slow_off');
      this.slow.append(new Option(text, String(seconds)));
    }
    const saveSlow = () => put(`${this.path}/chat`, { slow_s: Number(this.slow.value) });
    this.slow.addEventListener('change', () => withBusy(this.slow, saveSlow, onrefused));
    byId('muted-list').addEventListener('click', () => sanctionsSheet(stream, role(), onrefused));
    byId('rules').addEventListener('click', () => chatRulesSheet({ stream, rules: client.state.chat, onrefused }));
    this.tabs = /** @type {HTMLButtonElement[]} */ ([...byId('chat-tabs').children]);
    this.tabs.forEach((tab, index) => this.addTab(tab, index));
    this.choose('all');
  }

  /**
   * @param {HTMLButtonElement} tab
   * @param {number} index
   */
  addTab(tab, index) {
    const name = (/** @type {HTMLElement} */ one) => /** @type {Tab} */ (one.dataset.tab);
    tab.addEventListener('click', () => this.choose(name(tab)));
    tab.addEventListener('keydown', (event) => {
      const arrow = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!arrow) return;
      const step = dir === 'rtl' ? -arrow : arrow;
      const next = this.tabs[(index + step + this.tabs.length) % this.tabs.length];
      next.focus();
      this.choose(name(next));
    });
  }

  /** @param {Tab} name */
  choose(name) {
    for (const tab of this.tabs) {
      const isChosen = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
    setVisible(byId('chat-all'), name === 'all' || name === 'questions');
    setVisible(byId('chat-review'), name === 'review');
    setVisible(byId('chat-audit'), name === 'audit');
    byId('chat-list').dataset.only = name;
    byId('chat-list').dataset.empty = t(name === 'questions' ? 'host.no_questions' : 'chat.empty');
    if (name === 'audit') this.audit.load();
    else if (name !== 'review') this.list.scrollToEnd();
  }

  /** @param {LiveEvent} event */
  addEvent(event) {
    this.list.add(event);
    if (event.type === 'muted' || event.type === 'banned' || event.type === 'erased') {
      this.review.removeUser(event.user);
    }
  }

  /** @param {Partial<ChatRules>} rules */
  updateRules({ slow_ms = 0, pinned }) {
    this.paintSlowMode(slow_ms);
    const unpin = () => withBusy(button, () => del(`${this.path}/pinned-message`), this.onrefused);
    const props = { type: 'button', 'aria-label': t('host.unpin'), 'data-test': 'unpin-message', onclick: unpin };
    const button = el('button.ghost.round', props, icon('close'));
    this.list.pin(pinned, button);
  }

  /** @param {number} slow_ms */
  paintSlowMode(slow_ms) {
    const seconds = String(Math.round(slow_ms / 1000));
    const isListed = [...this.slow.options].some((option) => option.value === seconds);
    if (!isListed) this.slow.append(new Option(t('rules.slow_s', { n: Number(seconds) }), seconds));
    if (document.activeElement !== this.slow) this.slow.value = seconds;
  }

  /**
   * The next message replies to this one, or to none.
   * @param {ChatMessage | null} message
   */
  reply(message) {
    this.replyTo = message;
    const bar = byId('replying');
    setVisible(bar, Boolean(message));
    if (!message) return;
    const cancel = { type: 'button', 'aria-label': t('cancel'), onclick: () => this.reply(null) };
    bar.replaceChildren(
      el('span', {}, t('host.replying', { name: message.from.name }), ' ', el('bdi', {}, message.text)),
      el('button.ghost.round', cancel, icon('close')),
    );
    byId('chat-input').focus();
  }
}
