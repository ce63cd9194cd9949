// A show that is over, with its recording: the card, the chat and the chapters follow the picture, and what is on sale can be bought.

import { get } from '../api.js';
import { route } from '../base.js';
import { formatDuration, load, t, titleOf } from '../i18n.js';
import { showUnreachable } from '../lazy.js';
import { listAll } from '../list.js';
import { canBuy, fullTitle, phaseOf } from '../offer.js';
import { byId, el, icon, ICONS, queryAll, setText, setVisible, style } from '../ui.js';
import { chaptersOf, LINES_SHOWN, stateAt } from './state.js';

/** @import { ChatList } from '../chat_list.js' */
/** @import { LiveClient, LiveEvent, Message, Offer, Stream } from '../types.d.ts' */
/** @import { Player } from '../player.js' */
/** @import { Chapter, PinSpan } from './state.js' */
/** @import { Recording } from './recording.js' */
/** @typedef {{ pins: PinSpan[], messages_kept_from: number | null }} ShowLog */
/** @typedef {{ show: Stream, offer: Offer }} Elsewhere */

const LOOK_MS = 250;
const SHOWS_ASKED_MAX = 10;

await Promise.all([load('player'), style('replay')]);

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
   * The same object for the same price, so that the card is not painted again.
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

/** The bar below the picture: play and pause, the position, and the chapters. */
ICONS.pause = 'M8 5.5v13M16 5.5v13';

class ReplayBar {
  /**
   * @param {() => Recording | null} videoOf
   * @param {(id: string) => Offer | undefined} offerOf
   */
  constructor(videoOf, offerOf) {
    this.videoOf = videoOf;
    this.offerOf = offerOf;
    /** @type {Chapter[]} */
    this.chapters = [];
    this.isMoving = false;
    this.face = '';
    this.toggle = el('button.round.ghost', {
      type: 'button',
      'data-test': 'replay-toggle',
      onclick: () => this.press(),
    });
    this.slider = el('input', {
      type: 'range',
      min: '0',
      max: '1',
      step: '1',
      value: '0',
      dir: 'ltr',
      'aria-label': t('replay.position'),
      'data-test': 'replay-position',
      oninput: () => {
        this.isMoving = true;
        this.paintTime(Number(this.slider.value));
      },
      onchange: () => {
        this.isMoving = false;
        this.videoOf()?.moveTo(Number(this.slider.value));
      },
    });
    this.time = el('bdi.replay-time', { dir: 'ltr', 'data-test': 'replay-time' });
    this.list = el('ol.chapters', { 'aria-label': t('replay.chapters'), 'data-test': 'replay-chapters', hidden: true });
    this.root = el(
      'section.replay-bar',
      { 'aria-label': t('replay.badge'), 'data-test': 'replay-bar' },
      el('div.replay-line', { dir: 'ltr' }, this.toggle, this.slider, this.time),
      this.list,
    );
  }

  press() {
    const video = this.videoOf();
    if (!video) return;
    if (!video.node.paused) video.node.pause();
    else if (video.node.ended) video.moveTo(0);
    else video.play();
    this.paint();
  }

  /** @param {Chapter[]} chapters */
  setChapters(chapters) {
    this.chapters = chapters;
    const rows = chapters.map(({ offer, at }) => {
      const product = this.offerOf(offer);
      const onclick = () => this.videoOf()?.moveTo(at / 1000);
      const time = el('bdi.num', { dir: 'ltr' }, formatDuration(Math.floor(at / 1000) * 1000));
      return el(
        'li',
        {},
        el('button.slim', { type: 'button', onclick }, time, el('bdi', {}, product ? fullTitle(product) : '')),
      );
    });
    this.list.replaceChildren(...rows);
    setVisible(this.list, chapters.length > 0);
  }

  paint() {
    const video = this.videoOf();
    const face = !video || video.node.paused ? 'play' : 'pause';
    if (face !== this.face) {
      this.face = face;
      this.toggle.replaceChildren(icon(face));
      this.toggle.setAttribute('aria-label', t(`replay.${face}`));
    }
    this.toggle.disabled = this.slider.disabled = !video?.duration;
    if (!video || this.isMoving) return;
    const seconds = video.node.currentTime;
    const max = String(Math.max(1, Math.floor(video.duration)));
    if (this.slider.max !== max) this.slider.max = max;
    this.slider.value = String(Math.floor(seconds));
    this.paintTime(seconds);
    const current = this.chapters.findLastIndex(({ at }) => at <= seconds * 1000);
    queryAll('button', this.list).forEach((button, index) => {
      if (index === current) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    });
  }

  /** @param {number} seconds */
  paintTime(seconds) {
    const texts = [Math.floor(seconds), Math.floor(this.videoOf()?.duration ?? 0)].map((it) =>
      formatDuration(it * 1000),
    );
    setText(this.time, texts.join(' / '));
    this.slider.setAttribute('aria-valuetext', texts.join(' / '));
  }
}

/** The chat of the show, read in parts around the position. */
/** One part ends as long after the position, and the next one is read when the position comes near its end. */
const AHEAD_MS = 15_000;
const NEAR_MS = 5_000;
const PAGE = 100;
/** Some seconds of a busy show have more messages than a page. The oldest of even more are left out. */
const PAGES_MAX = 5;
const KEPT_MAX = 2_000;
/** The server cannot be reached now. */
const AGAIN_MS = 5_000;

class MessageLog {
  /** @param {string} stream */
  constructor(stream) {
    this.path = `/streams/${encodeURIComponent(stream)}/messages`;
    /** In the order of time. @type {Message[]} */
    this.messages = [];
    /** What is known: from here … */
    this.from = 0;
    /** … to here. */
    this.until = 0;
    this.isLoading = false;
    this.againAt = 0;
  }

  /**
   * Reads what a position needs, if it is not there. Gives whether something was read.
   * @param {number} at in ms since 1970
   */
  async reach(at) {
    const isInside = this.from <= at && at < this.until;
    if (this.isLoading || (isInside && at + NEAR_MS < this.until) || performance.now() < this.againAt) return false;
    this.isLoading = true;
    try {
      await this.read(at, isInside ? this.until : null);
      return true;
    } catch {
      this.againAt = performance.now() + AGAIN_MS;
      return false;
    } finally {
      this.isLoading = false;
    }
  }

  /**
   * @param {number} at
   * @param {number | null} known what is there up to this time goes on; null: it is replaced
   */
  async read(at, known) {
    const until = Math.round(at + AHEAD_MS);
    const wanted = known ?? at;
    /** @type {Message[]} */
    const found = [];
    let reaches = until;
    /** @type {string | null} */
    let after = null;
    for (let page = 0; page < PAGES_MAX; page++) {
      const next = after ? `&after=${after}` : '';
      /** @type {{ items: Message[], next: string | null }} */
      const answer = await get(`${this.path}?until=${until}&limit=${PAGE}${next}`);
      found.push(...answer.items);
      after = answer.next;
      reaches = after === null ? 0 : (answer.items.at(-1)?.at ?? 0);
      // The list needs some lines from before the position too.
      if (after === null || (reaches <= wanted && found.length >= LINES_SHOWN)) break;
    }
    const isSeamless = known !== null && reaches <= known;
    const old = isSeamless ? this.messages : [];
    const ids = new Set(old.map(({ id }) => id));
    const fresh = found.filter(({ id }) => !ids.has(id));
    this.messages = [...old, ...fresh].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)).slice(-KEPT_MAX);
    if (!isSeamless) this.from = Math.min(reaches, at);
    if (this.messages.length === KEPT_MAX) this.from = this.messages[0].at;
    this.until = until;
  }

  /**
   * Somebody's messages were removed just now.
   * @param {(message: Message) => boolean} isGone
   */
  remove(isGone) {
    this.messages = this.messages.filter((message) => !isGone(message));
  }
}
