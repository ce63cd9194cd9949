// The viewer page: it loads the show and joins the parts of the page.

import { followServer, onOtherTab } from './account.js';
import { asRefusal, get, session, signedInAs, token, UNKNOWN_OUTCOME } from './api.js';
import { route, shopAddress } from './base.js';
import { connect } from './client.js';
import { connectionBar } from './connection_bar.js';
import { formatCompact, formatNumber, languageSwitch, refusalText, t, translate } from './i18n.js';
import { once, showUnreachable } from './lazy.js';
import { loadShop } from './load_shop.js';
import { fullTitle, phaseOf } from './offer.js';
import { OfferCard } from './offer_card.js';
import { playerWithButtons } from './player_buttons.js';
import { SaleChip } from './sale_chip.js';
import { ShowHeader } from './show_header.js';
import { ShownPin } from './shown_pin.js';
import { signInFromAddress } from './sign_in_link.js';
import { byId, fillIcons, onTick, query, setText, setVisible, speak, toast } from './ui.js';
import { ViewerChat } from './viewer_chat.js';

/** @import { LiveClient, LiveEvent, Offer, Phase, Shop, StockAlertState, Stream } from './types.d.ts' */
/** @import { Buyer } from './buyer.js' */
/** @import { PinnedEvent } from './shown_pin.js' */

const REPORT_VIDEO_MS = 10_000;
/** These change with every tick of a busy room, and nothing else depends on them. */
const BUSY = new Set(['viewers', 'likes', 'reactions']);
/** The console shows this page in a frame, and asks how far its picture is behind. */
const isPreview = new URLSearchParams(location.search).has('preview') && window.parent !== window;

translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
start().catch(async (error) => (await import('./error_page.js')).errorPage(asRefusal(error)));

async function start() {
  await signInFromAddress();
  const wanted = new URLSearchParams(location.search).get('stream');
  const [shop, stream] = await Promise.all([
    loadShop(),
    /** @type {Promise<Stream | undefined>} */ (wanted ? get(`/streams/${encodeURIComponent(wanted)}`) : firstLive()),
  ]);
  if (!stream) return location.replace(route('/'));
  byId('layout').hidden = false;
  new WatchPage(shop, stream);
}

/** @returns {Promise<Stream | undefined>} */
async function firstLive() {
  /** @type {{ items: Stream[] }} */
  const { items } = await get('/streams?status=live&limit=1');
  return items[0];
}

class WatchPage {
  /**
   * @param {Shop} shop
   * @param {Stream} stream
   */
  constructor(shop, stream) {
    const client = connect(stream.id, { token: token.get(), base: shopAddress() });
    this.client = client;
    this.shop = shop;
    this.stream = stream;
    /** Loads when the reader does more than watch. @type {Buyer | null} */
    this.buyer = null;
    this.loadBuyer = once(() => this.makeBuyer());
    /** Offer → its phase, to speak of the moment when it is sold out. @type {Map<string, Phase>} */
    this.phases = new Map();
    /** Kind of a video fault → when it was reported. @type {Map<string, number>} */
    this.reportedAt = new Map();
    /** Kinds of faults from before the connection, to be reported with it. @type {Set<string>} */
    this.unreported = new Set();
    const signIn = () => this.withBuyer((buyer) => buyer.signIn());
    this.player = playerWithButtons((kind) => this.reportVideoFault(kind));
    this.header = new ShowHeader({ client, shop, stream, signIn });
    const hasEnded = () => this.stream.status === 'ended';
    this.chat = new ViewerChat({ client, shop, stream: stream.id, hasEnded, signIn });
    this.card = new OfferCard(byId('card'), {
      onbuy: (offer) => this.withBuyer((buyer) => buyer.press(offer)),
      onopen: (offer) => this.openProduct(offer),
      alertsOf: (offer) => this.alertsOf(offer),
    });
    this.pin = new ShownPin({
      client,
      pictureTime: () => this.player.pictureTime(),
      onchange: () => this.paint(),
      onpinned: (event, how) => this.showPinned(event, how),
    });
    this.saleChip = new SaleChip(byId('sale-chip'), client, this.pin, (offer) => this.openProduct(offer));
    this.loadHearts = once(() => makeHearts(client, signIn));
    /** The recording of a show that is over. @type {import('./replay/replay.js').Replay | null} */
    this.replay = null;
    this.loadEnd = once(async () => {
      const { ShowEnd } = await import('./show_end.js');
      return new ShowEnd(this.stream);
    });
    connectionBar(byId('conn'), client, {
      again: { 4501: signIn, 4509: () => client.signIn(token.get()), reload: () => location.reload() },
    });
    this.listen();
    this.followOtherTabs();
    this.addButtons();

    this.update(stream);
    this.header.paintAccount();
    onTick(() => this.tick());
    this.paint();
    this.loadWhatIsNeeded();
  }

  // ---- The part that loads later ----

  async makeBuyer() {
    const { Buyer } = await import('./buyer.js');
    this.buyer = new Buyer({
      client: this.client,
      shop: this.shop,
      stream: this.stream.id,
      pin: this.pin,
      alertsOf: (offer) => this.alertsOf(offer),
      onchange: () => this.paint(),
      onaccount: () => {
        this.header.paintAccount();
        this.chat.field.paint();
      },
    });
    return this.buyer;
  }

  /** @param {(buyer: Buyer) => unknown} act */
  withBuyer(act) {
    this.loadBuyer().then(act, showUnreachable);
  }

  /**
   * The reactions load with the first one of the show.
   */
  updateLikes() {
    const { likes, reactions } = this.client.state;
    if (likes > 0) {
      setText(byId('likes'), formatCompact(likes));
      this.loadHearts().then(
        (hearts) => hearts.update(likes, reactions),
        () => {},
      );
    }
  }

  /** @param {Offer} offer */
  openProduct(offer) {
    this.withBuyer((buyer) => buyer.openProduct(offer));
  }

  /**
   * @param {Offer} offer
   * @returns {StockAlertState}
   */
  alertsOf({ id }) {
    const people = this.client.state.stock_alerts.get(id) ?? 0;
    return { people, mine: this.buyer?.alerts?.hasStockAlert(id) ?? false };
  }

  /** Loads what this window shows from the start, and what this tab used before a reload. */
  loadWhatIsNeeded() {
    const { id } = this.stream;
    const desktop = matchMedia('(min-width: 60em)');
    const loadColumn = () => {
      if (desktop.matches) this.withBuyer((buyer) => buyer.loadProductList());
    };
    desktop.addEventListener('change', loadColumn);
    loadColumn();
    const hasAlerts = [`livesouk.bells.${id}`, `livesouk.remind.${id}`].some((slot) => sessionStorage.getItem(slot));
    if (hasAlerts) this.withBuyer((buyer) => buyer.loadAlerts());
    // A link to one product of the show opens it, once it is there.
    const wanted = new URLSearchParams(location.search).get('offer');
    if (!wanted) return;
    const off = this.client.on('state', () => {
      const offer = this.client.state.offers.get(wanted);
      if (!offer) return;
      off();
      this.openProduct(offer);
    });
  }

  // ---- What the server sends, and what the reader presses ----

  listen() {
    const { client } = this;
    client.on('hello', () => {
      followServer(client);
      if (signedInAs()) this.withBuyer(() => {});
    });
    client.on('show', (stream) => this.update(stream));
    client.on('event', (event, { replay }) => {
      if (event.type === 'started' || event.type === 'ended') {
        this.update({ ...this.stream, ...client.show });
        this.chat.field.paint();
      }
      // A recording has the chat of its own time.
      if (this.stream.replay) return this.replay?.receive(event);
      // A pin waits for the picture, and what tells of it waits with it.
      if (event.type === 'pinned') return;
      this.chat.addEvent(event);
      if (!replay) this.speakOf(event);
    });
    client.on('state', (changed) => {
      if (changed.has('coupon')) {
        import('./coupon_chip.js').then(({ paintCoupon }) => paintCoupon(this), showUnreachable);
      }
      if (changed.has('likes') || changed.has('reactions')) this.updateLikes();
      if ([...changed].some((key) => !BUSY.has(key))) this.paint();
    });
    client.on('status', ({ status, code }) => {
      if (status === 'live') {
        for (const kind of this.unreported) this.reportVideoFault(kind);
        this.unreported.clear();
      }
      // An invalid token would be refused again and again: forget it, and go on watching without one. A session has ended.
      if (status === 'closed' && code === 4501 && signedInAs()) {
        token.clear();
        session.clear();
        toast(t('error.token_expired'), { kind: 'warn' });
        queueMicrotask(() => client.signIn(null));
      }
      this.paint();
      this.header.paintAccount();
    });
    client.on('order', () => this.paint());
  }

  /** Another tab signed in or out: this one follows. What the page shows of somebody else must not stay. */
  followOtherTabs() {
    onOtherTab((isNewPerson) => {
      if (isNewPerson) this.client.signIn(null);
      else location.reload();
    });
  }

  addButtons() {
    const { base_url } = this.shop;
    byId('heart').addEventListener('click', () => this.loadHearts().then((hearts) => hearts.tap(), showUnreachable));
    byId('scrim').addEventListener('click', () => this.buyer?.productList?.close());
    byId('product-list-open').addEventListener('click', () => this.withBuyer((buyer) => buyer.openProductList()));
    byId('remind').addEventListener('click', () => this.withBuyer((buyer) => buyer.toggleReminder()));
    byId('share').addEventListener('click', () => {
      import('./share.js').then(({ share }) => share(base_url, this.stream)).catch(showUnreachable);
    });
    // The keyboard of a phone shrinks the visible part, not the page; the bar must stay above it.
    globalThis.visualViewport?.addEventListener('resize', () => {
      document.documentElement.style.setProperty('--visible', `${globalThis.visualViewport?.height}px`);
    });
  }

  /**
   * Tells the server of a fault of the video, for the host and the operator; each kind at most once in ten seconds.
   * @param {string} kind
   */
  reportVideoFault(kind) {
    if (isPreview) return;
    if (!this.client.live) {
      this.unreported.add(kind);
      return;
    }
    const now = performance.now();
    if (now - (this.reportedAt.get(kind) ?? -Infinity) < REPORT_VIDEO_MS) return;
    this.reportedAt.set(kind, now);
    // It is only a count.
    this.client.request('report_video_fault', { kind }).catch(() => {});
  }

  /** @param {number} now */
  tellDelay(now) {
    const at = this.player.pictureTime();
    window.parent.postMessage({ picture_delay: at === null ? null : now - at }, location.origin);
  }

  /** @param {Stream} stream */
  update(stream) {
    this.stream = stream;
    this.header.update(stream);
    this.player.update(stream);
    // The badge says that it is over, too.
    if (stream.status === 'ended') this.showEnd().catch(() => {});
  }

  /** The show is over: its recording, or what comes next. */
  async showEnd() {
    if (!this.stream.replay) {
      this.replay?.stop();
      this.replay = null;
      const end = await this.loadEnd();
      end.root.hidden = Boolean(this.stream.replay);
      return this.paint();
    }
    const { Replay } = await import('./replay/replay.js');
    const { stream, client, player } = this;
    if (!stream.replay) return;
    if (this.replay) return this.replay.update(stream);
    document.querySelector('.show-end')?.toggleAttribute('hidden', true);
    this.replay = new Replay({ stream, client, player, list: this.chat.list, onchange: () => this.paint() });
    this.paint();
  }

  /**
   * The card of a new pin is on the screen: what tells of it comes with it.
   * @param {PinnedEvent} event
   * @param {{ replay: boolean }} how
   */
  showPinned(event, { replay }) {
    if (this.stream.replay) return;
    this.chat.addEvent(event);
    if (replay) return;
    this.speakOf(event);
    this.buyer?.alerts?.pinned(event.offer);
  }

  /**
   * Tells a screen reader of a pin, the start of a sale and the end of the show; never of chat messages.
   * @param {LiveEvent} event
   */
  speakOf(event) {
    if (event.type === 'ended') speak(t('event.ended'));
    if (event.type !== 'pinned' && event.type !== 'sale_opened') return;
    const offer = this.client.state.offers.get(event.offer);
    if (offer) speak(t(`event.${event.type}`, { offer: fullTitle(offer) }));
  }

  pinnedOffer() {
    if (this.replay) return this.replay.offer();
    return this.client.state.offers.get(this.pin.offer ?? '');
  }

  paint() {
    const { offers } = this.client.state;
    const now = this.client.now();
    this.player.showProduct(this.pinnedOffer());
    let count = 0;
    for (const offer of offers.values()) {
      const phase = phaseOf(offer, now);
      const before = this.phases.get(offer.id);
      this.phases.set(offer.id, phase);
      if (phase !== 'ended') count++;
      if (before && before !== phase && phase === 'sold_out') speak(t('spoken.sold_out', { offer: fullTitle(offer) }));
    }
    const button = byId('product-list-open');
    const badge = query('.count', button);
    setText(badge, formatNumber(count));
    setVisible(badge, offers.size > 0);
    button.setAttribute('aria-label', `${t('product_list')} ${formatNumber(count)}`);
    this.tick();
  }

  tick() {
    const { client, buyer } = this;
    const now = client.now();
    const stale = !client.live;
    this.saleChip.paint(now);
    this.card.paint(this.pinnedOffer(), now, stale);
    buyer?.paint(now, stale);
    const hasReminder = buyer?.alerts?.hasReminder ?? false;
    setText(/** @type {Node} */ (byId('remind').lastChild), t(hasReminder ? 'remind.on' : 'remind.me'));
    byId('remind').setAttribute('aria-pressed', String(hasReminder));
    this.player.paint(now);
    if (isPreview) this.tellDelay(now);
    this.header.tick(now);
    this.chat.field.paint();
  }
}

/**
 * @param {LiveClient} client
 * @param {() => void} signIn
 */
async function makeHearts(client, signIn) {
  const { Hearts } = await import('./hearts.js');
  return new Hearts({
    layer: byId('hearts'),
    box: query('.heart-box'),
    count: byId('likes'),
    send: (kind, count) => client.request('react', { kind, count }),
    onrefused: (refusal) => {
      if (refusal.code === 'sign_in') signIn();
      else if (!UNKNOWN_OUTCOME.has(refusal.code)) toast(refusalText(refusal), { kind: 'warn' });
    },
  });
}
