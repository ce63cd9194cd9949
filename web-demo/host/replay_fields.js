// The fields for the recording of a show that has ended.

import { t } from '../i18n.js';
import { field, webAddress } from './form.js';

/** @import { Field } from './form.js' */
/** @import { Stream } from '../types.d.ts' */

const TIME = /^(-?)(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)$/;
/** ٠ and ۰, the zeros of the Arabic digits. */
const ZEROS = [0x660, 0x6f0];

/** @param {Partial<Stream>} show */
export const mayHaveReplay = (show) => show.status === 'ended' && Boolean(show.started_at) && !show.cancelled_at;

/** @param {string} text digits of any style */
function westernDigits(text) {
  return text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => {
    const code = digit.charCodeAt(0);
    return String(code - (ZEROS.findLast((zero) => zero <= code) ?? 0));
  });
}

/**
 * A position like `0:12`, `-0:05` or `1:02:03`, in ms; nothing is the beginning.
 * @param {string} text
 */
export function position(text) {
  if (!text) return 0;
  const found = TIME.exec(westernDigits(text).replaceAll('−', '-'));
  if (!found) throw new Error(t('form.replay_time'));
  const [, sign, hours = '0', minutes, seconds] = found;
  const total = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return total * (sign ? -1000 : 1000);
}

/**
 * Where in the recording the show begins, as `position` reads it.
 * @param {Partial<Stream>} show
 */
export function positionText({ replay, replay_started_at, started_at }) {
  if (!replay || !replay_started_at || !started_at) return '0:00';
  const total = Math.round((started_at - replay_started_at) / 1000);
  const [minutes, seconds] = [Math.floor(Math.abs(total) / 60), Math.abs(total) % 60];
  return `${total < 0 ? '-' : ''}${minutes}:${String(seconds).padStart(2, '0')}`;
}

/**
 * @param {Partial<Stream>} show
 * @param {Record<string, string>} value
 * @returns {Record<string, Field<any>>}
 */
export function replayFields(show, value) {
  if (!mayHaveReplay(show)) return {};
  return {
    replay: field({
      label: t('form.replay'),
      test: 'show-replay',
      check: webAddress,
      dir: 'ltr',
      hint: t('form.replay_hint'),
      value: value.replay,
    }),
    replay_started_at: field({
      label: t('form.replay_begin'),
      test: 'show-replay-begin',
      check: position,
      dir: 'ltr',
      hint: t('form.replay_begin_hint'),
      value: value.replay_started_at,
    }),
  };
}

/**
 * @param {Record<string, any>} values of the fields
 * @param {Partial<Stream>} show
 */
export function replayRequest({ replay, replay_started_at }, { started_at }) {
  if (replay === undefined) return {};
  return { replay, replay_started_at: replay === null ? null : Number(started_at) - replay_started_at };
}
