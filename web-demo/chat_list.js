// The list of the chat: messages with names and roles, and notes about the show.
//
// Lines are painted in batches, at most ten times a second, and the oldest lines leave when there are more than 400. The
// list follows the newest line until the reader scrolls up; then a pill counts the new messages.

import { initialOf } from './avatar.js';
import { eventText } from './event_text.js';
import { t } from './i18n.js';
import { PurchaseNotes } from './purchase_notes.js';
import { el, hueOf, icon, queryAll, setText, setVisible } from './ui.js';

/** @import { Author, ChatEvent, LiveEvent, Message, Offer, Quote } from './types.d.ts' */

const LINES_MAX = 400;
const PAINT_MS = 100;
const QUESTION = /[?؟？]/;
const ROLES_WITH_BADGE = new Set(['host', 'moderator', 'producer', 'admin', 'owner']);

/** What a line is made of: an event of the chat, or a message that waits for review. */
/** @typedef {{ id: string, from: Author, text: string, reply?: Quote }} ChatMessage */

export class ChatList {
  /**
   * @param {{
   *   list: HTMLElement,
   *   pill: HTMLElement,
   *   offerOf: (id: string) => Offer | undefined,
   *   tools?: (message: ChatMessage) => HTMLElement,
   * }} options `offerOf` finds the offer that a note names; `tools` makes the button for the team
   */
  constructor({ list, pill, offerOf, tools }) {
    this.list = list;
    this.pill = pill;
    this.offerOf = offerOf;
    this.tools = tools;
    this.purchases = new PurchaseNotes(offerOf);
    /** Lines that are not painted yet. @type {HTMLElement[]} */
    this.queue = [];
    /** Message id → its line. @type {Map<string, HTMLElement>} */
    this.lines = new Map();
    this.unread = 0;
    this.isFollowing = true;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {HTMLElement | null} */
    this.pinned = null;
    list.addEventListener('scroll', () => this.scrolled(), { passive: true });
    new ResizeObserver(() => {
      if (this.isFollowing) this.scrollToEnd();
    }).observe(list);
    pill.addEventListener('click', () => this.scrollToEnd());
  }

  /** @param {LiveEvent} event */
  add(event) {
    if (event.type === 'deleted') return this.remove(event.id);
    if (event.type === 'muted' || event.type === 'banned' || event.type === 'erased') this.removeUser(event.user);
    if (event.type === 'chat' && this.lines.has(event.id)) {
      // The message waited for review until now: it moves to its place among the others.
      this.flush();
      this.lines.get(event.id)?.remove();
    }
    const line = this.lineOf(event);
    if (line) this.enqueue(line);
  }

  /**
   * The line that an event adds, or null where it adds none.
   * @param {LiveEvent} event
   */
  lineOf(event) {
    if (event.type === 'chat') return this.messageLine(event);
    return event.type === 'purchased' ? this.purchases.add(event) : this.noteLine(event);
  }

  /**
   * Shows the comment that stands above the others, or none.
   * @param {Quote | null | undefined} quote
   * @param {HTMLElement | null} [button] a button for the team
   */
  pin(quote, button) {
    if (quote?.id === this.pinned?.dataset.id) return;
    this.pinned?.remove();
    this.pinned = null;
    if (!quote) return;
    this.pinned = el(
      'p.pinned-comment',
      { 'data-test': 'pinned-comment', title: t('chat.pinned') },
      icon('pin'),
      el('span', {}, ...quoteParts(quote)),
      button,
    );
    this.pinned.dataset.id = quote.id;
    this.list.before(this.pinned);
  }

  /** Takes all lines away. */
  clear() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.queue = [];
    this.lines.clear();
    this.purchases.clear();
    this.list.replaceChildren();
    this.unread = 0;
    this.paintPill();
  }

  /** Clears the list, because messages were lost permanently, and a message that is still shown may have been deleted. */
  clearAfterGap() {
    this.clear();
    this.enqueue(el('li.note.gap', { 'data-test': 'chat-gap' }, t('chat.gap')));
  }

  /**
   * Shows these messages and no others. Lines that are shown already stay, as long as the others follow them.
   * @param {Message[]} messages
   */
  show(messages) {
    const known = [...this.lines.keys()];
    const last = messages.findIndex(({ id }) => id === known.at(-1));
    const isNext = known.length > 0 && last >= 0 && messages[0] && known.includes(messages[0].id);
    if (!isNext && (known.length > 0 || messages.length > 0)) this.clear();
    for (const message of messages.slice(isNext ? last + 1 : 0)) this.enqueue(this.messageLine(message));
  }

  /** @param {ChatMessage | ChatEvent | Message} message */
  messageLine(message, withTools = true) {
    const { id, from, text, reply } = message;
    const line = el(
      'li.line',
      {
        'data-test': 'chat-line',
        'data-id': id,
        'data-user': from.id,
        'data-role': from.role,
      },
      reply &&
        el(
          'span.reply',
          {
            'data-test': 'chat-reply',
            'data-of': reply.id,
            'data-by': reply.user,
          },
          ...quoteParts(reply),
        ),
      el(
        'span.who',
        { 'data-initial': initialOf(from.name) },
        el('bdi.name', {}, from.name),
        ROLES_WITH_BADGE.has(from.role) && el(`span.badge.${from.role}`, {}, t(`role.${from.role}`)),
      ),
      ' ',
      el('span.text', { dir: 'auto' }, text),
      withTools && this.tools?.(message),
    );
    line.style.setProperty('--hue', String(hueOf(from.name)));
    line.toggleAttribute('data-question', QUESTION.test(text));
    this.lines.set(id, line);
    return line;
  }

  /**
   * A note about the show, or null where the reader needs none.
   * @param {Exclude<LiveEvent, ChatEvent>} event
   */
  noteLine(event) {
    const text = eventText(event, this.offerOf, Boolean(this.tools));
    return text ? el(`li.note.${event.type}`, { 'data-test': `note-${event.type}` }, text) : null;
  }

  /**
   * Replaces a message by a text that says that it is gone.
   * @param {string} id
   */
  remove(id, text = t('chat.removed')) {
    this.flush();
    this.removeQuotes('of', id);
    const line = this.lines.get(id);
    if (!line) return;
    this.lines.delete(id);
    line.className = 'note removed';
    line.replaceChildren(text);
  }

  /**
   * Removes the messages of a muted, banned or erased user, without a text for each.
   * @param {string} user
   */
  removeUser(user) {
    this.flush();
    this.removeQuotes('by', user);
    for (const [id, line] of this.lines) {
      if (line.dataset.user !== user) continue;
      this.lines.delete(id);
      line.remove();
    }
  }

  /**
   * Removes a message also from the replies that quote it.
   * @param {'of' | 'by'} key
   * @param {string} value
   */
  removeQuotes(key, value) {
    for (const quote of queryAll('.reply', this.list)) if (quote.dataset[key] === value) quote.remove();
  }

  /** @param {HTMLElement} line */
  enqueue(line) {
    this.queue.push(line);
    if (this.queue.length > LINES_MAX) this.forget(this.queue.shift());
    this.timer ??= setTimeout(() => this.flush(), PAINT_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.queue.length) return;
    const fresh = this.queue;
    this.queue = [];
    this.list.append(...fresh);
    while (this.list.children.length > LINES_MAX) {
      const oldest = /** @type {HTMLElement} */ (this.list.firstElementChild);
      this.forget(oldest);
      oldest.remove();
    }
    if (this.isFollowing) return this.scrollToEnd();
    this.unread += fresh.filter((line) => line.classList.contains('line')).length;
    this.paintPill();
  }

  /** @param {HTMLElement | undefined} line */
  forget(line) {
    if (line?.dataset.id) this.lines.delete(line.dataset.id);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    this.isFollowing = scrollHeight - scrollTop - clientHeight < 32;
    if (this.isFollowing) this.unread = 0;
    this.paintPill();
  }

  scrollToEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.isFollowing = true;
    this.unread = 0;
    this.paintPill();
  }

  paintPill() {
    setVisible(this.pill, !this.isFollowing && this.unread > 0);
    if (this.unread) setText(this.pill, t('chat.new', { n: this.unread }));
  }
}

/** @param {Quote} quote */
function quoteParts(quote) {
  return [el('bdi.name', {}, quote.name), ' ', el('span.text', { dir: 'auto' }, quote.text)];
}
