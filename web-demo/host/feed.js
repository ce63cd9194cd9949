// What goes on, line by line, newest first: who comes, what is bought, what runs low; and what a host should look at now.

import { number, t, timeOfDay } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { el } from '../ui.js';

const LINES_MAX = 60;
const COUNT_MS = 10_000;
const FALL_MS = 120_000;
const FALL = 0.2;
const CROWD_MIN = 10; // of fewer, one who leaves is a fifth
const LOW = 0.1;

export class Feed {
  constructor({ node, client, offerOf }) {
    Object.assign(this, { client, offerOf });
    this.list = el('ul.feed-list', { 'data-test': 'feed', tabindex: '0', 'aria-label': t('feed.title') });
    this.none = el('p.empty', {}, t('feed.none'));
    node.append(el('h2', {}, t('feed.title')), this.none, el('div', { role: 'log', 'aria-label': t('feed.title') }, this.list));
    this.low = new Set();
    this.crowd = []; // { at, viewers } of the last two minutes
    client.on('event', (event, { replay }) => {
      if (!replay && event.type === 'purchased') this.add(t('feed.bought', { name: event.name, qty: number(event.qty), offer: this.nameOf(event.offer) }), 'order');
    });
    client.on('state', (changed) => {
      for (const id of changed) if (client.state.offers.has(id)) this.stock(client.state.offers.get(id));
      if (changed.has('delayed')) this.bus();
    });
    setInterval(() => this.count(), COUNT_MS);
  }

  nameOf(id) {
    const offer = this.client.state.offers.get(id) ?? this.offerOf(id);
    return offer ? fullTitle(offer) : '';
  }

  add(text, kind) {
    this.none.hidden = true;
    const at = this.client.now();
    this.list.prepend(el(`li.feed-${kind}`, { 'data-test': `feed-${kind}` }, el('time.num', {}, timeOfDay(at)), el('span', {}, text)));
    while (this.list.children.length > LINES_MAX) this.list.lastChild.remove();
  }

  /** Joins by the ten seconds, not one by one; and a fall of a fifth within two minutes. */
  count() {
    if (this.client.status !== 'live') return;
    const [now, viewers] = [this.client.now(), this.client.state.viewers];
    const before = this.crowd.at(-1)?.viewers;
    if (before !== undefined && viewers > before) this.add(t('feed.joined', { n: viewers - before }), 'join');
    this.crowd = [...this.crowd.filter(({ at }) => now - at < FALL_MS), { at: now, viewers }];
    const most = Math.max(...this.crowd.map((one) => one.viewers));
    if (most >= CROWD_MIN && viewers <= most * (1 - FALL)) {
      this.add(t('feed.fall', { share: number(Math.round((1 - viewers / most) * 100)) }), 'alert');
      this.crowd = [{ at: now, viewers }]; // said once
    }
  }

  stock(offer) {
    const low = offer.status === 'open' && offer.left > 0 && offer.left < offer.quantity * LOW;
    if (low && !this.low.has(offer.id)) this.add(t('feed.low', { offer: fullTitle(offer), n: offer.left }), 'alert');
    if (low) this.low.add(offer.id);
    else this.low.delete(offer.id);
  }

  bus() {
    const away = Boolean(this.client.state.delayed);
    if (away !== Boolean(this.away)) this.add(t(away ? 'feed.bus_away' : 'feed.bus_back'), away ? 'alert' : 'join');
    this.away = away;
  }

  /** The sums as they come: money that could not be taken is worth a look. */
  sums({ payments_failed }) {
    if (this.failed !== undefined && payments_failed > this.failed) this.add(t('feed.failed', { n: payments_failed - this.failed }), 'alert');
    this.failed = payments_failed;
  }
}
