// The chip over the video for a flash sale that runs while another product is pinned: its picture, its name and its clock.

import { formatDuration, t } from './i18n.js';
import { countdownOf, fullTitle, phaseOf } from './offer.js';
import { picture, setText, setVisible } from './ui.js';

/** @import { LiveClient, Offer, Phase } from './types.d.ts' */
/** @import { ShownPin } from './shown_pin.js' */

/** A sale with nothing left to buy invites nobody, even if a reservation may still end. @type {Phase[]} */
const INVITING = ['soon', 'live', 'low'];

export class SaleChip {
  /**
   * @param {HTMLElement} root
   * @param {LiveClient} client
   * @param {ShownPin} pin
   * @param {(offer: Offer) => void} onopen
   */
  constructor(root, client, pin, onopen) {
    this.root = root;
    this.client = client;
    this.pin = pin;
    /** @type {string | null | undefined} */
    this.image = undefined;
    root.addEventListener('click', () => {
      const sale = this.runningSale(client.now());
      if (sale) onopen(sale);
    });
  }

  /**
   * The flash sale that runs, unless the card shows it already.
   * @param {number} now
   */
  runningSale(now) {
    const { offers } = this.client.state;
    return [...offers.values()].find(
      (offer) => offer.kind === 'flash' && offer.id !== this.pin.offer && INVITING.includes(phaseOf(offer, now)),
    );
  }

  /** @param {number} now */
  paint(now) {
    const sale = this.runningSale(now);
    setVisible(this.root, Boolean(sale));
    if (!sale) return;
    const [image, texts] = this.root.children;
    if (this.image !== sale.image) image.replaceChildren(picture(sale.image, sale));
    this.image = sale.image;
    const [title, line] = texts.children;
    setText(title, fullTitle(sale));
    const [label, countdown, left] = line.children;
    const isSoon = phaseOf(sale, now) === 'soon';
    this.root.dataset.offer = sale.id;
    setText(label, t(isSoon ? 'flag.soon' : 'flag.flash'));
    setText(countdown, formatDuration(countdownOf(sale, now) ?? 0));
    setText(left, isSoon ? '' : t('offer.left', { n: sale.left }));
  }
}
