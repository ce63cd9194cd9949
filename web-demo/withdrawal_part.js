// The withdrawal from a purchase, under an order: what was received, or the button. It takes two steps, as the law wants it: the button,
// and the confirmation that says what follows.

import { formatDateTime, refusalText, t } from './i18n.js';
import { confirmDialog, withBusy } from './sheet.js';
import { el, toast } from './ui.js';

/** @import { Withdrawal } from './types.d.ts' */

/**
 * @param {{ title: string, known: Withdrawal, send: () => Promise<Withdrawal>, onDone: (done: Withdrawal) => void }} options
 * `title`: what was bought
 */
export function withdrawalPart({ title, known, send, onDone }) {
  const { withdrawn_at, may_withdraw, until } = known;
  if (withdrawn_at) {
    const text = t('withdrawal.received', { at: formatDateTime(withdrawn_at) });
    return [el('section.delivery', {}, el('p', { role: 'status', 'data-test': 'withdrawn' }, text))];
  }
  if (!may_withdraw) return [];
  const withdraw = async () => {
    const isSure = await confirmDialog({
      title: t('withdrawal.title'),
      text: t('withdrawal.sure', { title }),
      yes: t('withdrawal.confirm'),
    });
    if (isSure) onDone(await send());
  };
  const button = el(
    'button.slim',
    {
      type: 'button',
      'data-test': 'withdraw',
      onclick: () => withBusy(button, withdraw, (refusal) => toast(refusalText(refusal), { kind: 'warn' })),
    },
    t('withdrawal.button'),
  );
  const note = until && el('small', {}, t('withdrawal.until', { at: formatDateTime(until) }));
  return [el('section.delivery', {}, button, note)];
}
