// One row of the run-down: what is sold, how it goes, and the tools of whoever sells.

import { clock, dateTime, money, number, t } from '../i18n.js';
import { countdownOf, fullTitle, phaseOf } from '../offer.js';
import { el, icon, ICONS, picture, put, show } from '../ui.js';

Object.assign(ICONS, { grip: 'M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01' });

export class Row {
  constructor({ id }, rundown) {
    const button = (name, sign, act, look = 'slim') => {
      const node = el(`button.${look}`, { type: 'button', 'data-test': `${name}-${id}`, onclick: () => act.call(rundown, this.offer, node) }, sign && icon(sign), t(`host.${name}`));
      return node;
    };
    this.number = el('span.row-number');
    this.handle = el('button.round.ghost.handle', { type: 'button', 'data-test': `move-${id}`, 'aria-keyshortcuts': 'Alt+ArrowUp Alt+ArrowDown', title: t('host.move_hint') }, icon('grip'), this.number);
    this.image = el('span.row-image');
    this.title = el('bdi.row-title');
    this.facts = el('small.row-facts');
    this.stock = el('small.row-left', { 'data-test': `left-${id}` });
    this.status = el('span.status', { 'data-test': `status-${id}` });
    this.countdown = el('bdi.countdown', { dir: 'ltr' });
    this.when = el('small.row-when', { 'data-test': `when-${id}` });
    this.buttons = {
      pin: button('pin', 'pin', rundown.pin, 'slim.primary'), unpin: button('unpin', 'pin', (_, node) => rundown.unpin(node)),
      open: button('open', 'play', rundown.open, 'slim.primary'), pause: button('pause', 'pause', rundown.pause),
      restock: button('restock', 'plus', rundown.restock), close: button('close', null, rundown.close, 'slim.ghost'),
    };
    this.root = el('li.rundown-row', { 'data-test': `row-${id}`, 'data-id': id },
      el('div.row-head', {}, this.handle, this.image, el('div.row-text', {}, this.title, this.facts, el('span.row-line', {}, this.status, this.countdown, this.stock), this.when)),
      el('div.row-actions', {}, Object.values(this.buttons)));
  }

  paint(offer, now, pinned, index) {
    const phase = phaseOf(offer, now);
    if (offer !== this.offer) {
      if (!this.offer || offer.image !== this.offer.image) this.image.replaceChildren(picture(offer.image));
      put(this.title, fullTitle(offer));
      this.facts.replaceChildren(el('bdi', {}, money(offer.price, offer.currency)), ' · ', t(`host.kind_${offer.kind}`), ' · ', t('host.per_buyer_short', { n: offer.per_buyer }));
      this.offer = offer;
    }
    if (this.index !== index) {
      put(this.number, number(index + 1));
      this.handle.setAttribute('aria-label', t('host.move', { offer: fullTitle(offer), n: index + 1 }));
      this.index = index;
    }
    put(this.stock, t('host.stock', { left: offer.left, n: offer.quantity }));
    put(this.status, pinned ? t('host.pinned') : t(`phase.${phase}`));
    const planned = phase === 'draft' && offer.starts_at;
    show(this.when, Boolean(planned));
    if (planned) put(this.when, whenOf(offer, now));
    this.root.dataset.phase = phase;
    this.root.dataset.pinned = pinned;
    const rest = countdownOf(offer, now);
    show(this.countdown, rest !== null);
    if (rest !== null) put(this.countdown, clock(rest));
    const running = ['soon', 'live', 'low', 'sold_out', 'sold_out_for_now'].includes(phase);
    const { pin, unpin, open, pause, restock, close } = this.buttons;
    show(this.handle, offer.status !== 'closed');
    show(pin, (running || phase === 'paused') && !pinned);
    show(unpin, pinned);
    show(open, phase === 'draft' || phase === 'paused');
    put(open.lastChild, t(phase === 'paused' ? 'host.resume' : 'host.open'));
    show(pause, phase === 'live' || phase === 'low');
    show(restock, running || phase === 'paused');
    show(close, phase !== 'ended');
    put(close.lastChild, t(phase === 'draft' ? 'host.discard' : 'host.close'));
  }
}

/** "Begins Mon 20:00", or that its time went by with nobody there. */
export function whenOf(offer, now) {
  return t(offer.starts_at < now ? 'host.was_due' : 'host.begins', { at: dateTime(offer.starts_at) });
}
