// The chat: names, roles, notes about the show, and a field that says why when one may not talk.
//
// Lines are painted in batches, ten a second at most, and the oldest leave at 400. The list follows the newest line
// until the reader scrolls up; then a pill counts what came meanwhile.

import { clock, t } from './i18n.js';
import { fullTitle } from './offer.js';
import { el, icon, put, show } from './ui.js';

const LINES_MAX = 400;
const PAINT_MS = 100;
const TEXT_MAX = 200;
const QUESTION = /[?؟？]/;
const BADGED = new Set(['host', 'moderator', 'producer', 'admin']);

export class ChatList {
  /** `tools(message)` may return buttons for a moderator; `offerOf(id)` finds the offer a note speaks of. */
  constructor({ list, pill, tools, offerOf }) {
    Object.assign(this, { list, pill, tools, offerOf });
    this.waiting = [];
    this.lines = new Map(); // message id → line
    this.known = new Set(); // what the team did and was told here
    this.unread = 0;
    this.following = true;
    list.addEventListener('scroll', () => this.scrolled(), { passive: true });
    new ResizeObserver(() => { if (this.following) this.toEnd(); }).observe(list);
    pill.addEventListener('click', () => this.toEnd());
  }

  add(event) {
    if (event.type === 'deleted') return this.remove(event.id);
    if (event.type === 'muted' || event.type === 'banned' || event.type === 'erased') this.removeUser(event.user);
    if (event.type === 'chat' && this.lines.has(event.id)) { // it waited for the team until now
      this.flush();
      this.lines.get(event.id).remove();
    }
    const line = event.type === 'chat' ? this.message(event) : this.note(event);
    if (line) this.queue(line);
  }

  /** One's own message that waits for the team. */
  held({ id, from, text }) {
    if (this.lines.has(id)) return;
    const line = this.message({ id, from, text }, false);
    line.classList.add('held');
    line.append(el('span.waits', { 'data-test': 'chat-held' }, t('chat.held')));
    this.queue(line);
  }

  /** What the team did to one's own message. */
  told({ id, kind, message, reason }) {
    if (this.known.has(id)) return;
    this.known.add(id);
    if (kind === 'hide') this.remove(message, t('chat.hidden'));
    if (!reason || kind === 'approve') return;
    this.queue(el('li.note.reason', { 'data-test': 'chat-reason' }, t(`told.${kind}`, { reason })));
  }

  /** The comment that stands above the others; null: none. `act` is a button for the team. */
  pin(quote, act) {
    if (quote?.id === this.pinned?.dataset.id) return;
    this.pinned?.remove();
    this.pinned = quote && el('p.pinned-comment', { 'data-test': 'pinned-comment', title: t('chat.pinned') }, icon('pin'),
      el('span', {}, el('bdi.name', {}, quote.name), ' ', el('span.text', { dir: 'auto' }, quote.text)), act);
    if (!this.pinned) return;
    this.pinned.dataset.id = quote.id;
    this.list.before(this.pinned);
  }

  /** Some messages will never come: say so instead of pretending. What stands here may have been deleted meanwhile, so it goes. */
  gap() {
    clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
    this.lines.clear();
    this.list.replaceChildren();
    this.unread = 0;
    this.paintPill();
    this.queue(el('li.note.gap', { 'data-test': 'chat-gap' }, t('chat.gap')));
  }

  message(event, withTools = true) {
    const { name, role, id } = event.from;
    const line = el('li.line', { 'data-test': 'chat-line' },
      event.reply && el('span.reply', { 'data-test': 'chat-reply', 'data-of': event.reply.id, 'data-by': event.reply.user }, el('bdi.name', {}, event.reply.name), ' ', el('span.text', { dir: 'auto' }, event.reply.text)),
      el('span.who', {}, el('bdi.name', {}, name), BADGED.has(role) && el(`span.badge.${role}`, {}, t(`role.${role}`))),
      ' ', el('span.text', { dir: 'auto' }, event.text));
    line.dataset.role = role;
    line.dataset.user = id;
    line.dataset.id = event.id;
    if (QUESTION.test(event.text)) line.dataset.question = '';
    this.lines.set(event.id, line);
    const tools = withTools && this.tools?.(event);
    if (tools) line.append(tools);
    return line;
  }

  note(event) {
    const about = event.offer && this.offerOf(event.offer);
    const offer = about && fullTitle(about);
    const text = {
      purchased: () => offer && t(event.qty > 1 ? 'note.purchased_many' : 'note.purchased', { name: event.name, n: event.qty, offer }),
      pinned: () => offer && t('note.pinned', { offer }),
      sale_opened: () => offer && t('note.sale_opened', { offer }),
      sale_closed: () => about?.kind === 'flash' && t('note.sale_closed', { offer }),
      announced: () => event.text && t('note.announced', { text: event.text }),
      muted: () => this.tools && t('note.muted', { name: event.name }),
      banned: () => this.tools && t('note.banned', { name: event.name }),
      started: () => t('note.started'),
      ended: () => t('note.ended'),
    }[event.type]?.();
    return text ? el(`li.note.${event.type}`, { 'data-test': `note-${event.type}` }, text) : null;
  }

  remove(id, words = t('chat.removed')) {
    this.flush();
    this.unquote('of', id);
    const line = this.lines.get(id);
    if (!line) return;
    this.lines.delete(id);
    line.className = 'note removed';
    line.replaceChildren(words);
  }

  /** Who is silenced takes everything along, without a trace for each. */
  removeUser(user) {
    this.flush();
    this.unquote('by', user);
    for (const [id, line] of this.lines) {
      if (line.dataset.user !== user) continue;
      this.lines.delete(id);
      line.remove();
    }
  }

  /** What is taken away goes from where it was quoted too. */
  unquote(key, value) {
    for (const quote of this.list.querySelectorAll(`[data-${key}]`)) if (quote.dataset[key] === value) quote.remove();
  }

  queue(line) {
    this.waiting.push(line);
    if (this.waiting.length > LINES_MAX) this.forget(this.waiting.shift());
    this.timer ??= setTimeout(() => this.flush(), PAINT_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.waiting.length) return;
    const fresh = this.waiting;
    this.waiting = [];
    this.list.append(...fresh);
    while (this.list.children.length > LINES_MAX) {
      this.forget(this.list.firstChild);
      this.list.firstChild.remove();
    }
    if (this.following) return this.toEnd();
    this.unread += fresh.filter((line) => line.classList.contains('line')).length;
    this.paintPill();
  }

  forget(line) {
    if (line.dataset.id) this.lines.delete(line.dataset.id);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    this.following = scrollHeight - scrollTop - clientHeight < 32;
    if (this.following) this.unread = 0;
    this.paintPill();
  }

  toEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.following = true;
    this.unread = 0;
    this.paintPill();
  }

  paintPill() {
    show(this.pill, !this.following && this.unread > 0);
    if (this.unread) put(this.pill, t('chat.new', { n: this.unread }));
  }
}

/** The field. `gate()` says why one may not talk: `{ reason, act?, passing? }` or null; `send(text)` resolves when it was said. */
export class ChatField {
  constructor({ form, input, button, gate, send, tell, now, hint = t('chat.hint') }) {
    Object.assign(this, { form, input, button, gate, send, tell, now, hint });
    this.freeAt = 0;
    input.maxLength = TEXT_MAX * 2; // scalar values are counted at sending; an emoji may be two units
    form.addEventListener('submit', (event) => { event.preventDefault(); this.submit(); });
    input.addEventListener('pointerdown', (event) => this.knock(event));
    input.addEventListener('keydown', (event) => { if (event.key === 'Enter' && this.input.readOnly) this.knock(event); });
  }

  /** A field that is shut still leads somewhere: to the sign-in, when that is what is missing. */
  knock(event) {
    const shut = this.gate();
    if (!shut?.act) return;
    event.preventDefault();
    shut.act();
  }

  async submit() {
    const shut = this.gate();
    if (shut) return shut.act?.();
    const text = this.input.value.trim();
    if ([...text].length > TEXT_MAX) return this.tell({ code: 'too_long' });
    if (!text || this.sending || this.now() < this.freeAt) return;
    this.sending = true;
    this.paint();
    try {
      await this.send(text);
      this.input.value = '';
    } catch (problem) {
      if (problem.retry_ms) this.wait(problem.retry_ms);
      if (!(problem.code === 'slow_mode' && problem.retry_ms)) this.tell(problem);
    }
    this.sending = false;
    this.paint();
  }

  /** Slow mode: the send button becomes a countdown, the text stays editable. */
  wait(ms) {
    this.freeAt = this.now() + ms;
    this.paint();
  }

  paint() {
    const shut = this.gate();
    const rest = this.freeAt - this.now();
    this.form.dataset.shut = Boolean(shut);
    this.input.readOnly = Boolean(shut);
    this.input.placeholder = shut?.reason ?? this.hint;
    // The reason stands in the field; what passes by itself leaves there what was typed.
    if (shut && this.input.value && !shut.act && !shut.passing) this.input.value = '';
    this.button.disabled = this.sending || rest > 0 || Boolean(shut && !shut.act);
    const counting = rest > 0 && !shut;
    const face = counting ? clock(rest) : 'send';
    if (this.button.dataset.face === face) return;
    this.button.dataset.face = face;
    this.button.setAttribute('aria-label', counting ? `${t('send')} ${face}` : t('send'));
    this.button.replaceChildren(counting ? el('bdi', { dir: 'ltr', 'data-test': 'chat-wait' }, face) : icon('send'));
  }
}
