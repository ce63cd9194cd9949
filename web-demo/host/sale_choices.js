// What a host chose for the last sale, kept in this browser, so that the next form begins with it.

/** @typedef {{ countdown_s: number, duration_s: number, per_buyer: number, quantity: number, hold_s: number, percent: number | null, pin: boolean, quick_later: boolean }} SaleChoices */

const SLOT = 'livesouk.sale_choices';

/** @type {SaleChoices} */
const DEFAULTS = {
  countdown_s: 30,
  duration_s: 300,
  per_buyer: 2,
  quantity: 10,
  hold_s: 300,
  percent: null,
  pin: true,
  quick_later: true,
};

/** @returns {SaleChoices} */
export function lastSaleChoices() {
  try {
    /** @type {Record<string, unknown>} */
    const kept = JSON.parse(localStorage.getItem(SLOT) ?? '{}');
    // A value of another type, left by another version of this page, does not count.
    const usable = Object.entries(DEFAULTS).filter(([name, value]) => typeof kept[name] === typeof (value ?? 0));
    return { ...DEFAULTS, ...Object.fromEntries(usable.map(([name]) => [name, kept[name]])) };
  } catch {
    return DEFAULTS; // The browser keeps nothing, or it kept something unreadable.
  }
}

/** @param {Partial<SaleChoices>} choices */
export function keepSaleChoices(choices) {
  try {
    localStorage.setItem(SLOT, JSON.stringify({ ...lastSaleChoices(), ...choices }));
  } catch {
    // Without storage the next form begins with the defaults.
  }
}
