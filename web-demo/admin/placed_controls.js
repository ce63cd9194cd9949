// A placed order at the desk: what is due, and the buttons that settle it. The payment has come, or the order is cancelled.

import { put } from '../api.js';
import { formatDateTime, formatMoney, t } from '../i18n.js';
import { totalOf } from '../order_quote.js';
import { confirmDialog } from '../sheet.js';
import { el } from '../ui.js';
import { tick } from './choice.js';

/** @import { ShopOrderDetail } from '../types.d.ts' */

/**
 * @param {ShopOrderDetail} order
 * @param {(button: HTMLButtonElement, work: () => Promise<unknown>) => void} act runs the work of a button
 */
export function placedControls(order, act) {
  const { placement, status } = order;
  if (!placement) return null;
  const method = t(`payment.${placement.method}`);
  if (status !== 'placed') return el('p.fine', { 'data-test': 'placed-by' }, method);
  const total = totalOf(order);
  const amount = formatMoney(total, order.currency);
  const isLate = placement.due_at < order.now;
  const due = t(isLate ? 'desk.placed_late' : 'desk.placed_due', { method, date: formatDateTime(placement.due_at) });
  const receive = async () => {
    const isCertain = await confirmDialog({
      title: t('desk.mark_paid'),
      text: t('desk.mark_paid_text', { amount }),
      yes: t('desk.mark_paid_yes', { amount }),
    });
    if (isCertain) act(paid, () => put(`/orders/${order.id}/paid`, { amount: total }));
  };
  const cancel = async () => {
    const restock = tick({ label: t('desk.restock'), test: 'cancel-restock', checked: true });
    const isCertain = await confirmDialog({
      title: t('desk.cancel_order'),
      text: t('desk.cancel_order_text'),
      yes: t('desk.cancel_order'),
      no: t('desk.keep_order'),
      danger: true,
      more: restock.node,
    });
    if (isCertain) act(gone, () => put(`/orders/${order.id}/cancelled`, { restock: restock.box.checked }));
  };
  const paid = el(
    'button.slim.primary',
    { type: 'button', 'data-test': 'order-mark-paid', onclick: receive },
    t('desk.mark_paid'),
  );
  const gone = el(
    'button.slim.danger',
    { type: 'button', 'data-test': 'order-cancel-placed', onclick: cancel },
    t('desk.cancel_order'),
  );
  return el(
    'div',
    {},
    el(isLate ? 'p.alert' : 'p', { 'data-test': 'placed-due' }, due),
    el('div.refund', {}, paid, gone),
  );
}
