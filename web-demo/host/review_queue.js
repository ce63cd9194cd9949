// The review queue: messages that wait until the team approves or rejects them.

import { post } from '../api.js';
import { formatTime, t } from '../i18n.js';
import { listAll } from '../list.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible } from '../ui.js';

/** @import { Message, Refusal, Stream } from '../types.d.ts' */

export class ReviewQueue {
  /**
   * @param {{ stream: Stream, root: HTMLElement, count: HTMLElement, onrefused: (refusal: Refusal) => void }} options
   */
  constructor({ stream, root, count, onrefused }) {
    this.path = `/streams/${stream.id}/review-queue`;
    this.root = root;
    this.count = count;
    this.onrefused = onrefused;
    /** Message id → its row. @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.paint();
  }

  /** Loads the whole queue: a frame may have been lost while the connection was down. */
  async load() {
    /** @type {Message[] | null} */
    const messages = await listAll(this.path).catch(() => null);
    if (!messages) return;
    this.rows.clear();
    for (const message of messages) this.rows.set(message.id, this.makeRow(message));
    this.paint();
  }

  /** @param {Message} message */
  add(message) {
    if (!this.rows.has(message.id)) this.rows.set(message.id, this.makeRow(message));
    this.paint();
  }

  /** @param {string} id */
  remove(id) {
    this.rows.delete(id);
    this.paint();
  }

  /**
   * Removes the messages of a muted, banned or erased user.
   * @param {string} user
   */
  removeUser(user) {
    for (const [id, row] of this.rows) if (row.dataset.user === user) this.rows.delete(id);
    this.paint();
  }

  /** @param {Message} message */
  makeRow({ id, at, from, text }) {
    return el(
      'li',
      { 'data-test': 'review-row', 'data-user': from.id },
      el('bdi.name', {}, from.name),
      ' ',
      el('small', {}, formatTime(at)),
      el('div.text', { dir: 'auto' }, text),
      el(
        'div.row-actions',
        {},
        this.decisionButton(id, 'approve', 'primary'),
        this.decisionButton(id, 'reject', 'plain'),
      ),
    );
  }

  /**
   * @param {string} id
   * @param {'approve' | 'reject'} decision
   * @param {'primary' | 'plain'} look
   */
  decisionButton(id, decision, look) {
    const decide = async () => {
      await post(`${this.path}/${id}/${decision}`);
      this.remove(id);
    };
    const onclick = () => withBusy(button, decide, this.onrefused);
    const props = { type: 'button', 'data-test': `review-${decision}`, onclick };
    const button = el(`button.slim.${look}`, props, t(`review.${decision}`));
    return button;
  }

  paint() {
    const rows = [...this.rows.values()];
    this.root.replaceChildren(...(rows.length ? rows : [el('li.empty', {}, t('review.none'))]));
    setVisible(this.count, rows.length > 0);
    setText(this.count, String(rows.length));
  }
}
