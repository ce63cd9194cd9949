// The buttons beside the video: sound and captions.

import { t } from './i18n.js';
import { Player } from './player.js';
import { byId, icon, setVisible } from './ui.js';

/** Makes the player of the viewer page with its buttons. */
export function playerWithButtons() {
  const [sound, captions] = [byId('sound'), byId('captions')];
  const paint = () => {
    const { video } = player;
    setVisible(sound, Boolean(video));
    setVisible(captions, player.captions.length > 0);
    captions.setAttribute('aria-pressed', String(player.hasCaptionsOn));
    if (!video) return;
    sound.replaceChildren(icon(video.muted ? 'muted' : 'sound'));
    sound.setAttribute('aria-label', t(video.muted ? 'sound.on' : 'sound.off'));
  };
  const player = new Player(byId('player'), paint);
  captions.addEventListener('click', () => {
    player.setCaptions(!player.hasCaptionsOn);
    paint();
  });
  sound.addEventListener('click', () => {
    if (player.video) player.video.muted = !player.video.muted;
    paint();
  });
  return player;
}
