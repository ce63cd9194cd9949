// What the team does with the reader's own messages: they wait for review, and the reader sees why one was removed.
//
// Most viewers never need this, so it loads with the first message that waits and with the first entry of the audit log.

import { asRefusal, get } from './api.js';
import { load, t } from './i18n.js';
import { el } from './ui.js';

/** @import { AuditEntry, LiveClient, Message } from './types.d.ts' */
/** @import { ChatList, ChatMessage } from './chat_list.js' */

await load('buy');

/** Remembers the show in which a message of this tab waits for review, so that only its author asks after a reload. */
const PENDING = 'livesouk.pending_review';

export class OwnMessages {
  /**
   * @param {LiveClient} client
   * @param {string} stream
   * @param {ChatList} list
   */
  constructor(client, stream, list) {
    this.client = client;
    this.stream = stream;
    this.list = list;
    /** The ids of the entries that are shown. @type {Set<string>} */
    this.shown = new Set();
  }

  /**
   * Shows a message that waits for review.
   * @param {ChatMessage} message
   */
  addPending(message) {
    if (this.list.lines.has(message.id)) return;
    sessionStorage.setItem(PENDING, this.stream);
    const line = this.list.messageLine(message, false);
    line.classList.add('pending');
    line.append(el('span.pending-note', { 'data-test': 'chat-pending' }, t('chat.pending')));
    this.list.enqueue(line);
  }

  /**
   * Shows what the team did, if it gave a reason.
   * @param {AuditEntry} entry
   */
  addEntry({ id, kind, message, reason }) {
    if (this.shown.has(id)) return;
    this.shown.add(id);
    if (kind === 'reject' && message) this.list.remove(message, t('chat.rejected'));
    if (!reason || kind === 'approve') return;
    this.list.enqueue(el('li.note.reason', { 'data-test': 'chat-reason' }, t(`moderated.${kind}`, { reason })));
  }

  /** After a reload, the messages that wait for review are shown again. */
  async loadPending() {
    try {
      /** @type {{ items: Message[] }} */
      const { items } = await get(`/streams/${this.stream}/review-queue`);
      for (const message of items) if (message.from.id === this.client.you?.id) this.addPending(message);
    } catch (error) {
      // The chat works without them.
      asRefusal(error);
    }
  }

  /** The connection of a banned viewer closes before the reason has come through it, so the reason is loaded. */
  async loadBanReason() {
    try {
      /** @type {{ items: AuditEntry[] }} */
      const { items } = await get(`/streams/${this.stream}/audit-log/mine?limit=1`);
      if (items[0]?.kind === 'ban') this.addEntry(items[0]);
    } catch (error) {
      // The connection bar says that the viewer was banned.
      asRefusal(error);
    }
  }
}
