// The thin bar that tells how the link is, and the body's mark by which styles grey what may be old.

import { t } from './i18n.js';
import { el, put, show } from './ui.js';

const LIVE_SHOWN_MS = 1_800;
const CALM_MS = 400; // a link that is back before this was never worth a word

export function connectionBar(bar, client, { again }) {
  let troubled = false;
  let first;
  let last;
  const text = el('span');
  const button = el('button.slim', { type: 'button', 'data-test': 'conn-again', hidden: true });
  bar.replaceChildren(text, button);

  function say(words, more) {
    put(text, words);
    show(button, Boolean(more));
    if (more) { put(button, more.label); button.onclick = more.act; }
    show(bar, true);
  }

  const reconnecting = () => { troubled = true; say(t(`conn.${client.status}`)); };

  // The link is well, yet something is late: said for as long as it lasts, unless there is worse to say.
  const delay = () => {
    if (client.status !== 'live' || troubled) return;
    if (client.state.delayed) say(t('conn.delayed'));
    else show(bar, false);
    document.body.dataset.delayed = client.state.delayed ? 'yes' : '';
  };
  client.on('state', (changed) => { if (changed.has('delayed')) { clearTimeout(last); delay(); } });

  client.on('status', ({ status, code }) => {
    document.body.dataset.conn = bar.dataset.status = status;
    clearTimeout(last);
    if (status === 'live' || status === 'closed') { clearTimeout(first); first = null; }
    if (status === 'live' && troubled) {
      troubled = false;
      say(t('conn.live'));
      last = setTimeout(delay, LIVE_SHOWN_MS);
    } else if (status === 'closed') {
      troubled = true;
      say(t(`conn.closed.${[4501, 4502, 4509].includes(code) ? code : 'other'}`), again[code] && { label: t(`conn.again.${code}`), act: again[code] });
    } else if (status !== 'live') {
      // Tries that fail at once must not put the first word off for ever, so only the first one sets the timer.
      if (troubled) reconnecting();
      else first ??= setTimeout(reconnecting, CALM_MS);
    }
  });
}
