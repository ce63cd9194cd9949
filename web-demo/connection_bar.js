// The thin bar that shows the state of the connection, and the marks on the body by which the styles grey out old values.

import { isOwnFault } from './client/retry.js';
import { t } from './i18n.js';
import { el, setText, setVisible } from './ui.js';

/** @import { LiveClient } from './types.d.ts' */

const LIVE_SHOWN_MS = 1_800;
/** A connection that is back before this is not worth a message. */
const PATIENCE_MS = 400;
const EXPLAINED_CODES = [4501, 4502, 4509];

/**
 * @param {HTMLElement} bar
 * @param {LiveClient} client
 * @param {{ again: Partial<Record<string, () => void>> }} options what the button does after each close code, and after a
 *   fault of this page (`reload`)
 */
export function connectionBar(bar, client, { again }) {
  let isTroubled = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let firstMessage;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let lastMessage;
  const text = el('span');
  const button = el('button.slim', { type: 'button', 'data-test': 'conn-again', hidden: true });
  bar.replaceChildren(text, button);

  /**
   * @param {string} message
   * @param {{ label: string, act: () => void }} [action]
   */
  function showMessage(message, action) {
    setText(text, message);
    setVisible(button, Boolean(action));
    if (action) {
      setText(button, action.label);
      button.onclick = action.act;
    }
    setVisible(bar, true);
  }

  const showReconnecting = () => {
    isTroubled = true;
    showMessage(t(`connection.${client.status}`));
  };

  // The connection works, but the server is cut off from the others: shown for as long as it lasts.
  const showDelay = () => {
    if (client.status !== 'live' || isTroubled) return;
    if (client.state.delayed) showMessage(t('connection.delayed'));
    else setVisible(bar, false);
    document.body.dataset.delayed = client.state.delayed ? 'yes' : '';
  };
  client.on('state', (changed) => {
    if (!changed.has('delayed')) return;
    clearTimeout(lastMessage);
    showDelay();
  });

  client.on('status', ({ status, code = 0 }) => {
    document.body.dataset.conn = bar.dataset.status = status;
    clearTimeout(lastMessage);
    if (status === 'live' || status === 'closed') {
      clearTimeout(firstMessage);
      firstMessage = undefined;
    }
    if (status === 'live' && isTroubled) {
      isTroubled = false;
      showMessage(t('connection.live'));
      lastMessage = setTimeout(showDelay, LIVE_SHOWN_MS);
    } else if (status === 'closed') {
      isTroubled = true;
      const reason = EXPLAINED_CODES.includes(code) ? code : 'other';
      const remedy = isOwnFault(code) ? 'reload' : String(code);
      const act = again[remedy];
      showMessage(t(`connection.closed.${reason}`), act && { label: t(`connection.again.${remedy}`), act });
    } else if (status !== 'live') {
      // Attempts that fail at once must not postpone the first message forever, so only the first one sets the timer.
      if (isTroubled) showReconnecting();
      else firstMessage ??= setTimeout(showReconnecting, PATIENCE_MS);
    }
  });
}
