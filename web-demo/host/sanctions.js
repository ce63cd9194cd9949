// The sheet of the users who are muted or banned in this show.

import { asRefusal, del } from '../api.js';
import { formatDateTime, refusalText, t } from '../i18n.js';
import { listAll } from '../list.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, icon } from '../ui.js';
import { outranks } from './rank.js';

/** @import { Refusal, Role, Sanction, Stream } from '../types.d.ts' */

/**
 * @param {Stream} stream
 * @param {Role | undefined} role of the team member who reads it
 * @param {(refusal: Refusal) => void} onrefused
 */
export async function sanctionsSheet(stream, role, onrefused) {
  const body = el('div', {}, el('p.empty', {}, t('loading')));
  openSheet(body, { title: t('host.muted'), test: 'muted', className: 'side' });
  try {
    /** @type {Sanction[]} */
    const sanctions = await listAll(`/streams/${stream.id}/mutes`);
    const rows = sanctions.map((sanction) => sanctionRow(stream, role, sanction, onrefused));
    body.replaceChildren(rows.length ? el('ul.muted', {}, rows) : el('p.empty', {}, t('host.muted_none')));
  } catch (error) {
    body.replaceChildren(el('p.alert', {}, refusalText(asRefusal(error))));
  }
}

/**
 * @param {Stream} stream
 * @param {Role | undefined} role
 * @param {Sanction} sanction
 * @param {(refusal: Refusal) => void} onrefused
 */
function sanctionRow(stream, role, { user, name, kind, until, by, by_role, reason }, onrefused) {
  const isBan = kind === 'ban';
  const lift = async () => {
    await del(`/streams/${stream.id}/${isBan ? 'bans' : 'mutes'}/${encodeURIComponent(user)}`);
    row.remove();
  };
  const props = { type: 'button', 'data-test': `lift-${user}`, onclick: () => withBusy(button, lift, onrefused) };
  const button = el('button.slim', props, icon('check'), t(isBan ? 'host.unban' : 'host.unmute'));
  // What a higher rank imposed stays until that rank lifts it.
  const isTooHigh = outranks(by_role, role ?? 'anonymous');
  button.disabled = isTooHigh;
  const at = until ? formatDateTime(until) : '…';
  const text = isBan ? t('host.banned_by', { by }) : t('host.muted_by', { by, at });
  const why = reason && ` · ${t('host.because', { reason })}`;
  const row = el(
    'li',
    {},
    el(
      'span.row-text',
      {},
      el('bdi.row-title', {}, name ?? user),
      el('small', {}, text, why),
      isTooHigh && el('small', {}, t('error.outranked')),
    ),
    button,
  );
  return row;
}
