// A show that is over, with its recording: the card, the chat and the chapters follow the picture, and what is on sale can be bought.

import { get } from '../api.js';
import { route } from '../base.js';
import { load, t, titleOf } from '../i18n.js';
import { showUnreachable } from '../lazy.js';
import { listAll } from '../list.js';
import { canBuy, fullTitle, phaseOf } from '../offer.js';
import { byId, el, setText, setVisible, style } from '../ui.js';
import { MessageLog } from './message_log.js';
import { ReplayBar } from './replay_bar.js';
import { chaptersOf, stateAt } from './state.js';

/** @import { ChatList } from '../chat_list.js' */
/** @import { LiveClient, LiveEvent, Offer, Stream } from '../types.d.ts' */
/** @import { Player } from '../player.js' */
/** @import { PinSpan } from './state.js' */
/** @import { Recording } from './recording.js' */
/** @typedef {{ pins: PinSpan[], messages_kept_from: number | null }} ShowLog */
/** @typedef {{ show: Stream, offer: Offer }} Elsewhere */

const LOOK_MS = 250;
const SHOWS_ASKED_MAX = 10;

await Promise.all([load('replay'), style('replay')]);

export class Replay {
  /**
   * @param {{ stream: Stream, client: LiveClient, player: Player, list: ChatList, onchange: () => void }} options
   *   `onchange` is called when another product is shown
   */
  constructor({ stream, client, player, list, onchange }) {
    this.stream = stream;
    this.client = client;
    this.player = player;
    this.list = list;
    this.onchange = onchange;
    this.messages = new MessageLog(stream.id);
    /** @type {PinSpan[]} */
    this.pins = [];
    /** The offers of the show as they were at its end. @type {Map<string, Offer>} */
    this.offers = new Map();
    /** Variant → its price now; null: it is not sold any more. @type {Map<string, number | null>} */
    this.prices = new Map();
    /** Products whose prices were asked for. @type {Set<string>} */
    this.asked = new Set();
    /** Variant → where it is on sale in a show that is live. @type {Map<string, Elsewhere>} */
    this.elsewhere = new Map();
    /** The offer that is shown in the picture. @type {string | null} */
    this.shown = null;
    this.bar = new ReplayBar(
      () => /** @type {Recording | null} */ (player.video),
      (offer) => this.offers.get(offer),
    );
    this.link = el('a.button.primary.replay-link', { 'data-test': 'replay-elsewhere', hidden: true });
    this.note = el('p.replay-note', { role: 'status', 'data-test': 'replay-note', hidden: true });
    byId('card').before(this.bar.root, this.note);
    byId('card').after(this.link);
    byId('layout').classList.add('replay');
    list.clear();
    this.update(stream);
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.load().catch(() => showUnreachable());
  }

  /** @param {Stream} stream */
  update(stream) {
    this.stream = stream;
    setText(byId('live-badge'), t('replay.badge'));
    this.bar.setChapters(chaptersOf(this.pins, this.begin));
  }

  /** When the recording begins, in ms since 1970. */
  get begin() {
    return this.stream.replay_started_at ?? 0;
  }

  async load() {
    const path = `/streams/${encodeURIComponent(this.stream.id)}`;
    /** @type {[ShowLog, Offer[]]} */
    const [log, offers] = await Promise.all([get(`${path}/log`), listAll(`${path}/offers`, 40)]);
    for (const offer of offers) this.offers.set(offer.id, offer);
    this.pins = log.pins.filter(({ offer }) => this.offers.has(offer));
    this.update(this.stream);
    this.tellOfChat(log.messages_kept_from);
    this.look();
    await this.loadElsewhere();
  }

  /** @param {number | null} kept_from */
  tellOfChat(kept_from) {
    const { begin } = this;
    if (kept_from === null || kept_from <= begin) return;
    setText(this.note, t(kept_from < (this.stream.ended_at ?? begin) ? 'replay.chat_partly' : 'replay.chat_gone'));
    setVisible(this.note, true);
  }

  /** What shows that are live now sell of the same variants. */
  async loadElsewhere() {
    /** @type {{ items: Stream[] }} */
    const { items } = await get(`/streams?status=live&limit=${SHOWS_ASKED_MAX}`);
    for (const show of items) {
      /** @type {{ items: Offer[] }} */
      const { items: offers } = await get(`/streams/${encodeURIComponent(show.id)}/offers?limit=100`);
      for (const offer of offers) {
        if (canBuy(phaseOf(offer, show.now))) this.elsewhere.set(offer.variant, { show, offer });
      }
    }
    this.paintLink();
  }

  /** Brings everything to the position of the picture. */
  look() {
    const { video } = this.player;
    this.bar.paint();
    if (!video) return;
    const at = this.begin + video.node.currentTime * 1000;
    this.messages.reach(at).then((isNew) => isNew && this.look());
    const state = stateAt({ pins: this.pins, messages: this.messages.messages }, at);
    this.list.show(state.messages);
    if (state.offer === this.shown) return;
    this.shown = state.offer;
    const offer = this.offers.get(this.shown ?? '');
    if (offer) this.loadPrice(offer).catch(() => this.asked.delete(offer.product));
    this.onchange();
    this.paintLink();
  }

  /** What the card shows: the offer that is on sale here now, or the one of then at the price of now. */
  offer() {
    const then = this.offers.get(this.shown ?? '');
    if (!then) return undefined;
    const price = this.prices.get(then.variant);
    return this.onSaleHere(then) ?? (typeof price === 'number' ? this.at(then, price) : then);
  }

  /**
   * The same object for the same price, so that the card is not painted anew.
   * @param {Offer} then
   * @param {number} price
   */
  at(then, price) {
    if (this.priced?.id !== then.id || this.priced.price !== price) this.priced = { ...then, price, old_price: null };
    return this.priced;
  }

  /** @param {Offer} then */
  onSaleHere({ variant }) {
    const now = this.client.now();
    const same = [...this.client.state.offers.values()].filter((offer) => offer.variant === variant);
    return same.find((offer) => canBuy(phaseOf(offer, now))) ?? same.find((offer) => phaseOf(offer, now) !== 'ended');
  }

  /** @param {Offer} offer */
  async loadPrice({ product }) {
    if (this.asked.has(product)) return;
    this.asked.add(product);
    /** @type {{ variants: { id: string, price: number }[] }} */
    const { variants } = await get(`/products/${encodeURIComponent(product)}`);
    for (const { id, price } of variants) this.prices.set(id, price);
    this.onchange();
  }

  paintLink() {
    const then = this.offers.get(this.shown ?? '');
    const found = then && !this.onSaleHere(then) ? this.elsewhere.get(then.variant) : undefined;
    setVisible(this.link, Boolean(found));
    if (!found) return;
    const [show, offer] = [found.show.id, found.offer.id].map(encodeURIComponent);
    this.link.href = route(`/watch?stream=${show}&offer=${offer}`);
    setText(this.link, t('replay.elsewhere', { show: titleOf(found.show) }));
    this.link.setAttribute('aria-label', `${this.link.textContent}: ${fullTitle(found.offer)}`);
  }

  /**
   * The team removes messages also when the show is over.
   * @param {LiveEvent} event
   */
  receive(event) {
    if (event.type === 'deleted') this.messages.remove(({ id }) => id === event.id);
    else if (event.type === 'muted' || event.type === 'banned' || event.type === 'erased') {
      this.messages.remove(({ from }) => from.id === event.user);
    } else return;
    this.look();
  }

  /** The recording was taken away. */
  stop() {
    clearInterval(this.timer);
    for (const node of [this.bar.root, this.note, this.link]) node.remove();
    byId('layout').classList.remove('replay');
    this.list.clear();
  }
}
