// Days of the calendar, written like `2026-11-30`. They are days of the shop's time zone, so no clock of this device is asked.

/** @typedef {'week' | 'days30' | 'month' | 'last_month'} Period */

/** @type {Period[]} */
export const PERIODS = ['week', 'days30', 'month', 'last_month'];

const DAY_MS = 86_400_000;

/** @param {string} day */
const at = (day) => Date.parse(`${day}T00:00:00Z`);
/** @param {number} ms */
const dayAt = (ms) => new Date(ms).toISOString().slice(0, 10);

/**
 * The first and the last day of a period that ends today, or of the month before.
 * @param {Period} period
 * @param {string} today
 */
export function daysOf(period, today) {
  const now = at(today);
  if (Number.isNaN(now)) return { first: '', last: '' };
  const month = `${today.slice(0, 7)}-01`;
  if (period === 'month') return { first: month, last: today };
  if (period === 'last_month') {
    const last = dayAt(at(month) - DAY_MS);
    return { first: `${last.slice(0, 7)}-01`, last };
  }
  return { first: dayAt(now - (period === 'week' ? 6 : 29) * DAY_MS), last: today };
}

/**
 * A day in words.
 * @param {string} day
 * @param {string} locale
 */
export const dayText = (day, locale) =>
  new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(
    at(day),
  );

/**
 * A time in words, in a time zone.
 * @param {number} ms
 * @param {string} locale
 * @param {string} timeZone
 */
export const timeText = (ms, locale, timeZone) =>
  new Intl.DateTimeFormat(locale, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: 'numeric',
    minute: '2-digit',
    timeZone,
  }).format(ms);
