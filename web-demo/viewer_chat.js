// The chat of the viewer page: the list, the field, and why the reader cannot write.

import { signedInAs, UNKNOWN_OUTCOME } from './api.js';
import { ChatField } from './chat_field.js';
import { ChatList } from './chat_list.js';
import { formatDateTime, formatTime, refusalText, t } from './i18n.js';
import { once, showUnreachable } from './lazy.js';
import { byId, toast } from './ui.js';

/** @import { AuditEntry, LiveClient, LiveEvent, Refusal, Shop } from './types.d.ts' */

/** Set by own_messages.js while a message of this tab waits for review. */
const PENDING = 'livesouk.pending_review';
/** A mute that ends later than this is shown with its date. */
const DAY_MS = 80_000_000;

export class ViewerChat {
  /**
   * @param {{ client: LiveClient, shop: Shop, stream: string, hasEnded: () => boolean, signIn: () => void }} options
   */
  constructor({ client, shop, stream, hasEnded, signIn }) {
    this.client = client;
    this.shop = shop;
    this.stream = stream;
    this.hasEnded = hasEnded;
    this.signIn = signIn;
    this.mutedUntil = 0;
    /** @type {string | null} */
    this.mutedReason = null;
    this.list = new ChatList({
      list: byId('chat-list'),
      pill: byId('chat-pill'),
      offerOf: (id) => client.state.offers.get(id),
    });
    this.field = new ChatField({
      form: byId('chat-form', HTMLFormElement),
      input: byId('chat-input', HTMLInputElement),
      button: byId('chat-send', HTMLButtonElement),
      barrier: () => this.barrier(),
      send: (text) => this.send(text),
      onrefused: (refusal) => this.showRefusal(refusal),
      now: () => client.now(),
      hint: () => (client.you?.name ? t('chat.hint_as', { name: client.you.name }) : t('chat.hint')),
    });
    this.loadOwn = once(async () => {
      const { OwnMessages } = await import('./own_messages.js');
      return new OwnMessages(client, stream, this.list);
    });
    client.on('hello', ({ you }) => {
      this.mutedUntil = you?.muted_until ?? 0;
      this.mutedReason = you?.muted_reason ?? null;
      if (signedInAs() && sessionStorage.getItem(PENDING) === stream) this.withOwn((own) => own.loadPending());
    });
    client.on('gap', () => this.list.clearAfterGap());
    client.on('audit', (entry) => this.addAudit(entry));
    client.on('status', ({ status, code }) => {
      if (status === 'closed' && code === 4502) this.withOwn((own) => own.loadBanReason());
    });
    client.on('state', (changed) => {
      if (!changed.has('chat')) return;
      this.list.pin(client.state.chat.pinned);
      this.field.paint();
    });
  }

  /** @param {(own: import('./own_messages.js').OwnMessages) => unknown} act */
  withOwn(act) {
    this.loadOwn().then(act, showUnreachable);
  }

  /** @param {LiveEvent} event */
  addEvent(event) {
    this.list.add(event);
    if ('user' in event && event.user === this.client.you?.id) {
      if (event.type === 'muted') this.mutedUntil = event.until ?? Infinity;
      if (event.type === 'unmuted') this.mutedUntil = 0;
    }
    // A message changes nothing about the field, and there may be hundreds of messages a second.
    if (event.type !== 'chat') this.field.paint();
  }

  /** @param {AuditEntry} entry */
  addAudit(entry) {
    if (entry.stream !== this.stream) return;
    if (entry.kind === 'mute') this.mutedReason = entry.reason;
    if (entry.kind === 'unmute') [this.mutedUntil, this.mutedReason] = [0, null];
    this.withOwn((own) => own.addEntry(entry));
    this.field.paint();
  }

  /** @returns {import('./chat_field.js').ChatBarrier | null} */
  barrier() {
    const { client } = this;
    if (client.status === 'closed') return { reason: t('chat.off') };
    if (this.hasEnded()) return { reason: t('chat.ended') };
    if (!signedInAs()) return { reason: t('chat.sign_in'), act: this.signIn };
    if (this.mutedUntil > client.now()) return { reason: this.mutedText() };
    if (client.status !== 'live') return { reason: t('connection.connecting'), isPassing: true };
    if (client.state.chat.off && client.you?.role === 'viewer') return { reason: t('chat.team_only') };
    return null;
  }

  mutedText() {
    if (this.mutedReason) return t('chat.muted_because', { reason: this.mutedReason });
    if (!Number.isFinite(this.mutedUntil)) return t('chat.muted');
    const isLong = this.mutedUntil - this.client.now() > DAY_MS;
    return t('chat.muted_until', { at: isLong ? formatDateTime(this.mutedUntil) : formatTime(this.mutedUntil) });
  }

  /** @param {string} text */
  async send(text) {
    const { you, state } = this.client;
    const { id = '', pending_review } = await this.client.request('say', { text });
    if (pending_review && you) this.withOwn((own) => own.addPending({ id, from: you, text }));
    this.list.scrollToEnd();
    if (state.chat.slow_ms && you?.role === 'viewer') this.field.waitFor(state.chat.slow_ms);
  }

  /** @param {Refusal} refusal */
  showRefusal(refusal) {
    if (refusal.code === 'sign_in') return this.signIn();
    if (refusal.code === 'muted') this.mutedUntil ||= Infinity;
    const isUnknown = UNKNOWN_OUTCOME.has(refusal.code);
    toast(isUnknown ? t('chat.unknown') : refusalText(refusal), { kind: 'warn' });
  }
}
