// The buttons beside the video: sound, captions, and the sheet with everything else.

import { t } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { Player } from './player.js';
import { byId, icon, ICONS, setVisible } from './ui.js';

/** @import { FaultKind } from './video_engine.js' */

ICONS.gear =
  'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4M9 14.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4';

/**
 * Makes the player of the viewer page with its buttons.
 * @param {(kind: FaultKind) => void} onfault
 */
export function playerWithButtons(onfault) {
  const [sound, captions, more, tap] = ['sound', 'captions', 'video-more', 'tap-sound'].map((id) => byId(id));
  const paint = () => {
    const node = player.video?.node;
    const { video: state } = player.root.dataset;
    const plays = Boolean(node) && (state === 'playing' || state === 'audio' || state === 'stalled');
    setVisible(sound, plays);
    setVisible(more, plays);
    setVisible(captions, plays && player.captions.length > 0);
    // A video starts without sound, because browsers allow nothing else; one press turns it on.
    setVisible(tap, plays && Boolean(node?.muted));
    captions.setAttribute('aria-pressed', String(player.hasCaptionsOn));
    if (!node) return;
    sound.replaceChildren(icon(node.muted ? 'muted' : 'sound'));
    sound.setAttribute('aria-label', t(node.muted ? 'sound.on' : 'sound.off'));
  };
  const player = new Player(byId('player'), { onchange: paint, onfault });
  const toggleSound = () => {
    const node = player.video?.node;
    if (!node) return;
    node.muted = !node.muted;
    // The picture goes on without sound.
    if (!node.muted) node.play().catch(() => {});
  };
  captions.addEventListener('click', () => {
    player.setCaptions(!player.hasCaptionsOn);
    paint();
  });
  sound.addEventListener('click', toggleSound);
  tap.addEventListener('click', toggleSound);
  more.addEventListener('click', () => {
    const { video } = player;
    if (video) import('./video_menu.js').then(({ openVideoMenu }) => openVideoMenu(video)).catch(showUnreachable);
  });
  return player;
}
