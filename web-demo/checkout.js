// The checkout sheet: hold, say where it goes, pay, and every way that can end; afterwards the page of the order.
//
// It shows one order and nothing but what the server said of it. The hold's clock is the server's; when it reaches
// zero the sheet asks what became of the order instead of deciding itself.

import { AddressForm, addressLines } from './address.js';
import { call, UNKNOWN } from './api.js';
import { clock, dateTime, money, refusal, t, timeOfDay } from './i18n.js';
import { buyable, fullTitle, phaseOf } from './offer.js';
import { el, icon, picture, put, show, speak, toast } from './ui.js';
import { active } from './mine.js';
import { busy, sheet } from './sheet.js';

const TEST_PAYMENTS = ['ok', 'declined', 'slow', 'capture_fails'];

export class Checkout {
  /** `onagain(offer)` buys once more, where a hold has run out; `back` is what the way out is called. */
  constructor({ client, buyer, onclose, onagain, back = t('order.back') }) {
    Object.assign(this, { client, buyer, onclose, onagain, back });
    this.forms = new Map(); // order id → what was typed, kept while the sheet is painted anew
    this.paying = new Set(); // orders for which an answer is awaited
    this.failures = new Map(); // order id → why its last try failed, until the next one
    this.details = new Map(); // order id → history and address, as they were at a version
    this.order = null;
    this.stage = 'idle'; // placing | order | refused | doubt
    this.payment = 'ok';
    client.on('order', (order) => this.noted(order));
  }

  get open() {
    return Boolean(this.dialog?.open);
  }

  /** Buys; a purchase already under way, or one whose answer never came, is shown again instead of starting a second one. */
  async buy(offer, qty) {
    if (this.running) { this.present(); return this.paint(); }
    const run = this.buyer.unfinished();
    if (run) return this.resume(run);
    this.running = true;
    this.offer = offer;
    this.order = null;
    this.enter('placing');
    try {
      this.take(await this.buyer.buy(offer, qty));
    } catch (problem) {
      this.refuse(problem);
    }
    this.running = false;
    return undefined;
  }

  /** After a reload: finds out what became of a purchase nobody heard the answer of. */
  async resume(run) {
    this.running = true;
    this.enter('placing', 'checking');
    try {
      const order = await this.buyer.resolve(run);
      if (order) this.take(order);
      else { this.dialog?.close(); toast(t('order.not_placed')); }
    } catch (problem) {
      this.refuse(problem);
    }
    this.running = false;
  }

  view(order) {
    this.take(this.client.orders.get(order.id) ?? order);
  }

  take(order) {
    this.order = this.client.orders.get(order.id) ?? order;
    if (this.stage !== 'order' || !this.open) speak(this.order.status === 'held' ? t('say.held', { n: this.order.place }) : '');
    this.enter('order');
  }

  refuse(problem) {
    this.failure = problem;
    this.enter(UNKNOWN.has(problem.code) ? 'doubt' : 'refused');
    speak(refusal(problem));
  }

  noted(order) {
    if (order.id !== this.order?.id) return;
    const before = this.order.status;
    this.order = order;
    if (order.status === 'paid' && before !== 'paid') speak(t('say.paid', { n: order.place }));
    if (order.status === 'expired' && before !== 'expired') speak(t('order.expired'));
    if (this.open && this.stage === 'order') {
      if (order.status !== before) this.paint();
      this.lookUp();
    }
  }

  /** What became of it and where it goes: asked for once a version. */
  async lookUp() {
    const { order } = this;
    if (!order || (order.status === 'held' && this.details.has(order.id)) || this.details.get(order.id)?.version === order.version) return;
    try {
      const { history, address, version } = await this.buyer.detail(order);
      this.details.set(order.id, { history, address, version });
      if (this.stage === 'order' && this.order.id === order.id) this.tellMore();
    } catch { /* the order stands without its history */ }
  }

  /** The buyer is asking a second time for an answer that got lost. */
  checking() {
    this.doubtful = true;
    if (this.status) put(this.status, t('order.checking'));
  }

  enter(stage, how) {
    this.stage = stage;
    this.doubtful = how === 'checking';
    this.present();
    this.paint();
    if (stage === 'order') this.lookUp();
  }

  present() {
    if (this.open) return;
    this.body = el('div.checkout');
    this.dialog = sheet(this.body, { title: t('checkout'), test: 'checkout', className: 'side', onclose: () => this.onclose?.() });
  }

  // ---- what is on the sheet ----

  paint() {
    this.timer = this.payButton = this.status = this.again = null;
    const parts = { placing: () => this.placing(), order: () => this.ordered(), refused: () => this.refused(), doubt: () => this.doubt() };
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    this.body.replaceChildren(...[parts[this.stage]?.()].flat(2).filter(Boolean));
    this.body.dataset.stage = this.stage;
    // Whoever types goes on typing; whoever pressed a button finds its successor.
    if (focused?.isConnected) focused.focus();
    else if (focused) this.follow(focused.dataset.test);
    this.tick();
  }

  /** Where the focus goes when its place is gone: to the same thing painted anew, else to what is told now. */
  follow(name) {
    const next = name && this.body.querySelector(`[data-test="${CSS.escape(name)}"]`);
    if (next && !next.disabled) return next.focus();
    const told = this.body.querySelector('[data-test=order-status]');
    if (!told) return undefined;
    told.tabIndex = -1;
    return told.focus({ preventScroll: true });
  }

  placing() {
    this.status = el('p', { 'data-test': 'order-status', role: 'status' }, t(this.doubtful ? 'order.checking' : 'order.placing'));
    this.status.dataset.status = 'placing';
    return [el('div.spinner', { 'aria-hidden': 'true' }), this.status];
  }

  refused() {
    const status = el('p.big', { 'data-test': 'order-status', role: 'alert' }, refusal(this.failure));
    status.dataset.status = this.failure.code;
    // What fills the limit may be an order of one's own that is still to be paid, made in another tab.
    const own = this.failure.code === 'buyer_limit' && [...this.client.orders.values()].find((order) => order.offer === this.offer?.id && active(order));
    return [status, el('div.actions', {},
      own && el('button.primary.wide', { type: 'button', 'data-test': 'order-mine', onclick: () => this.view(own) }, t('order.show_mine')),
      this.done(this.back, own ? 'ghost' : 'primary'))];
  }

  doubt() {
    const status = el('p.big', { 'data-test': 'order-status', role: 'alert' }, t('order.unknown'));
    status.dataset.status = 'unknown';
    const run = this.buyer.unfinished();
    return [status, el('div.actions', {}, run
      ? el('button.primary', { type: 'button', 'data-test': 'order-check', onclick: () => this.resume(run) }, t('order.check'))
      : this.done(this.back))];
  }

  ordered() {
    const { order } = this;
    const head = {
      held: () => this.held(), capturing: () => this.waitingForMoney(),
      paid: () => this.ended('check', t('order.paid'), t('order.place', { n: order.place })),
      expired: () => this.ended('clock', t('order.expired'), t('order.expired_more')),
      cancelled: () => this.ended('close', t(order.reason === 'capture_failed' || this.failures.get(order.id)?.code === 'capture_failed' ? 'order.capture_failed' : 'order.cancelled'), t('order.no_charge')),
      refunded: () => this.ended('back', t('order.refunded'), ''),
    }[order.status] ?? (() => this.ended('bag', order.status, ''));
    const over = order.status !== 'held' && order.status !== 'capturing';
    this.more = over ? el('div.more') : null;
    this.tellMore();
    return [head(), this.summary(), order.status === 'held' && this.payForm(), over && [this.ways(), this.more]];
  }

  /** Stands last and is filled alone: what comes late must not move a button from under a thumb. */
  tellMore() {
    this.more?.replaceChildren(...[this.delivery(), this.history()].filter(Boolean));
  }

  /** Where it goes, and the button that makes the shop forget it. */
  delivery() {
    const address = this.details.get(this.order.id)?.address;
    if (!address) return null;
    const erase = el('button.slim', { type: 'button', 'data-test': 'address-erase', onclick: () => this.erase(erase) }, t('address.erase'));
    return el('section.delivery', {}, el('h3', {}, t('address.title')), addressLines(address), erase);
  }

  erase(button) {
    const { order } = this;
    return busy(button, async () => {
      await call('DELETE', `/orders/${order.id}/address`);
      this.details.get(order.id).address = null;
      toast(t('address.erased'));
      this.tellMore();
    }, (problem) => toast(refusal(problem), { kind: 'warn' }));
  }

  history() {
    const steps = this.details.get(this.order.id)?.history ?? [];
    return steps.length > 0 && el('section.history', {}, el('h3', {}, t('order.history')),
      el('ol', { 'data-test': 'order-history' }, steps.map(({ at, step }) => el('li', { 'data-step': step }, el('span', {}, t(`step.${step}`)), el('time', { dateTime: new Date(at).toISOString() }, dateTime(at))))));
  }

  /** The way back; and below it, after a hold that ran out, once more as soon as there are units. */
  ways() {
    const tried = this.onagain && !['paid', 'refunded'].includes(this.order.status);
    this.again = tried ? el('button.wide', { type: 'button', 'data-test': 'order-again', hidden: true, onclick: () => this.onagain(this.offered()) }, t('order.again')) : null;
    return el('div.actions', {}, this.done(this.back), this.again);
  }

  offered() {
    return this.client.state.offers.get(this.order.offer);
  }

  held() {
    this.timer = el('bdi.hold-clock', { dir: 'ltr', 'data-test': 'hold-clock' });
    this.timerBar = el('i');
    const status = el('span.for-reader', { 'data-test': 'order-status' }, t('order.held'));
    status.dataset.status = 'held';
    return el('div.hold', {}, status,
      el('p.place', { 'data-test': 'order-place' }, t('order.place', { n: this.order.place })),
      el('p.hold-line', {}, t('order.held_for'), ' ', this.timer),
      el('span.hold-bar', { 'aria-hidden': 'true' }, this.timerBar));
  }

  waitingForMoney() {
    const status = el('p', { 'data-test': 'order-status', role: 'status' }, t('order.capturing'));
    status.dataset.status = 'capturing';
    return [el('div.spinner', { 'aria-hidden': 'true' }), status];
  }

  ended(sign, title, more) {
    const status = el('p.big', { 'data-test': 'order-status' }, title);
    status.dataset.status = this.order.status;
    const place = this.order.status === 'paid' ? { 'data-test': 'order-place' } : {};
    return el(`div.verdict.${this.order.status}`, {}, el('span.seal', {}, icon(sign)), status, more && el('p', place, more));
  }

  summary() {
    const { order } = this;
    return el('div.summary', {}, picture(order.image),
      el('span.summary-text', {}, el('bdi', {}, fullTitle(order)), el('small', {}, t('order.qty', { n: order.qty }), order.created_at ? ` · ${timeOfDay(order.created_at)}` : '')),
      el('bdi.price', { 'data-test': 'order-amount' }, money(order.amount, order.currency)));
  }

  payForm() {
    const paying = this.paying.has(this.order.id);
    const failed = this.failures.get(this.order.id);
    const choices = TEST_PAYMENTS.map((token) => el('label.choice', {},
      el('input', { type: 'radio', name: 'payment', value: token, checked: token === this.payment, 'data-test': `payment-${token}`, onchange: () => { this.payment = token; } }),
      el('span', {}, el('b', {}, t(`payment.${token}`)), el('small', {}, t(`payment.${token}.more`)))));
    this.payButton = el('button.primary.wide', { type: 'submit', 'data-test': 'pay', disabled: paying }, t(paying ? 'order.capturing' : 'order.pay', { amount: money(this.order.amount, this.order.currency) }));
    if (!this.forms.has(this.order.id)) this.forms.set(this.order.id, new AddressForm(this.order.currency));
    this.address = this.forms.get(this.order.id);
    this.address.root.disabled = paying;
    const total = el('p.total', {}, el('span', {}, t('order.total')), el('bdi.price', {}, money(this.order.amount, this.order.currency)));
    const failure = failed && el('p.alert', { role: 'alert', 'data-test': 'pay-error' }, refusal(failed));
    return el('form.pay', { noValidate: true, onsubmit: (event) => { event.preventDefault(); this.pay(); } }, this.address.root,
      el('fieldset', { disabled: paying }, el('legend', {}, t('payment.title')), el('div.choices', {}, choices)), total, failure, this.payButton,
      el('button.ghost.wide', { type: 'button', 'data-test': 'order-cancel', disabled: paying, onclick: () => this.cancel() }, t('order.cancel')));
  }

  done(label, look = 'primary') {
    return el(`button.${look}.wide`, { type: 'button', 'data-test': 'order-done', onclick: () => this.dialog.close() }, label);
  }

  // ---- what one can do ----

  async pay() {
    const address = this.address.checked();
    if (!address) return;
    await this.act(async () => {
      // Said again it is the same, so a lost answer costs nothing.
      await this.buyer.deliver(this.order, address);
      return this.buyer.pay(this.order, this.payment);
    });
  }

  async cancel() {
    await this.act(() => this.buyer.cancel(this.order));
  }

  async act(verb) {
    const { order } = this;
    if (this.paying.has(order.id)) return;
    this.paying.add(order.id);
    this.failures.delete(order.id);
    this.paint();
    try {
      const answer = await verb();
      if (this.order.id === order.id) this.order = this.client.orders.get(answer.id) ?? answer;
    } catch (problem) {
      this.failures.set(order.id, problem);
      // Whatever went wrong, the order itself says where it stands now: still held, expired, cancelled, paid.
      await this.buyer.refresh(order).catch(() => {});
    }
    this.paying.delete(order.id);
    if (!this.open || this.order.id !== order.id) {
      // Whoever looks elsewhere meanwhile must not believe that it is paid.
      if (this.failures.has(order.id)) toast(refusal(this.failures.get(order.id)), { kind: 'warn' });
      return;
    }
    this.paint();
    this.lookUp();
    this.body.querySelector('.alert')?.scrollIntoView({ block: 'center' });
  }

  tick() {
    const { order } = this;
    if (!order) return;
    const now = this.client.now();
    const rest = order.hold_until - now;
    if (this.again) show(this.again, Boolean(this.offered()) && buyable(phaseOf(this.offered(), now)));
    if (this.timer && order.status === 'held') {
      put(this.timer, clock(rest));
      const whole = Math.max(1, order.hold_until - order.created_at);
      this.timerBar.style.inlineSize = `${Math.max(0, Math.min(100, (rest / whole) * 100))}%`;
      this.timer.parentNode.dataset.soon = rest < 60_000;
      if (this.payButton && !this.paying.has(order.id)) this.payButton.disabled = rest <= 0;
    }
    if (active(order) && rest < -1_500 && now - (this.askedAt ?? 0) > 2_500) {
      this.askedAt = now;
      this.buyer.refresh(order).catch(() => {});
    }
  }
}
