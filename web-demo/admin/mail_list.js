// The log of e-mails: what the shop sent, what waits, what failed and why. What failed can be sent again.

import { asRefusal, call, get } from '../api.js';
import { formatDateTime, refusalText, t } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, queryAll, setText, setVisible, toast } from '../ui.js';
import { openOrder } from './order_sheet.js';

/** @import { Mail, Shop, Stream } from '../types.d.ts' */

/** What a tab shows: the status of the mails; `''` is all of them. */
const VIEWS = { all: '', failed: 'failed', queued: 'queued', sent: 'sent' };

export class MailList {
  /** @param {{ root: HTMLElement, shop: Shop, shows: Stream[] }} options */
  constructor({ root, shop, shows }) {
    this.root = root;
    this.shop = shop;
    this.shows = new Map(shows.map((show) => [show.id, show]));
    /** @type {keyof typeof VIEWS} */
    this.view = 'all';
    /** @type {string | null} */
    this.next = null;
    /** Counts the reloads: an answer for an earlier tab is ignored. */
    this.turn = 0;
    this.list = el('ul.desk-list', { 'data-test': 'mail-list' });
    this.status = el('p.empty', { 'data-test': 'mail-empty' });
    const more = { type: 'button', hidden: true, 'data-test': 'mail-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
    const tabs = /** @type {(keyof typeof VIEWS)[]} */ (Object.keys(VIEWS)).map((view) => this.tab(view));
    this.tabs = el('div.views', { role: 'tablist', 'aria-label': t('desk.views') }, tabs);
  }

  async start() {
    const off = el('p.alert', { role: 'note', 'data-test': 'mail-off' }, t('mail.off'));
    this.root.replaceChildren(
      el('div.filters', {}, !this.shop.emails && off, this.tabs),
      this.list,
      this.status,
      this.more,
    );
    await this.reload();
  }

  /** @param {keyof typeof VIEWS} view */
  tab(view) {
    const onclick = () => {
      this.view = view;
      this.reload();
    };
    const props = { type: 'button', role: 'tab', 'data-test': `mail-view-${view}`, onclick };
    return el('button', props, t(`mail.view.${view}`));
  }

  async reload() {
    this.turn++;
    this.next = null;
    this.list.replaceChildren();
    for (const tab of queryAll('[role=tab]', this.tabs)) {
      tab.setAttribute('aria-selected', String(tab.dataset.test === `mail-view-${this.view}`));
    }
    this.paint(t('loading'));
    try {
      await this.readPage();
    } catch (error) {
      this.paint(refusalText(asRefusal(error)));
    }
  }

  readMore() {
    const fail = (/** @type {import('../types.d.ts').Refusal} */ refusal) =>
      toast(refusalText(refusal), { kind: 'warn' });
    return withBusy(this.more, () => this.readPage(), fail);
  }

  async readPage() {
    const turn = this.turn;
    const query = new URLSearchParams({ limit: '50' });
    if (VIEWS[this.view]) query.set('status', VIEWS[this.view]);
    if (this.next) query.set('after', this.next);
    /** @type {{ items: Mail[], next: string | null }} */
    const page = await get(`/shop/mails?${query}`);
    if (turn !== this.turn) return;
    this.next = page.next;
    this.list.append(...page.items.map((mail) => this.row(mail)));
    this.paint(t(this.view === 'all' ? 'mail.none_yet' : 'mail.none_found'));
  }

  /** @param {string} text of the empty list */
  paint(text) {
    setText(this.status, text);
    setVisible(this.status, this.list.childElementCount === 0);
    setVisible(this.more, this.next !== null);
  }

  /**
   * @param {Mail} mail
   * @returns {HTMLElement}
   */
  row(mail) {
    const again = async () => {
      /** @type {Mail} */
      const now = await call('POST', `/shop/mails/${mail.id}/send-again`, { body: {} });
      row.replaceWith(this.row(now));
      toast(t('mail.queued_again'));
    };
    const onagain = () => withBusy(button, again, (refusal) => toast(refusalText(refusal), { kind: 'warn' }));
    const button = el(
      'button.slim',
      { type: 'button', 'data-test': `mail-again-${mail.id}`, onclick: onagain },
      t('mail.again'),
    );
    const { order } = mail;
    const onorder = () => order && openOrder({ id: order, shop: this.shop, shows: this.shows, onchange: () => {} });
    const row = el(
      'li.mail-row',
      { 'data-mail': mail.id },
      el(
        'span.row-text',
        {},
        el('strong', {}, t(`mail.kind.${mail.kind}`)),
        el('bdi', { dir: 'ltr' }, mail.to),
        el('small', {}, mailTime(mail)),
        mail.error && el('small.mail-error', {}, el('bdi', {}, mail.error)),
      ),
      el(`span.status.${mail.status}`, {}, t(`mail.is.${mail.status}`)),
      order && el('button.slim.ghost', { type: 'button', onclick: onorder }, t('desk.order')),
      mail.can_send_again && button,
    );
    return row;
  }
}

/**
 * When it was sent, or what happens next.
 * @param {Mail} mail
 */
function mailTime(mail) {
  const { attempts, next_try_at, sent_at, created_at } = mail;
  if (sent_at) return t('mail.sent_at', { time: formatDateTime(sent_at) });
  if (next_try_at && attempts > 0) return t('mail.next_at', { n: attempts, time: formatDateTime(next_try_at) });
  return t('mail.written_at', { time: formatDateTime(created_at) });
}

/**
 * The mails about an order, for its sheet.
 * @param {Mail[]} mails
 */
export function orderMails(mails) {
  if (!mails.length) return el('p.fine', {}, t('mail.none_of_order'));
  const rows = mails.map((mail) =>
    el(
      'li',
      {},
      el('span', {}, t(`mail.kind.${mail.kind}`), ' · ', t(`mail.is.${mail.status}`)),
      el('small', {}, el('bdi', { dir: 'ltr' }, mail.to), ' · ', mailTime(mail)),
      mail.error && el('small', {}, el('bdi', {}, mail.error)),
    ),
  );
  return el('ul.attempts', { 'data-test': 'order-mails' }, rows);
}
