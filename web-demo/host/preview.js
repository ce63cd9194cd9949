// What viewers see: their page, as it is on a phone, in a small frame. It is the page itself, so that it cannot differ: the video,
// the chat, the notice, the hearts, the card in time with the picture, and the buttons. The host only looks at it.
//
// A phone has no room for it, and does not load it. The connection of the frame has the token of the team, so it is no viewer.

import { route } from '../base.js';
import { lang, t } from '../i18n.js';
import { el } from '../ui.js';

const roomy = matchMedia('(min-width: 45em)');

export class Preview {
  /**
   * @param {HTMLElement} root
   * @param {string} stream
   */
  constructor(root, stream) {
    this.root = root;
    this.stream = stream;
    /** How many ms the picture in the frame is behind the server; null: there is none, or nothing tells. @type {number | null} */
    this.delay = null;
    /** @type {HTMLIFrameElement | null} */
    this.frame = null;
    root.inert = true;
    new ResizeObserver(() => this.fit()).observe(root);
    globalThis.addEventListener('message', ({ source, origin, data }) => {
      if (origin === location.origin && source && source === this.frame?.contentWindow) this.delay = data.picture_delay;
    });
    roomy.addEventListener('change', () => this.update());
    this.update();
  }

  update() {
    if (roomy.matches === Boolean(this.frame)) return;
    this.frame?.remove();
    this.frame = null;
    this.delay = null;
    if (!roomy.matches) return;
    const src = route(`/watch?stream=${encodeURIComponent(this.stream)}&lang=${lang}&preview=1`);
    this.frame = el('iframe', { src, title: t('host.preview'), 'data-test': 'preview-page', allow: 'autoplay' });
    this.root.append(this.frame);
    this.fit();
  }

  fit() {
    if (this.frame) this.frame.style.transform = `scale(${this.root.clientWidth / this.frame.offsetWidth})`;
  }
}
