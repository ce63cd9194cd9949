// An order where it is small: the row under "Mine" and the reminder while something is held.

import { clock, money, t, timeOfDay, titleOf } from './i18n.js';
import { el, picture, put, show } from './ui.js';

/** Still to be decided: a hold that runs, or a payment under way. */
export const active = (order) => order.status === 'held' || order.status === 'capturing';

export function orderRow(order, onorder) {
  const until = order.status === 'held' && el('bdi.countdown', { dir: 'ltr' });
  if (until) until.dataset.until = order.hold_until;
  const status = el(`span.status.${order.status}`, {}, t(`status.${order.status}`));
  return el('li', {}, el('button.order-row', { type: 'button', 'data-test': `order-${order.id}`, onclick: () => onorder(order) },
    picture(order.image),
    el('span.row-text', {}, el('bdi.row-title', {}, titleOf(order)),
      el('small', {}, t('order.qty', { n: order.qty }), ' · ', el('bdi', {}, money(order.amount, order.currency)), ' · ', timeOfDay(order.created_at)),
      el('span.row-line', {}, status, until, order.place ? el('small', {}, t('order.place_short', { n: order.place })) : null)),
    active(order) && el('span.go', {}, t('order.finish'))));
}

export function paintHeldChip(chip, order, now) {
  show(chip, Boolean(order));
  if (!order) return;
  put(chip.querySelector('.held-text'), order.status === 'capturing' ? t('order.capturing') : t('order.held_chip', { n: order.place }));
  put(chip.querySelector('bdi'), order.status === 'held' ? clock(order.hold_until - now) : '');
}
