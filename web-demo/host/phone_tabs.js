// The tabs that a phone has instead of columns.

import { byId, queryAll } from '../ui.js';

/** @typedef {'sell' | 'people' | 'numbers'} Part */

export class PhoneTabs {
  constructor() {
    this.buttons = queryAll('.phone-tabs [role=tab]');
    for (const button of this.buttons) {
      button.addEventListener('click', () => this.choose(/** @type {Part} */ (button.dataset.part)));
    }
    this.choose('sell');
  }

  /** @param {Part} part */
  choose(part) {
    byId('console').dataset.part = part;
    for (const button of this.buttons) button.setAttribute('aria-selected', String(button.dataset.part === part));
  }
}
