// The tools of the team for one message: reply, pin, delete, mute and ban. They are made when they are asked for, because
// a busy chat has thousands of messages.

import { del, put } from '../api.js';
import { t } from '../i18n.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el } from '../ui.js';
import { outranks } from './rank.js';

/** @import { Author, Refusal, Role } from '../types.d.ts' */
/** @import { ChatMessage } from '../chat_list.js' */

const MUTE_MIN = [10, 60];
/** A mute ends with its show, and no show is longer than a day. */
const REST_OF_SHOW_S = 24 * 3600;
const REASON_MAX = 200;

export class MessageTools {
  /**
   * @param {{
   *   path: string,
   *   role: () => Role | undefined,
   *   onreply: (message: ChatMessage) => void,
   *   onrefused: (refusal: Refusal) => void,
   * }} options
   */
  constructor({ path, role, onreply, onrefused }) {
    this.path = path;
    this.role = role;
    this.onreply = onreply;
    this.onrefused = onrefused;
  }

  /**
   * The button that shows and hides the tools of a message.
   * @param {ChatMessage} message
   */
  button(message) {
    const toggle = () => {
      const row = button.parentElement?.querySelector('.line-tools');
      button.setAttribute('aria-expanded', String(!row));
      if (row) return row.remove();
      const fresh = this.makeRow(message, () => button.click());
      button.after(fresh);
      fresh.scrollIntoView({ block: 'nearest' });
    };
    const button = el(
      'button.ghost.round.line-more',
      {
        type: 'button',
        'aria-label': t('host.tools', { name: message.from.name }),
        'aria-expanded': 'false',
        'data-test': 'msg-tools',
        onclick: toggle,
      },
      '⋯',
    );
    return button;
  }

  /**
   * @param {ChatMessage} message
   * @param {() => void} hide
   */
  makeRow(message, hide) {
    const { id, from } = message;
    const field = el('input.reason', {
      type: 'text',
      dir: 'auto',
      maxLength: REASON_MAX,
      placeholder: t('host.reason'),
      'aria-label': t('host.reason'),
      'data-test': 'msg-reason',
    });
    const reason = () => field.value.trim() || undefined;
    /**
     * @param {string} label
     * @param {string} test
     * @param {() => unknown} act
     */
    const button = (label, test, act, look = 'plain') => {
      const onclick = () => withBusy(node, act, this.onrefused);
      const node = el(`button.slim.${look}`, { type: 'button', 'data-test': test, onclick }, label);
      return node;
    };
    const reply = () => {
      hide();
      this.onreply(message);
    };
    const remove = () => {
      const why = reason();
      return del(`${this.path}/messages/${id}${why ? `?reason=${encodeURIComponent(why)}` : ''}`);
    };
    /** @param {number} seconds */
    const mute = (seconds) => put(`${this.path}/mutes/${encodeURIComponent(from.id)}`, { seconds, reason: reason() });
    const muteButtons = MUTE_MIN.map((minutes) => {
      const label = minutes < 60 ? t('host.mute', { n: minutes }) : t('host.mute_hour');
      return button(label, `msg-mute-${minutes}`, () => mute(minutes * 60));
    });
    return el(
      'span.line-tools',
      {},
      button(t('host.reply'), 'msg-reply', reply),
      button(t('host.pin'), 'msg-pin', () => put(`${this.path}/pinned-message`, { id })),
      field,
      button(t('host.delete'), 'msg-delete', remove),
      outranks(this.role(), from.role)
        ? [
            muteButtons,
            button(t('host.mute_rest'), 'msg-mute-rest', () => mute(REST_OF_SHOW_S)),
            button(t('host.ban'), 'msg-ban', () => this.ban(from, reason()), 'danger'),
          ]
        : el('small', { 'data-test': 'msg-outranked' }, t('error.outranked')),
    );
  }

  /**
   * @param {Author} from
   * @param {string | undefined} reason
   */
  async ban({ id, name }, reason) {
    const text = t('host.ban_sure', { name });
    const yes = await confirmDialog({ title: t('host.ban'), text, yes: t('host.ban'), danger: true });
    if (yes) await put(`${this.path}/bans/${encodeURIComponent(id)}`, { reason });
  }
}
