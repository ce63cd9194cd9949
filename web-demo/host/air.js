// What is on air: the preview of what viewers see, the sale that runs, those that wait, and the notice.

import { post } from '../api.js';
import { clock, t } from '../i18n.js';
import { Card, countdownOf, fullTitle, phaseOf, stockBar } from '../offer.js';
import { Stage } from '../stage.js';
import { busy } from '../sheet.js';
import { el, icon, put, show } from '../ui.js';
import { Queue } from './queue.js';

const NOW_MAX = 3;
const RUNNING = ['soon', 'live', 'low', 'paused', 'sold_out_for_now', 'sold_out'];

export class Air {
  constructor({ client, rundown, stream, tell, $ }) {
    Object.assign(this, { client, rundown, stream, tell, $ });
    this.stage = new Stage($('stage'));
    this.card = new Card($('card'), { onbuy() {}, onopen() {} });
    $('card').inert = true; // the host looks at it, viewers press it
    this.now = Array.from({ length: NOW_MAX }, () => new NowPanel($('now-panel'), rundown));
    this.idle = el('p.empty', {}, t('host.nothing_on'));
    $('now-panel').append(this.idle);
    this.next = new Queue($('next-panel'), rundown, () => this.startPrepared());
    $('notice-form').addEventListener('submit', (event) => { event.preventDefault(); this.announce($('notice-text').value.trim(), event.submitter); });
    $('notice-clear').addEventListener('click', (event) => { $('notice-text').value = ''; this.announce('', event.currentTarget); });
  }

  announce(text, button) {
    return busy(button, () => post(`/streams/${this.stream.id}/announcements`, { text }), this.tell);
  }

  notice(text) {
    const input = this.$('notice-text');
    if (document.activeElement !== input) input.value = text ?? '';
    show(this.$('notice-clear'), Boolean(text));
  }

  /** Flash sales that run come first, then whatever is pinned. */
  current() {
    const now = this.client.now();
    const running = this.rundown.ordered().filter((offer) => offer.kind === 'flash' && offer.closes_at && RUNNING.includes(phaseOf(offer, now)));
    const pinned = this.rundown.offers.get(this.rundown.pinned);
    return [...new Set([...running, pinned])].filter(Boolean).slice(0, NOW_MAX);
  }

  startPrepared() {
    const [offer] = this.next.offers();
    return offer && this.rundown.open(offer, this.$('next-panel').querySelector('[data-test=start-prepared]'));
  }

  paint() {
    const now = this.client.now();
    const pinned = this.client.state.offers.get(this.rundown.pinned);
    this.card.paint(pinned, now, !this.client.live);
    show(this.$('no-pin'), !pinned);
    this.stage.present(pinned);
    this.stage.paint(now);
    const current = this.current();
    this.now.forEach((panel, i) => panel.paint(current[i], now));
    this.$('now-panel').toggleAttribute('data-sale', Boolean(current[0]?.kind === 'flash' && current[0].closes_at));
    show(this.idle, current.length === 0);
    this.next.paint(now);
  }
}

class NowPanel {
  constructor(root, rundown) {
    this.root = root;
    const button = (name, sign, act, look = 'slim') => {
      const node = el(`button.${look}`, { type: 'button', 'data-test': `now-${name}`, onclick: () => act.call(rundown, this.offer, node) }, sign && icon(sign), t(`host.${name}`));
      return node;
    };
    this.title = el('bdi');
    this.phase = el('span.status');
    this.clock = el('bdi.big-clock.num', { dir: 'ltr', 'data-test': 'now-clock' });
    this.left = el('b.num', { 'data-test': 'now-left' });
    this.hold = el('small');
    this.bar = el('div.now-bar');
    this.buttons = {
      extend: button('extend', 'plus', rundown.extend), restock: button('restock', 'plus', rundown.restock), pause: button('pause', 'pause', rundown.pause),
      resume: button('resume', 'play', rundown.open, 'slim.primary'), unpin: button('unpin', 'pin', (_, node) => rundown.unpin(node)), stop: button('stop', 'stop', rundown.close, 'slim.danger'),
    };
    this.body = el('div.now-one', {}, el('p.now-title', {}, el('span', {}, t('host.now')), this.title, this.phase), el('div.now-line', {}, this.clock, this.left, this.hold), this.bar, el('div.row-actions', {}, Object.values(this.buttons)));
    root.append(this.body);
  }

  paint(offer, now) {
    show(this.body, Boolean(offer));
    this.offer = offer;
    if (!offer) return;
    const phase = phaseOf(offer, now);
    const rest = countdownOf(offer, now);
    put(this.title, fullTitle(offer));
    put(this.phase, t(`phase.${phase}`));
    this.phase.dataset.phase = phase;
    show(this.clock, rest !== null);
    if (rest !== null) put(this.clock, clock(rest));
    put(this.left, t('host.stock', { left: offer.left, n: offer.quantity }));
    put(this.hold, t('host.hold_s', { n: offer.hold_s }));
    const print = `${offer.id}${offer.v}${phase}`;
    if (print !== this.printed) this.bar.replaceChildren(stockBar(offer, phase));
    this.printed = print;
    const over = phase === 'ended';
    show(this.buttons.extend, Boolean(offer.closes_at) && !over);
    show(this.buttons.restock, !over);
    show(this.buttons.pause, phase === 'live' || phase === 'low');
    show(this.buttons.resume, phase === 'paused');
    show(this.buttons.unpin, over);
    show(this.buttons.stop, !over);
  }
}
