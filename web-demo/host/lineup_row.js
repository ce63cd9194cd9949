// One row of the line-up: what is sold, how it sells, the buttons to show and to sell it, and a menu with the others.

import { formatDateTime, formatDuration, formatMoney, formatNumber, t } from '../i18n.js';
import { countdownOf, fullTitle, isSoldOut, phaseOf } from '../offer.js';
import { el, icon, ICONS, picture, setText, setVisible } from '../ui.js';
import { rowMenu } from './row_menu.js';

/** @import { Offer, Phase } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

Object.assign(ICONS, {
  coin: 'M3 7h18v10H3zM12 9.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM6 12h.01M18 12h.01',
  grip: 'M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01',
  unpin: 'M9 4h6l-1 6 3 3v1.5H7V13l3-3zM12 14.5V21M4 4l16 16',
});

export class LineupRow {
  /**
   * @param {Offer} offer
   * @param {Lineup} lineup
   */
  constructor(offer, lineup) {
    const { id } = offer;
    this.offer = offer;
    this.isPainted = false;
    this.index = -1;
    /**
     * @param {string} name
     * @param {string | null} sign
     * @param {(node: HTMLButtonElement) => unknown} act
     */
    const button = (name, sign, act, look = 'plain') => {
      const label = el('span', {}, t(`host.${name}`));
      const props = { type: 'button', 'data-test': `${name}-${id}`, onclick: () => act(node) };
      const node = el(`button.slim.${look}`, props, sign && icon(sign), label);
      return { node, label };
    };
    this.number = el('span.row-number');
    this.handle = el(
      'button.round.ghost.handle',
      {
        type: 'button',
        'data-test': `move-${id}`,
        'aria-keyshortcuts': 'Alt+ArrowUp Alt+ArrowDown',
        title: t('lineup.move_hint'),
      },
      icon('grip'),
      this.number,
    );
    this.image = el('span.row-image');
    this.title = el('bdi.row-title');
    this.price = el('bdi');
    this.facts = el('p.row-facts');
    this.stock = el('bdi.row-left', { dir: 'ltr', 'data-test': `left-${id}` });
    this.stockText = el('span.for-reader');
    this.status = el('span.status', { 'data-test': `status-${id}` });
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.when = el('span.row-when', { 'data-test': `when-${id}` });
    this.buttons = {
      pin: button('pin', null, (node) => lineup.pin(this.offer, node)),
      unpin: button('unpin', 'unpin', (node) => lineup.unpin(node), 'round'),
      open: button('open', null, (node) => lineup.open(this.offer, node), 'primary'),
      pause: button('pause', 'pause', (node) => lineup.pause(this.offer, node)),
      restock: button('restock', 'plus', (node) => lineup.restock(this.offer, node)),
      pay_later: button('pay_later', 'coin', (node) => lineup.payLater(this.offer, node)),
      close: button('close', 'stop', (node) => lineup.close(this.offer, node)),
    };
    const { pin, unpin, open, pause, restock, pay_later: payLater, close } = this.buttons;
    setVisible(payLater.node, lineup.takesLater);
    // Its word is long in some languages, and one row has it.
    unpin.label.className = 'for-reader';
    unpin.node.title = t('host.unpin');
    for (const { node } of [pin, unpin]) node.classList.add('pin');
    this.more = rowMenu({
      label: t('lineup.more', { offer: fullTitle(offer) }),
      test: `more-${id}`,
      content: [this.facts, pause.node, restock.node, payLater.node, close.node],
    });
    this.root = el(
      'li.lineup-row',
      { 'data-test': `row-${id}`, 'data-id': id },
      this.handle,
      this.image,
      el(
        'div.row-text',
        {},
        this.title,
        el('span.row-line', {}, this.status, this.price, this.stock, this.countdown, this.when),
        this.stockText,
      ),
      el('div.row-actions', {}, pin.node, unpin.node, open.node, this.more.button, this.more.menu),
    );
  }

  /**
   * @param {Offer} offer
   * @param {number} now
   * @param {boolean} isPinned
   * @param {number} index
   */
  paint(offer, now, isPinned, index) {
    const phase = phaseOf(offer, now);
    if (offer !== this.offer || !this.isPainted) this.update(offer);
    if (this.index !== index) {
      setText(this.number, formatNumber(index + 1));
      this.handle.setAttribute('aria-label', t('lineup.move', { offer: fullTitle(offer), n: index + 1 }));
      this.index = index;
    }
    // There is room for the numbers only; the words are in the tooltip and for a screen reader.
    const stock = t('host.stock', { left: offer.left, n: offer.quantity });
    setText(this.stock, `${formatNumber(offer.left)}/${formatNumber(offer.quantity)}`);
    setText(this.stockText, stock);
    if (this.stock.title !== stock) this.stock.title = stock;
    setText(this.status, t(`phase.${phase}`));
    if (isPinned) this.root.setAttribute('aria-current', 'true');
    else this.root.removeAttribute('aria-current');
    const isScheduled = phase === 'draft' && offer.starts_at !== null;
    setVisible(this.when, isScheduled);
    if (isScheduled) setText(this.when, scheduleText(offer, now));
    this.root.dataset.phase = phase;
    this.root.dataset.pinned = String(isPinned);
    const rest = countdownOf(offer, now);
    setVisible(this.countdown, rest !== null);
    if (rest !== null) setText(this.countdown, formatDuration(rest));
    setVisible(this.handle, offer.status !== 'closed');
    this.paintButtons(phase, isPinned);
  }

  /** @param {Offer} offer */
  update(offer) {
    if (offer.image !== this.offer.image || !this.isPainted) this.image.replaceChildren(picture(offer.image, offer));
    setText(this.title, fullTitle(offer));
    this.title.title = fullTitle(offer); // In the row a long one is cut.
    setText(this.price, formatMoney(offer.price, offer.currency));
    const facts = [t(`host.kind_${offer.kind}`), t('host.per_buyer_short', { n: offer.per_buyer })];
    if (offer.pay_later !== undefined) facts.push(t(`form.pay_later_${offer.pay_later ? 'yes' : 'no'}`));
    setText(this.facts, facts.join(' · '));
    this.offer = offer;
    this.isPainted = true;
  }

  /**
   * @param {Phase} phase
   * @param {boolean} isPinned
   */
  paintButtons(phase, isPinned) {
    const isSelling = phase === 'live' || phase === 'low';
    const isStarted = isSelling || phase === 'soon' || phase === 'paused' || isSoldOut(phase);
    const { pin, unpin, open, pause, restock, close } = this.buttons;
    setVisible(pin.node, isStarted && !isPinned);
    setVisible(unpin.node, isPinned);
    setVisible(open.node, phase === 'draft' || phase === 'paused');
    setText(open.label, t(phase === 'paused' ? 'host.resume' : 'host.open'));
    setVisible(pause.node, isSelling);
    setVisible(restock.node, isStarted);
    setVisible(close.node, phase !== 'ended');
    setVisible(this.more.button, phase !== 'ended');
    setText(close.label, t(phase === 'draft' ? 'host.discard' : 'host.close'));
  }
}

/**
 * "Starts Mon 20:00", or that this time has passed without a start.
 * @param {Offer} offer
 * @param {number} now
 */
export function scheduleText({ starts_at }, now) {
  const at = starts_at ?? now;
  return t(at < now ? 'host.was_due' : 'host.begins', { at: formatDateTime(at) });
}
