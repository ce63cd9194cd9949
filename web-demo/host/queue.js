// The sales that wait: those the host starts, in the order of the run-down, then those that begin at their time.

import { clock, money, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { el, icon, put, show } from '../ui.js';
import { whenOf } from './row.js';

const SHOWN_MAX = 6;
const SOON_MS = 3_600_000;

export class Queue {
  constructor(root, rundown, start) {
    Object.assign(this, { root, rundown });
    this.rows = new Map();
    this.list = el('ul.queue', { 'data-test': 'queue' });
    this.rest = el('small');
    this.start = start;
    root.append(el('p.now-title', {}, el('span', {}, t('host.next'))), this.list, this.rest);
  }

  /** What `F` starts comes first. */
  offers() {
    const drafts = this.rundown.ordered().filter((offer) => offer.kind === 'flash' && offer.status === 'draft');
    return [...drafts.filter((offer) => !offer.starts_at), ...drafts.filter((offer) => offer.starts_at).sort((a, b) => a.starts_at - b.starts_at)];
  }

  paint(now) {
    const offers = this.offers();
    const shown = offers.slice(0, SHOWN_MAX);
    show(this.root, offers.length > 0);
    for (const [id, row] of this.rows) if (!shown.some((offer) => offer.id === id)) { row.root.remove(); this.rows.delete(id); }
    shown.forEach((offer, index) => {
      if (!this.rows.has(offer.id)) this.rows.set(offer.id, new QueueRow(offer, this));
      const row = this.rows.get(offer.id);
      if (this.list.children[index] !== row.root) this.list.insertBefore(row.root, this.list.children[index] ?? null);
      row.paint(offer, now, index === 0);
    });
    put(this.rest, offers.length > SHOWN_MAX ? t('host.queue_more', { n: offers.length - SHOWN_MAX }) : '');
  }
}

class QueueRow {
  constructor({ id }, { rundown, start }) {
    this.title = el('bdi.row-title');
    this.facts = el('small');
    this.when = el('small.row-when');
    this.begin = el('button.slim.primary', { type: 'button', onclick: () => (this.first ? start() : rundown.open(this.offer, this.begin)) }, icon('play'), t('host.open'));
    this.plan = el('button.round.ghost', { type: 'button', 'data-test': `plan-${id}`, 'aria-label': t('host.plan'), title: t('host.plan'), onclick: () => rundown.plan(this.offer, this.plan) }, icon('clock'));
    this.drop = el('button.round.ghost', { type: 'button', 'data-test': `drop-${id}`, 'aria-label': t('host.discard'), title: t('host.discard'), onclick: () => rundown.close(this.offer, this.drop) }, icon('bin'));
    this.root = el('li', {}, el('span.row-text', {}, this.title, this.facts, this.when), el('span.row-actions', {}, this.begin, this.plan, this.drop));
  }

  paint(offer, now, first) {
    this.first = first;
    if (this.offer !== offer) {
      put(this.title, fullTitle(offer));
      put(this.facts, t('host.queue_facts', { price: money(offer.price, offer.currency), n: offer.quantity, s: offer.countdown_s, m: Math.round(offer.duration_s / 60) }));
      this.offer = offer;
    }
    if (this.begin.dataset.test !== (first ? 'start-prepared' : `start-${offer.id}`)) this.begin.dataset.test = first ? 'start-prepared' : `start-${offer.id}`;
    show(this.when, Boolean(offer.starts_at));
    if (!offer.starts_at) return;
    const rest = offer.starts_at - now;
    put(this.when, rest > 0 && rest < SOON_MS ? `${whenOf(offer, now)} · ${clock(rest)}` : whenOf(offer, now));
  }
}
