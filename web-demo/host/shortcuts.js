// The keyboard shortcuts of the console: one key per action, listed in the text `host.keys`.

import { byId } from '../ui.js';

/** @import { Lineup } from './lineup.js' */
/** @import { OnAir } from './on_air.js' */
/** @import { PhoneTabs } from './phone_tabs.js' */

/** @param {{ lineup: Lineup, onAir: OnAir, tabs: PhoneTabs }} parts */
export function addShortcuts({ lineup, onAir, tabs }) {
  /**
   * @param {'sell' | 'people'} part
   * @param {string} id
   */
  const focus = (part, id) => {
    tabs.choose(part);
    byId(id).focus();
  };
  /** @type {Record<string, () => unknown>} */
  const actions = {
    p: () => lineup.pinNext(),
    u: () => lineup.unpin(),
    f: () => onAir.upcoming.startNext(),
    n: () => focus('people', 'notice-text'),
    s: () => focus('people', 'slow'),
    '/': () => focus('sell', 'lineup-search'),
  };
  document.addEventListener('keydown', (event) => {
    const field = /** @type {Element} */ (event.target).closest('input, textarea, select, dialog');
    if (event.key === 'Escape' && field instanceof HTMLElement && !field.matches('dialog')) field.blur();
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
    if (field || event.repeat || hasModifier || document.querySelector('dialog[open]')) return;
    const action = actions[keyOf(event)];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/**
 * The key in lower case. On a keyboard without Latin letters the place of the key counts.
 * @param {KeyboardEvent} event
 */
function keyOf(event) {
  if (event.key <= '\x7f') return event.key.toLowerCase();
  const place = event.code.replace(/^Key/, '').toLowerCase();
  return place === 'slash' ? '/' : place;
}
