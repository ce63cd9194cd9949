// The chip over the video for a flash sale that runs while another product is pinned.

import { formatDuration, t } from './i18n.js';
import { countdownOf, phaseOf } from './offer.js';
import { setText, setVisible } from './ui.js';

/** @import { LiveClient, Offer, Phase } from './types.d.ts' */

/** @type {Phase[]} */
const RUNNING = ['soon', 'live', 'low', 'sold_out_for_now'];

export class SaleChip {
  /**
   * @param {HTMLElement} root
   * @param {LiveClient} client
   * @param {(offer: Offer) => void} onopen
   */
  constructor(root, client, onopen) {
    this.root = root;
    this.client = client;
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
    const { offers, pin } = this.client.state;
    return [...offers.values()].find(
      (offer) => offer.kind === 'flash' && offer.id !== pin?.offer && RUNNING.includes(phaseOf(offer, now)),
    );
  }

  /** @param {number} now */
  paint(now) {
    const sale = this.runningSale(now);
    setVisible(this.root, Boolean(sale));
    if (!sale) return;
    const [label, countdown, left] = this.root.children;
    setText(label, t(phaseOf(sale, now) === 'soon' ? 'flag.soon' : 'flag.flash'));
    setText(countdown, formatDuration(countdownOf(sale, now) ?? 0));
    setText(left, t('offer.left', { n: Math.max(0, sale.left) }));
  }
}
