// Payments by day: what came in and went out, what the provider keeps, and above all what waits for somebody: disputes and owed refunds.

import { asRefusal, get } from '../api.js';
import { download } from '../host/download.js';
import { formatMoney, hasText, load, locale, refusalText, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, queryAll, setText, setVisible, style, toast } from '../ui.js';
import { PERIODS, dayText, daysOf, timeText } from './payment_period.js';

/** @import { CountedMoney, Dispute, OwedRefund, PaymentDay, PaymentDays, PaymentSums, Refusal } from '../types.d.ts' */
/** @import { Period } from './payment_period.js' */

await Promise.all([load('payments'), style('admin/payments')]);

/** The columns of the table. */
const COLUMNS = /** @type {const} */ (['day', 'received', 'refunded', 'fees', 'disputes', 'left']);

export class PaymentsPage {
  /** @param {{ root: HTMLElement, mayOpenOrders: boolean, mayRefund: boolean }} options */
  constructor({ root, mayOpenOrders, mayRefund }) {
    this.root = root;
    this.mayOpenOrders = mayOpenOrders;
    this.mayRefund = mayRefund;
    /** Counts the reloads: an answer for an earlier period is ignored. */
    this.turn = 0;
    /** The day and the time of the server, in the time zone of the shop, once they are known: the clock of this device may be wrong. */
    this.today = '';
    this.now = 0;
    this.zone = 'UTC';
    const asked = new URLSearchParams(location.search);
    this.first = dayField('payments-first', t('payments.first_day'), asked.get('first_day'), () => this.chose());
    this.last = dayField('payments-last', t('payments.last_day'), asked.get('last_day'), () => this.chose());
    this.tabs = el(
      'div.views',
      { role: 'group', 'aria-label': t('payments.period') },
      PERIODS.map((period) => this.tab(period)),
    );
    /** @type {HTMLButtonElement} */
    this.file = el(
      'button',
      { type: 'button', 'data-test': 'payments-csv', onclick: () => this.save() },
      t('payments.csv'),
    );
    this.status = el('p.empty', { role: 'status', 'data-test': 'payments-status' }, t('loading'));
    this.body = el('div', { 'data-test': 'payments-body' });
  }

  async start() {
    const fields = el('div.payment-period', {}, this.first.node, this.last.node, this.file);
    this.root.replaceChildren(el('div.filters', {}, this.tabs, fields), this.status, this.body);
    await this.read(true);
  }

  /** @param {Period} period */
  tab(period) {
    const onclick = () => {
      const { first, last } = daysOf(period, this.today);
      this.first.input.value = first;
      this.last.input.value = last;
      this.chose();
    };
    const props = { type: 'button', 'data-test': `payments-${period}`, 'data-period': period, onclick };
    return el('button', props, t(`payments.period.${period}`));
  }

  query() {
    const query = new URLSearchParams();
    if (this.first.input.value) query.set('first_day', this.first.input.value);
    if (this.last.input.value) query.set('last_day', this.last.input.value);
    return query;
  }

  /** The period is in the address of the page, so that it can be kept as a bookmark. */
  chose() {
    const address = new URLSearchParams(location.search);
    for (const name of ['first_day', 'last_day']) address.delete(name);
    for (const [name, value] of this.query()) address.set(name, value);
    history.replaceState(null, '', `${location.pathname}?${address}`);
    this.read();
  }

  /** The first time a refusal is thrown, so that the page can offer to sign in. */
  async read(isFirst = false) {
    const turn = ++this.turn;
    if (!this.body.hasChildNodes()) this.say(t('loading'));
    this.body.setAttribute('aria-busy', 'true');
    try {
      /** @type {PaymentDays} */
      const days = await get(`/shop/payment-days?${this.query()}`);
      if (turn === this.turn) this.paint(days);
    } catch (error) {
      const refusal = asRefusal(error);
      const isBadPeriod = refusal.code === 'invalid_value';
      if (turn !== this.turn) return;
      if (isFirst && !isBadPeriod) throw error;
      this.body.replaceChildren();
      this.say(isBadPeriod ? t('payments.bad_period') : refusalText(refusal));
    } finally {
      if (turn === this.turn) this.body.removeAttribute('aria-busy');
    }
  }

  /** @param {string} text in place of the figures; empty: there are some */
  say(text) {
    setText(this.status, text);
    setVisible(this.status, text !== '');
  }

  /** @param {PaymentDays} answer */
  paint(answer) {
    this.say('');
    this.first.input.value = answer.first_day;
    this.last.input.value = answer.last_day;
    this.today = answer.today;
    this.now = answer.now;
    this.zone = answer.time_zone;
    const isAsked = (/** @type {Period} */ period) => {
      const { first, last } = daysOf(period, this.today);
      return first === answer.first_day && last === answer.last_day;
    };
    const asked = PERIODS.find(isAsked);
    for (const tab of queryAll('[data-period]', this.tabs)) {
      tab.setAttribute('aria-pressed', String(tab.dataset.period === asked));
    }
    const isEmpty = answer.totals.length === 0;
    this.body.replaceChildren(
      this.waiting(answer),
      ...answer.totals.map((sums) => totals(sums, answer.totals.length > 1)),
      isEmpty ? el('p.empty', { 'data-test': 'payments-none' }, t('payments.none')) : this.table(answer),
      el('p.payment-note', {}, t('payments.zone', { zone: answer.time_zone })),
    );
  }

  /** What waits for somebody, whatever the period is. @param {PaymentDays} answer */
  waiting({ disputes, owed_refunds }) {
    const open = disputes.filter(({ result }) => result === null);
    const closed = disputes.filter(({ result }) => result !== null);
    const list = (/** @type {string} */ test, /** @type {string} */ title, /** @type {HTMLElement[]} */ rows) =>
      rows.length > 0 &&
      el('section.payment-waiting', { 'data-test': test }, el('h2', {}, title), el('ul.desk-list', {}, rows));
    const isCalm = !open.length && !owed_refunds.length;
    return el(
      'div',
      {},
      isCalm && el('p.payment-calm', { 'data-test': 'payments-calm' }, t('payments.calm')),
      list(
        'payments-disputes',
        t('payments.disputes'),
        open.map((dispute) => this.dispute(dispute)),
      ),
      list(
        'payments-owed',
        t('payments.owed'),
        owed_refunds.map((owed) => this.owed(owed)),
      ),
      list(
        'payments-closed',
        t('payments.closed_title'),
        closed.map((dispute) => this.closedDispute(dispute)),
      ),
    );
  }

  /** @param {Dispute} dispute */
  dispute(dispute) {
    const { amount, currency, reason, due_at, needs_answer, opened_at, reference, provider, given_up } = dispute;
    const isLate = due_at !== null && due_at < this.now;
    const why = reason && hasText(`payments.reason.${reason}`) ? t(`payments.reason.${reason}`) : reason;
    const todo = !needs_answer
      ? t('payments.answered')
      : t(reference ? 'payments.answer' : 'payments.answer_unknown', { provider: nameOf(provider) });
    const due = due_at !== null && t(isLate ? 'payments.due_over' : 'payments.due', { time: this.time(due_at) });
    return el(
      'li.payment-row',
      { 'data-test': 'dispute' },
      el(
        'span.row-text',
        {},
        el('span.row-title', {}, this.order(dispute), ' · ', formatMoney(amount, currency)),
        needs_answer && due && el(isLate ? 'strong.bad' : 'strong', {}, due),
        !given_up && el('span', {}, todo),
        this.unread(dispute),
        el('small', {}, [why, t('payments.since', { time: this.time(opened_at) })].filter(Boolean).join(' · ')),
        reference && el('small', {}, el('bdi', { dir: 'ltr' }, reference)),
      ),
      given_up && this.closeButton(dispute),
    );
  }

  /** One that the team has closed: it stands here for some days, so that a wrong result is seen. @param {Dispute} dispute */
  closedDispute(dispute) {
    const { amount, currency, result, closed_at, reference } = dispute;
    const facts = { result: t(`payments.result_${result}`), time: this.time(closed_at ?? 0) };
    return el(
      'li.payment-row.quiet',
      { 'data-test': 'dispute-closed' },
      el(
        'span.row-text',
        {},
        el('span.row-title', {}, this.order(dispute), ' · ', formatMoney(amount, currency)),
        el('span', {}, t('payments.closed', facts)),
        reference && el('small', {}, el('bdi', { dir: 'ltr' }, reference)),
      ),
      this.closeButton(dispute),
    );
  }

  /** For those who may refund. @param {Dispute} dispute */
  closeButton(dispute) {
    if (!this.mayRefund) return false;
    const onclick = async () => {
      const { openDisputeForm } = await import('./dispute_form.js');
      openDisputeForm(dispute, nameOf(dispute.provider), () => this.read());
    };
    const test = dispute.result ? 'dispute-change' : 'dispute-close';
    return el(
      'button.slim',
      { type: 'button', 'data-test': test, onclick },
      t(dispute.result ? 'payments.change' : 'payments.close'),
    );
  }

  /** What of a dispute may be old. One without details says so already. @param {Dispute} dispute */
  unread({ unread_since, given_up, reference, provider }) {
    if (unread_since === null && !given_up) return false;
    const facts = { provider: nameOf(provider), time: unread_since === null ? '' : this.time(unread_since) };
    if (given_up) return el('strong.bad', { 'data-test': 'dispute-given-up' }, t('payments.given_up', facts));
    return reference !== null && el('span', { 'data-test': 'dispute-unread' }, t('payments.unread', facts));
  }

  /** A time, as the clocks of the shop show it. @param {number} ms */
  time(ms) {
    return timeText(ms, locale, this.zone);
  }

  /** @param {OwedRefund} owed */
  owed(owed) {
    const { amount, currency, owed_at, tries, needs_person, reference, provider } = owed;
    const todo = needs_person
      ? t('payments.owed_by_hand', { provider: nameOf(provider) })
      : t('payments.owed_waits', { n: tries });
    return el(
      'li.payment-row',
      { 'data-test': 'owed' },
      el(
        'span.row-text',
        {},
        el('span.row-title', {}, this.order(owed), ' · ', formatMoney(amount, currency)),
        needs_person ? el('strong.bad', {}, todo) : el('span', {}, todo),
        el('small', {}, t('payments.since', { time: this.time(owed_at) })),
        reference && el('small', {}, el('bdi', { dir: 'ltr' }, reference)),
      ),
    );
  }

  /** The number of an order, as a link for those who may open it. @param {Dispute | OwedRefund} of */
  order({ order, order_number }) {
    const name = order_number === null ? t('desk.order') : `#${order_number}`;
    if (!this.mayOpenOrders) return el('bdi', {}, name);
    return el('a', { href: `?${new URLSearchParams({ search: order })}` }, el('bdi', {}, name));
  }

  /** @param {PaymentDays} answer */
  table(answer) {
    const head = COLUMNS.map((name) => el('th', { scope: 'col' }, t(`payments.column.${name}`)));
    const rows = answer.days.flatMap((day) => this.rows(day, answer.currency));
    return el(
      'table.payment-days',
      { 'data-test': 'payments-table' },
      el('caption.for-reader', {}, t('desk.payments')),
      el('thead', {}, el('tr', {}, head)),
      el('tbody', {}, rows),
    );
  }

  /** A day has a row for each currency. @param {PaymentDay} day @param {string} currency of the shop */
  rows(day, currency) {
    if (!day.sums.length) {
      const nothing = el('td.payment-nothing', { colSpan: COLUMNS.length - 1 }, t('payments.nothing'));
      return [el('tr.quiet', { 'data-day': day.date }, this.dayCell(day, false), nothing)];
    }
    return day.sums.map((sums, n) => {
      const cells = [received(sums), refunded(sums), fees(sums), disputed(sums), [money(sums.left, sums.currency)]];
      const parts = cells.map((of, column) => cell(COLUMNS[column + 1], of));
      const isForeign = sums.currency !== currency;
      return el(
        'tr',
        { 'data-day': day.date },
        n === 0 ? this.dayCell(day, true) : dayAgain(isForeign ? sums.currency : ''),
        parts,
      );
    });
  }

  /** @param {PaymentDay} day @param {boolean} hasOrders */
  dayCell({ date, since, until }, hasOrders) {
    const address = `?${new URLSearchParams({ since: String(since), until: String(until) })}`;
    const link = this.mayOpenOrders && hasOrders;
    return el(
      'th',
      { scope: 'row' },
      dayText(date, locale),
      link && el('a', { href: address, 'data-test': `orders-of-${date}` }, t('payments.orders')),
    );
  }

  save() {
    const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn' });
    const name = `payments-${this.first.input.value}-${this.last.input.value}.csv`;
    return withBusy(this.file, () => download(`/shop/payment-days.csv?${this.query()}`, name), fail);
  }
}

/**
 * @param {string} test
 * @param {string} label
 * @param {string | null} value
 * @param {() => void} onchange
 */
function dayField(test, label, value, onchange) {
  const input = el('input', { id: test, type: 'date', value: value ?? '', 'data-test': test, onchange });
  return { input, node: el('div.field', {}, el('label', { for: test }, label), input) };
}

/** What people call a payment provider. @param {string} provider */
const nameOf = (provider) => (provider === 'stripe' ? 'Stripe' : t('payments.provider'));

/** @param {number} amount @param {string} currency */
const money = (amount, currency) => el('bdi', {}, formatMoney(amount, currency));

/** @param {string} column @param {(Node | string)[]} parts */
const cell = (column, parts) => el('td', { 'data-column': t(`payments.column.${column}`) }, parts.length ? parts : '–');

/** @param {string} currency */
const dayAgain = (currency) => el('th', { scope: 'row' }, el('bdi', {}, currency));

/** @param {string} key @param {CountedMoney} of @param {string} currency */
const line = (key, { count, amount }, currency) =>
  count > 0 && el('small', {}, t(key, { n: count }), ' ', money(amount, currency));

/** @param {(Node | string | false)[]} parts @returns {(Node | string)[]} */
const there = (parts) => parts.filter((part) => part !== false);

/** @param {PaymentSums} sums */
function received({ captured, cash_on_delivery, bank_transfer, owed, refunds_sent_back, currency }) {
  const all = [captured, cash_on_delivery, bank_transfer, owed, refunds_sent_back];
  if (all.every(({ count }) => count === 0)) return [];
  const sum = all.reduce((total, { amount }) => total + amount, 0);
  return there([
    money(sum, currency),
    line('payments.captured', captured, currency),
    line('payments.cash_on_delivery', cash_on_delivery, currency),
    line('payments.bank_transfer', bank_transfer, currency),
    line('payments.owed_in', owed, currency),
    line('payments.sent_back', refunds_sent_back, currency),
  ]);
}

/** @param {PaymentSums} sums */
function refunded({ refunded: given, owed_returned, currency }) {
  if (!given.count && !owed_returned.count) return [];
  return there([
    money(given.amount + owed_returned.amount, currency),
    line('payments.refunds', given, currency),
    line('payments.owed_out', owed_returned, currency),
  ]);
}

/** What is not known is said, never counted as nothing. @param {PaymentSums} sums */
function fees({ fees: known, fees_unknown, currency }) {
  return there([
    known.count > 0 && money(known.amount, currency),
    fees_unknown > 0 && el('small', {}, t('payments.fees_unknown', { n: fees_unknown })),
  ]);
}

/** @param {PaymentSums} sums */
function disputed({ disputes_opened, disputes_won, disputes_lost, currency }) {
  return there([
    line('payments.opened', disputes_opened, currency),
    line('payments.won', disputes_won, currency),
    line('payments.lost', disputes_lost, currency),
  ]);
}

/** @param {PaymentSums} sums @param {boolean} hasOthers there are other currencies */
function totals(sums, hasOthers) {
  const { currency } = sums;
  const parts = {
    received: received(sums),
    refunded: refunded(sums),
    fees: fees(sums),
    left: [money(sums.left, currency)],
  };
  const tiles = Object.entries(parts).map(([name, of]) =>
    el(
      'div.payment-total',
      { 'data-test': `total-${name}` },
      el('span', {}, t(`payments.column.${name}`)),
      of.length ? of : '–',
    ),
  );
  const label = t('payments.totals', { currency });
  return el(
    'section',
    { 'aria-label': label },
    hasOthers && el('h2.payment-currency', {}, currency),
    el('div.payment-totals', {}, tiles),
  );
}
