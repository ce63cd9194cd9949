// The order of the line-up: dragging a row, or moving it with the keyboard, and sending the new order.

import { asRefusal, put } from '../api.js';
import { t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { speak } from '../ui.js';
import { makeDraggable } from './drag.js';

/** @import { Offer } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

export class LineupOrder {
  /** @param {Lineup} lineup */
  constructor(lineup) {
    this.lineup = lineup;
    /** The order that is not confirmed yet: offer id → position. @type {Map<string, number> | null} */
    this.wanted = null;
    this.isSending = false;
    this.hasUnsent = false;
    makeDraggable(lineup.list, {
      onmove: (id, before) => this.moveBefore(id, before),
      onstep: (id, by) => this.step(id, by),
    });
  }

  /** The ids of the offers that can be moved, in their order. */
  movable() {
    return this.lineup
      .ordered()
      .filter((offer) => offer.status !== 'closed')
      .map((offer) => offer.id);
  }

  /**
   * Moves an offer by one row among the rows that are visible.
   * @param {string} id
   * @param {number} by -1 or 1
   */
  step(id, by) {
    const visible = this.movable().filter((other) => !this.lineup.rows.get(other)?.root.hidden);
    const index = visible.indexOf(id);
    const target = index + by;
    if (index < 0 || target < 0 || target >= visible.length) return this.speakPosition(id, index, visible.length);
    this.moveBefore(id, by < 0 ? visible[target] : (visible[target + 1] ?? null));
  }

  /**
   * Moves an offer before another one, or to the end. It moves at once; if the server refuses, it goes back.
   * @param {string} id
   * @param {string | null} before
   */
  moveBefore(id, before) {
    const order = this.movable().filter((other) => other !== id);
    const index = before === null ? order.length : order.indexOf(before);
    order.splice(index, 0, id);
    this.wanted = new Map(order.map((other, place) => [other, place + 1]));
    const focused = document.activeElement;
    this.lineup.paint();
    if (focused instanceof HTMLElement && this.lineup.rows.get(id)?.root.contains(focused)) focused.focus();
    this.speakPosition(id, index, order.length);
    this.send();
  }

  /**
   * @param {string} id
   * @param {number} index
   * @param {number} of
   */
  speakPosition(id, index, of) {
    const offer = this.lineup.offers.get(id);
    if (offer) speak(t('lineup.moved', { offer: fullTitle(offer), n: index + 1, of }));
  }

  /** Sends one order at a time; what is moved meanwhile is sent after it. */
  async send() {
    this.hasUnsent = true;
    if (this.isSending) return;
    this.isSending = true;
    try {
      await this.sendAll();
    } catch (error) {
      this.lineup.onrefused(asRefusal(error));
      await this.lineup.load();
    } finally {
      this.isSending = false;
      this.wanted = null;
      this.lineup.paint();
    }
  }

  async sendAll() {
    let isSecondTry = false;
    while (this.hasUnsent) {
      this.hasUnsent = false;
      try {
        /** @type {{ items: Offer[] }} */
        const { items } = await put(`${this.lineup.path}/lineup`, { offers: this.movable() });
        for (const offer of items) this.lineup.apply(offer);
        isSecondTry = false;
      } catch (error) {
        // Another member of the team may have added or ended an offer that is not known here yet.
        if (asRefusal(error).code !== 'bad_request' || isSecondTry) throw error;
        isSecondTry = this.hasUnsent = true;
        await this.lineup.load();
      }
    }
  }
}
