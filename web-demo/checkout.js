// The checkout sheet: reserve, say where to deliver, pay, and every way that this can end. Afterwards it shows the order.
//
// It shows one order, and only what the server said about it. The clock of the reservation is the server's; when it
// reaches zero, the sheet asks the server what became of the order instead of deciding by itself.

import { asRefusal, Problem, UNKNOWN_OUTCOME } from './api.js';
import { refusalText, t } from './i18n.js';
import { CheckoutContent } from './checkout_content.js';
import { isOpen } from './my_orders.js';
import { OrderDetails } from './order_details.js';
import { linesOf } from './order_lines.js';
import { totalOf } from './order_quote.js';
import { openSheet } from './sheet.js';
import { el, speak, toast } from './ui.js';

/** @import { Address, LiveClient, Offer, Order, OrderQuote, Refusal, Shop } from './types.d.ts' */
/** @import { OrderClient, PaymentUnderWay, PendingPurchase } from './order_client.js' */

/**
 * The card form, or the way to the page of another provider, and the way to the bank and back; it is loaded only by shops that have one.
 * @typedef {{ shop: Shop } & (typeof import('./card_form.js') | typeof import('./hosted_page.js'))} Cards
 */

/** @typedef {{ methods: NonNullable<Order['manual_methods']>, atOnce: string[] }} PayLater */

/** How long after the end of a reservation the sheet asks for the order, and how often. */
const LATE_MS = 1_500;
const ASK_AGAIN_MS = 2_500;
/** In this time all buyers ask what an offer that has changed means for their order. */
const SPREAD_MS = 2_000;

export class Checkout {
  /**
   * @param {{
   *   client: LiveClient,
   *   orderClient: OrderClient,
   *   payments?: Shop['payments'],
   *   cards?: Cards | null,
   *   emails?: boolean,
   *   coupons?: boolean,
   *   countries?: string[],
   *   onclose?: () => void,
   *   onagain?: (offer: Offer) => void,
   *   back?: string,
   *   onback?: () => void,
   *   place?: HTMLElement,
   * }} options `payments` is the provider of the shop; `countries`: where it delivers, empty: everywhere; `onagain` buys again after an expired reservation; `back` is the text of the last
   * button, and `onback` closes what else lies over the page that it leads back to; `place`: see `openSheet`
   */
  constructor({
    client,
    orderClient,
    payments = null,
    cards = null,
    emails = false,
    coupons = false,
    countries = [],
    onclose = () => {},
    onagain,
    back = t('order.back'),
    onback = () => {},
    place,
  }) {
    this.client = client;
    this.payments = payments;
    this.cards = cards;
    this.emails = emails;
    this.coupons = coupons;
    this.countries = countries;
    this.orderClient = orderClient;
    this.onclose = onclose;
    this.onagain = onagain;
    this.back = back;
    this.onback = onback;
    this.place = place;
    this.details = new OrderDetails(orderClient, (detail) => this.learnQuote(detail));
    /** Order id → what it costs, as the server said last. @type {Map<string, OrderQuote>} */
    this.quotes = new Map();
    /** Order id → how it can be paid later, or because of which offers it cannot. @type {Map<string, PayLater>} */
    this.later = new Map();
    /** What the offers of the order say about paying later, as the form was made. */
    this.saidLater = '';
    /** The orders that wait for an answer. @type {Set<string>} */
    this.busy = new Set();
    /** Order id → why its last attempt failed. @type {Map<string, Refusal>} */
    this.failures = new Map();
    /** @type {Order | null} */
    this.order = null;
    /** The offer that was bought last. @type {Offer | null} */
    this.offer = null;
    /** @type {Refusal} */
    this.refusal = { code: 'unknown' };
    /** @type {'idle' | 'placing' | 'order' | 'refused' | 'unknown'} */
    this.stage = 'idle';
    this.isRunning = false;
    this.isInDoubt = false;
    this.askedAt = 0;
    this.body = el('div.checkout');
    /** @type {HTMLDialogElement | null} */
    this.dialog = null;
    this.content = new CheckoutContent(this);
    client.on('order', (order) => this.orderChanged(order));
    client.on('state', () => this.offersChanged());
  }

  get isShown() {
    return Boolean(this.dialog?.open);
  }

  // ---- Buying ----

  /**
   * Buys. A purchase that is under way, or whose answer never came, is shown again instead of starting a second one.
   * @param {Offer} offer
   * @param {number} qty
   */
  async buy(offer, qty) {
    if (this.isRunning) return this.enter(this.stage);
    const pending = this.orderClient.pendingPurchase();
    if (pending) return this.resume(pending);
    this.offer = offer;
    this.order = null;
    this.enter('placing');
    await this.run(async () => this.showOrder(await this.orderClient.buy(offer, qty)));
  }

  /**
   * After a reload: finds out what became of a purchase whose answer was lost.
   * @param {PendingPurchase} pending
   */
  async resume(pending) {
    this.enter('placing', true);
    await this.run(async () => {
      const order = await this.orderClient.resolvePurchase(pending);
      if (order) return this.showOrder(order);
      this.dialog?.close();
      toast(t('order.not_placed'));
    });
  }

  /** @param {() => Promise<void>} purchase */
  async run(purchase) {
    this.isRunning = true;
    try {
      await purchase();
    } catch (error) {
      this.refusal = asRefusal(error);
      this.enter(UNKNOWN_OUTCOME.has(this.refusal.code) ? 'unknown' : 'refused');
      speak(refusalText(this.refusal));
    }
    this.isRunning = false;
  }

  /** The answer was lost, and the request is retried. */
  showRetry() {
    this.isInDoubt = true;
    this.content.showRetry();
  }

  /** @param {Order} order */
  showOrder(order) {
    const isFirst = this.stage !== 'order' || !this.isShown;
    this.order = this.client.orders.get(order.id) ?? order;
    this.saidLater = this.laterOf(this.order);
    if (isFirst && this.order.status === 'held') speak(t('spoken.held', { n: this.order.place }));
    this.enter('order');
    // After a reload. One that is at the bank goes on only when the buyer comes back: otherwise they could not do anything else.
    const underWay = this.orderClient.underWay(this.order);
    if (underWay && !underWay.atBank && isOpen(this.order)) void this.goOn(this.order, underWay);
  }

  /** @param {Order} order */
  orderChanged(order) {
    if (order.id !== this.order?.id) {
      // Another reservation of this show can be paid together with this one, or can no longer.
      if (this.isShown && this.stage === 'order' && this.order?.status === 'held') this.paint();
      return;
    }
    const { status: before, amount } = this.order;
    this.order = order;
    if (order.payment_place) this.showPlace(order, order.payment_place);
    const isNews = order.status === 'paid' && before !== 'paid';
    if (isNews) speak(t('spoken.paid', { n: order.place }));
    if (order.status === 'placed' && before !== 'placed') speak(t('order.placed'));
    if (order.status === 'expired' && before !== 'expired') speak(t('order.expired'));
    if (!this.isShown || this.stage !== 'order') return;
    if (order.status !== before || order.amount !== amount) this.paint();
    this.details.show(order);
    if (isNews) this.celebrate();
  }

  /** @param {Order} order */
  laterOf(order) {
    return String(linesOf(order).map(({ offer }) => this.client.state.offers.get(offer)?.pay_later));
  }

  /** The team lets an offer be paid later, or no longer: the form shows what is possible now. Not every buyer asks at the same moment. */
  offersChanged() {
    const { order } = this;
    if (!this.isShown || order?.status !== 'held' || this.laterOf(order) === this.saidLater) return;
    this.saidLater = this.laterOf(order);
    const ask = () => this.orderClient.refresh(order).then((now) => this.learnQuote(now));
    setTimeout(() => ask().catch(() => {}), Math.random() * SPREAD_MS);
  }

  /** It is only an ornament: without it the order is paid just the same. */
  celebrate() {
    import('./cheer.js').then(
      ({ cheer }) => {
        const seal = this.body.querySelector('.paid .seal');
        if (seal instanceof HTMLElement) cheer(seal);
      },
      () => {},
    );
  }

  // ---- Paying and cancelling ----

  /**
   * @param {Order} order
   * @param {Address} address
   * @param {string | (() => Promise<string>)} payment how it is paid; a card form gives its token when the amount is certain
   */
  pay(order, address, payment) {
    const isInDoubt = UNKNOWN_OUTCOME.has(this.failures.get(order.id)?.code ?? '');
    const underWay = typeof payment === 'string' || !isInDoubt ? null : this.orderClient.underWay(order);
    if (underWay) return this.goOn(order, underWay);
    return this.act(order, async () => {
      const shown = this.quotes.get(order.id);
      await this.orderClient.setAddress(order, address);
      // The delivery depends on the address: the order may go into a parcel that is paid already.
      const isCertain = shown && !shown.delivery;
      const quote = isCertain ? shown : this.learnQuote(await this.orderClient.refresh(order));
      if (quote && quote.total > totalOf(order, shown)) throw new Problem('quote_changed');
      /** @param {number} place */
      const onplace = (place) => this.showPlace(order, place);
      if (typeof payment === 'string') return this.orderClient.pay(order, payment, quote?.version, onplace);
      const token = await payment();
      this.orderClient.keepUnderWay(order, { payment: token, version: quote?.version });
      return this.orderClient.pay(order, token, quote?.version, onplace);
    });
  }

  /**
   * Sends a payment by card again whose answer is not known.
   * @param {Order} order
   * @param {PaymentUnderWay} underWay
   */
  goOn(order, { payment, version }) {
    /** @param {number} place */
    const onplace = (place) => this.showPlace(order, place);
    return this.act(order, () => this.orderClient.pay(order, payment, version, onplace));
  }

  /**
   * The payment waits for its turn at the provider.
   * @param {Order} order
   * @param {number} place
   */
  showPlace(order, place) {
    this.content.formOf(order).showPlace(place);
  }

  /**
   * What a held order costs comes with its details only, not with every frame.
   * @param {Order} order
   */
  learnQuote(order) {
    if (!order.quote) return this.quotes.get(order.id);
    const before = this.quotes.get(order.id);
    this.quotes.set(order.id, order.quote);
    const later = { methods: order.manual_methods ?? [], atOnce: order.paid_at_once ?? [] };
    const hasNews = JSON.stringify(this.later.get(order.id)) !== JSON.stringify(later);
    this.later.set(order.id, later);
    const isShown = this.isShown && this.stage === 'order' && this.order?.id === order.id;
    if (isShown && (hasNews || before?.version !== order.quote.version)) this.paint();
    return order.quote;
  }

  /**
   * The other held orders of the same show, which can be paid together with this one.
   * @param {Order} order
   */
  othersToPay(order) {
    const orders = [...this.client.orders.values()];
    return orders.filter(({ id, stream, status }) => id !== order.id && stream === order.stream && status === 'held');
  }

  /**
   * Makes this order and the other held ones one order, and shows it.
   * @param {Order} order
   */
  async putTogether(order) {
    if (this.busy.has(order.id)) return;
    this.busy.add(order.id);
    this.failures.delete(order.id);
    this.paint();
    try {
      const whole = await this.orderClient.putTogether([order, ...this.othersToPay(order)]);
      this.learnQuote(whole);
      if (this.order?.id === order.id) this.order = whole;
    } catch (error) {
      this.failures.set(order.id, asRefusal(error));
      await this.orderClient.refresh(order).catch(() => {});
    }
    this.busy.delete(order.id);
    if (this.isShown && this.stage === 'order') this.paint();
  }

  /**
   * @param {Order} order
   * @param {() => Promise<Order>} verb
   */
  async act(order, verb) {
    if (this.busy.has(order.id)) return;
    this.busy.add(order.id);
    this.failures.delete(order.id);
    this.paint();
    try {
      const answer = await verb();
      if (this.order?.id === order.id) this.order = this.client.orders.get(answer.id) ?? answer;
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.code === 'needs_action' && this.cards?.goToBank(this, order, refusal)) return;
      this.failures.set(order.id, refusal);
      if (refusal.code === 'country_not_served') await this.showNotServed(order, refusal).catch(() => {});
      // Whatever failed, the order itself says what it is now: still held, expired, cancelled or paid.
      const now = await this.orderClient.refresh(order).catch(() => null);
      if (now) this.learnQuote(now);
    }
    this.busy.delete(order.id);
    const failure = this.failures.get(order.id);
    if (!this.isShown || this.order?.id !== order.id) {
      // A buyer who looks elsewhere must not believe that the order is paid.
      if (failure) toast(refusalText(failure), { kind: 'warn' });
      return;
    }
    this.paint();
    this.details.show(this.order);
    const wrong = this.body.querySelector('select[aria-invalid]') ?? this.body.querySelector('.alert');
    wrong?.scrollIntoView({ block: 'center' });
  }

  /**
   * The shop has changed where it delivers since this page was loaded.
   * @param {Order} order
   * @param {Refusal} refusal
   */
  async showNotServed(order, { detail }) {
    this.countries = /** @type {string[]} */ (detail?.countries ?? []);
    const { showNotServed } = await import('./served_countries.js');
    showNotServed(this.content.formOf(order).address, this.countries);
  }

  // ---- What the sheet shows ----

  /** @param {Checkout['stage']} stage */
  enter(stage, isInDoubt = false) {
    this.stage = stage;
    this.isInDoubt = isInDoubt;
    if (!this.isShown) {
      this.body = el('div.checkout');
      const { place, onclose } = this;
      this.dialog = openSheet(this.body, {
        title: t('checkout'),
        test: 'checkout',
        className: 'side half',
        place,
        onclose,
      });
    }
    this.paint();
    if (stage === 'order' && this.order) this.details.show(this.order);
  }

  paint() {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const content = this.content.render();
    if (this.cards) this.cards.replaceAround(this.body, content);
    else this.body.replaceChildren(...el('div', {}, content).childNodes);
    this.body.dataset.stage = this.stage;
    // A buyer who types goes on typing; the focus of a button goes to the button that replaces it.
    if (focused instanceof HTMLElement) {
      if (focused.isConnected) focused.focus();
      else this.focusSuccessor(focused.dataset.test);
    }
    this.tick();
  }

  /**
   * Focuses the element that replaces the focused one, or else the status of the order.
   * @param {string | undefined} name
   */
  focusSuccessor(name) {
    const next = name && this.body.querySelector(`[data-test="${CSS.escape(name)}"]`);
    if (next instanceof HTMLElement && !next.matches(':disabled')) return next.focus();
    const status = this.body.querySelector('[data-test=order-status]');
    if (!(status instanceof HTMLElement)) return;
    status.tabIndex = -1;
    status.focus({ preventScroll: true });
  }

  tick() {
    const { order } = this;
    if (!order) return;
    const now = this.client.now();
    const rest = order.hold_until - now;
    this.content.tick(order, now);
    if (isOpen(order) && rest < -LATE_MS && now - this.askedAt > ASK_AGAIN_MS) {
      this.askedAt = now;
      this.orderClient.refresh(order).catch(() => {});
    }
  }
}
