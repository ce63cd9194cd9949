// The thin bar that tells how the link is, and the body's mark by which styles grey what may be old.

import { t } from './i18n.js';
import { el, put, show } from './ui.js';

const LIVE_SHOWN_MS = 1_800;
const CALM_MS = 400; // a link that is back before this was never worth a word

export function connectionBar(bar, client, { again }) {
  let troubled = false;
  let timer;
  const text = el('span');
  const button = el('button.slim', { type: 'button', 'data-test': 'conn-again', hidden: true });
  bar.replaceChildren(text, button);

  function say(words, more) {
    put(text, words);
    show(button, Boolean(more));
    if (more) { put(button, more.label); button.onclick = more.act; }
    show(bar, true);
  }

  client.on('status', ({ status, code }) => {
    document.body.dataset.conn = bar.dataset.status = status;
    clearTimeout(timer);
    if (status === 'live') {
      if (!troubled) return show(bar, false);
      troubled = false;
      say(t('conn.live'));
      timer = setTimeout(() => show(bar, false), LIVE_SHOWN_MS);
    } else if (status === 'closed') {
      troubled = true;
      const act = again[code];
      say(t(`conn.closed.${[4501, 4502, 4509].includes(code) ? code : 'other'}`), act && { label: t(`conn.again.${code}`), act });
    } else if (status === 'connecting') {
      timer = setTimeout(() => { troubled = true; say(t('conn.connecting')); }, CALM_MS);
    } else {
      // From reconnecting to catching up and back again the bar stays; only the first word waits.
      const words = () => { troubled = true; say(t(`conn.${status}`)); };
      if (troubled) words();
      else timer = setTimeout(words, CALM_MS);
    }
    return undefined;
  });
}
