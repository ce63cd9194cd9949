// What a viewer does beyond watching: the product list, buying, alerts, and the sign-in before them.
//
// Most viewers only watch, so this file loads when a reader needs it: at the first press, with a sign-in, or on a desktop,
// where the product list is always visible. Its own parts load one by one.

import { session, signedInAs, token } from './api.js';
import { once, showUnreachable } from './lazy.js';
import { canBuy, isSoldOut, phaseOf } from './offer.js';
import { byId } from './ui.js';

/** @import { LiveClient, Offer, Shop, StockAlertState } from './types.d.ts' */
/** @import { ShownPin } from './shown_pin.js' */

/** REST works without a connection, so a purchase waits for it only this long. */
const LIVE_WAIT_MS = 3_000;

/**
 * What buying needs.
 * @typedef {{
 *   orderClient: import('./order_client.js').OrderClient,
 *   checkout: import('./checkout.js').Checkout,
 *   myOrders: import('./my_orders.js').MyOrders,
 *   openProduct: (offer: Offer) => Promise<void>,
 *   signIn: typeof import('./sign_in.js').signIn,
 * }} Purchase
 */

export class Buyer {
  /**
   * @param {{
   *   client: LiveClient,
   *   shop: Shop,
   *   stream: string,
   *   pin: ShownPin,
   *   alertsOf: (offer: Offer) => StockAlertState,
   *   onchange: () => void,
   *   onaccount: () => void,
   * }} options `onchange` is called when there is something new to paint, `onaccount` when the reader may have signed in
   */
  constructor({ client, shop, stream, pin, alertsOf, onchange, onaccount }) {
    this.client = client;
    this.shop = shop;
    this.stream = stream;
    this.pin = pin;
    this.alertsOf = alertsOf;
    this.onchange = onchange;
    this.onaccount = onaccount;
    /** Whose orders are loaded. @type {string | null} */
    this.ordersOf = null;
    /** @type {import('./alerts.js').Alerts | null} */
    this.alerts = null;
    /** @type {import('./product_list.js').ProductList | null} */
    this.productList = null;
    /** @type {import('./product_sheet.js').ProductSheet | null} */
    this.productSheet = null;
    /** @type {Purchase | null} */
    this.purchase = null;
    this.loadAlerts = once(() => this.makeAlerts());
    this.loadProductList = once(() => this.makeProductList());
    this.loadPurchase = once(() => this.makePurchase());
    client.on('hello', () => this.connected());
    if (client.live) this.connected();
  }

  // ---- The parts ----

  async makeAlerts() {
    const { Alerts } = await import('./alerts.js');
    this.alerts = new Alerts(this.client, this.stream, this.onchange);
    return this.alerts;
  }

  async makeProductList() {
    const [{ ProductList }, alerts] = await Promise.all([import('./product_list.js'), this.loadAlerts()]);
    this.productList = new ProductList({
      root: byId('product-list'),
      opener: byId('product-list-open'),
      client: this.client,
      stream: this.stream,
      pin: this.pin,
      alerts,
      alertsOf: this.alertsOf,
      onbuy: (offer) => void this.press(offer),
      onopen: (offer) => this.openProduct(offer),
    });
    this.onchange();
    return this.productList;
  }

  /** Nothing lies over the show any more: the purchase may have begun in the product list. */
  backToShow() {
    this.productSheet?.dialog.close();
    this.productList?.close();
  }

  /** @returns {Promise<Purchase>} */
  async makePurchase() {
    const { client, alertsOf } = this;
    const { payments, emails, coupons, market } = this.shop;
    const [parts, list, cards] = await Promise.all([
      import('./purchase.js'),
      this.loadProductList(),
      payments === 'test' ? null : import('./cards.js').then(({ loadCards }) => loadCards(this.shop)),
    ]);
    /** @param {Offer} offer */
    const onbuy = (offer, qty = 1) => void this.press(offer, qty);
    const orderClient = new parts.OrderClient(client, () => checkout.showRetry());
    const onback = () => this.backToShow();
    const calls = { onclose: this.onchange, onagain: onbuy, onback };
    const place = byId('product-list');
    const { countries } = market;
    const options = { client, orderClient, payments, cards, emails, coupons, countries, place };
    const checkout = new parts.Checkout({ ...options, ...calls });
    const myOrders = new parts.MyOrders({
      client,
      list: list.orders,
      empty: list.noOrders,
      chip: byId('held-chip'),
      onorder: (order) => checkout.showOrder(order),
    });
    /** @param {Offer} offer */
    const openProduct = async (offer) => {
      const { ProductSheet } = await import('./product_sheet.js');
      this.productSheet?.dialog.close();
      const onclose = () => {
        if (this.productSheet === sheet) this.productSheet = null;
      };
      const sheet = new ProductSheet({ client, offer, onbuy, onclose, alertsOf });
      this.productSheet = sheet;
    };
    this.purchase = { orderClient, checkout, myOrders, openProduct, signIn: parts.signIn };
    return this.purchase;
  }

  /**
   * Repaints the parts that are loaded.
   * @param {number} now
   * @param {boolean} stale
   */
  paint(now, stale) {
    this.productList?.paint(now, stale);
    this.productSheet?.paint(now, stale);
    this.purchase?.checkout.tick();
    this.purchase?.myOrders.paint(now, this.purchase.checkout.isShown);
  }

  // ---- What a viewer does ----

  /** @param {Offer} offer */
  openProduct(offer) {
    this.loadPurchase()
      .then(({ openProduct }) => openProduct(offer))
      .catch(showUnreachable);
  }

  openProductList() {
    this.loadProductList().then((list) => list.open(), showUnreachable);
  }

  toggleReminder() {
    this.loadAlerts()
      .then((alerts) => {
        alerts.setReminder(!alerts.hasReminder);
        // This page must be open to remind; an e-mail arrives anyway.
        if (alerts.hasReminder) return import('./following.js').then((door) => door.openFollowSheet());
      })
      .catch(showUnreachable);
  }

  /**
   * The one button of an offer: buys it, or asks for a stock alert where nothing is left.
   * @param {Offer} offer
   */
  async press(offer, qty = 1) {
    const fresh = this.client.state.offers.get(offer.id) ?? offer;
    if (!isSoldOut(phaseOf(fresh, this.client.now()))) return this.buy(fresh, qty);
    if (!(await this.requireSignIn('stock_alert'))) return;
    this.loadAlerts().then((alerts) => alerts.toggleStockAlert(fresh), showUnreachable);
  }

  /**
   * @param {Offer} offer
   * @param {number} qty
   */
  async buy(offer, qty) {
    if (!(await this.requireSignIn('buy')) || !(await this.requireAccount(offer))) return;
    const purchase = await this.loadPurchase().catch(showUnreachable);
    const fresh = this.client.state.offers.get(offer.id) ?? offer;
    if (purchase && canBuy(phaseOf(fresh, this.client.now()))) await purchase.checkout.buy(fresh, qty);
  }

  /** @param {'buy' | 'stock_alert'} about */
  async requireSignIn(about) {
    if (signedInAs()) return true;
    if (!(await this.signIn(about))) return false;
    await this.untilLive();
    return true;
  }

  /**
   * An offer may be for people who can be told apart: then a guest signs in by e-mail first.
   * @param {Offer} offer
   */
  async requireAccount(offer) {
    const hasAccount = () => Boolean(token.get() || session.get()?.sub.startsWith('acct:'));
    if (!offer.buyers || hasAccount()) return true;
    const sheet = await import('./sign_in_sheet.js').catch(showUnreachable);
    await sheet?.signInSheet({ onlyByEmail: true, about: 'buyers' }).catch(showUnreachable);
    if (!hasAccount()) return false;
    this.client.signIn(null);
    this.onaccount();
    await this.untilLive();
    return true;
  }

  /**
   * Asks the reader to sign in, and reconnects as that person.
   * @param {'buy' | 'stock_alert'} [about]
   */
  async signIn(about) {
    const before = signedInAs();
    const purchase = await this.loadPurchase().catch(showUnreachable);
    const own = await purchase?.signIn({ about }).catch(showUnreachable);
    // The cookie of the session goes with the new connection; a token would have to be sent.
    if (own && own !== before) this.client.signIn(token.get());
    this.onaccount();
    return own;
  }

  /** Waits for the connection of who signed in, but not for long. @returns {Promise<void>} */
  untilLive() {
    if (this.client.live) return Promise.resolve();
    return new Promise((done) => {
      const off = this.client.on('status', ({ status }) => {
        if (status !== 'live') return;
        off();
        done();
      });
      setTimeout(done, LIVE_WAIT_MS);
    });
  }

  // ---- After each hello ----

  /** Looks again at open orders, and loads the orders of a reader who has signed in. */
  connected() {
    this.purchase?.myOrders.refresh(this.purchase.orderClient);
    this.resumePurchase();
    if (signedInAs()) this.loadOrders();
  }

  /** A purchase whose answer was lost is looked up before anything else is bought. */
  resumePurchase() {
    const pending = this.purchase?.orderClient.pendingPurchase();
    if (this.purchase && pending && !this.purchase.checkout.isRunning) this.purchase.checkout.resume(pending);
  }

  async loadOrders() {
    if (this.ordersOf === signedInAs()) return;
    this.ordersOf = signedInAs();
    try {
      const [purchase, alerts] = await Promise.all([this.loadPurchase(), this.loadAlerts()]);
      this.resumePurchase();
      await Promise.all([purchase.orderClient.loadOrders(), alerts.load()]);
    } catch {
      // The next hello tries again.
      this.ordersOf = null;
    }
  }
}
