// The flash sales that wait: first those that the host starts, in the order of the line-up, then those with a start time.

import { formatDuration, formatMoney, locale, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { timeSpan } from '../time_span.js';
import { el, icon, setText, setVisible } from '../ui.js';
import { scheduleText } from './lineup_row.js';

/** @import { Offer } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

const ROWS_MAX = 6;
/** A sale that starts within an hour has a countdown. */
const SOON_MS = 3_600_000;

export class UpcomingSales {
  /**
   * @param {HTMLElement} root
   * @param {Lineup} lineup
   */
  constructor(root, lineup) {
    this.root = root;
    this.lineup = lineup;
    /** @type {Map<string, SaleRow>} */
    this.rows = new Map();
    this.list = el('ul.upcoming', { 'data-test': 'upcoming-sales' });
    this.rest = el('small');
    root.append(el('p.now-title', {}, el('span', {}, t('host.next'))), this.list, this.rest);
  }

  /** The sale that the key `F` starts comes first. */
  offers() {
    const drafts = this.lineup.ordered().filter((offer) => offer.kind === 'flash' && offer.status === 'draft');
    const scheduled = drafts.filter((offer) => offer.starts_at !== null);
    scheduled.sort((a, b) => Number(a.starts_at) - Number(b.starts_at));
    return [...drafts.filter((offer) => offer.starts_at === null), ...scheduled];
  }

  /** Starts the first sale. */
  async startNext() {
    const [offer] = this.offers();
    if (offer) await this.lineup.open(offer, this.rows.get(offer.id)?.startButton ?? null);
  }

  /** @param {number} now */
  paint(now) {
    const offers = this.offers();
    const shown = offers.slice(0, ROWS_MAX);
    const ids = new Set(shown.map((offer) => offer.id));
    setVisible(this.root, offers.length > 0);
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.root.remove();
      this.rows.delete(id);
    }
    shown.forEach((offer, index) => {
      const row = this.rows.get(offer.id) ?? new SaleRow(offer, this.lineup);
      this.rows.set(offer.id, row);
      const place = this.list.children[index] ?? null;
      if (place !== row.root) this.list.insertBefore(row.root, place);
      row.paint(offer, now, index === 0);
    });
    const more = offers.length - shown.length;
    setText(this.rest, more > 0 ? t('host.upcoming_more', { n: more }) : '');
  }
}

class SaleRow {
  /**
   * @param {Offer} offer
   * @param {Lineup} lineup
   */
  constructor(offer, lineup) {
    const { id } = offer;
    this.offer = offer;
    this.isPainted = false;
    /**
     * @param {string} test
     * @param {string} label
     * @param {string} sign
     * @param {(node: HTMLButtonElement) => unknown} act
     */
    const roundButton = (test, label, sign, act) => {
      const props = { type: 'button', 'data-test': test, 'aria-label': label, title: label, onclick: () => act(node) };
      const node = el('button.round.ghost', props, icon(sign));
      return node;
    };
    this.title = el('bdi.row-title');
    this.facts = el('small');
    this.when = el('small.row-when');
    this.startButton = el(
      'button.slim.primary',
      { type: 'button', onclick: () => lineup.open(this.offer, this.startButton) },
      icon('play'),
      t('host.open'),
    );
    const schedule = roundButton(`schedule-${id}`, t('host.schedule'), 'clock', (node) =>
      lineup.schedule(this.offer, node),
    );
    const discard = roundButton(`discard-${id}`, t('host.discard'), 'bin', (node) => lineup.close(this.offer, node));
    this.root = el(
      'li',
      {},
      el('span.row-text', {}, this.title, this.facts, this.when),
      el('span.row-actions', {}, this.startButton, schedule, discard),
    );
  }

  /**
   * @param {Offer} offer
   * @param {number} now
   * @param {boolean} isFirst
   */
  paint(offer, now, isFirst) {
    if (this.offer !== offer || !this.isPainted) {
      const { price, currency, quantity, countdown_s, duration_s } = offer;
      const [lead, length] = [countdown_s, duration_s].map((seconds) => timeSpan(locale, seconds ?? 0));
      const facts = { price: formatMoney(price, currency), n: quantity, lead, length };
      setText(this.title, fullTitle(offer));
      setText(this.facts, t('host.upcoming_facts', facts));
      this.offer = offer;
      this.isPainted = true;
    }
    const test = isFirst ? 'start-prepared' : `start-${offer.id}`;
    if (this.startButton.dataset.test !== test) this.startButton.dataset.test = test;
    setVisible(this.when, offer.starts_at !== null);
    if (offer.starts_at === null) return;
    const rest = offer.starts_at - now;
    const countdown = rest > 0 && rest < SOON_MS ? ` · ${formatDuration(rest)}` : '';
    setText(this.when, scheduleText(offer, now) + countdown);
  }
}
