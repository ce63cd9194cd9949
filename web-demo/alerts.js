// Alerts: bells on offers, stock alerts, and the reminder of the start of a show.
//
// A page can only alert while it is open. Where the browser allows it (HTTPS or this machine) the page also shows a
// notification; elsewhere it says that it must stay open. A stock alert reserves nothing.

import { asRefusal, call, get, signedInAs, UNKNOWN_OUTCOME } from './api.js';
import { route } from './base.js';
import { dir, lang, load, refusalText, t, titleOf } from './i18n.js';
import { canBuy, fullTitle, phaseOf } from './offer.js';
import { speak, toast } from './ui.js';

/** @import { LiveClient, Offer, Phase } from './types.d.ts' */

await load('buy');

/** One offer alerts at most once in this time. */
const REPEAT_MS = 10_000;
const TOAST_MS = 9_000;

/** @param {string} stream */
const bellSlot = (stream) => `livesouk.bells.${stream}`;
/** @param {string} stream */
const reminderSlot = (stream) => `livesouk.remind.${stream}`;

export class Alerts {
  /**
   * @param {LiveClient} client
   * @param {string} stream
   * @param {() => void} onchange
   */
  constructor(client, stream, onchange) {
    this.client = client;
    this.stream = stream;
    this.onchange = onchange;
    /** The offers with a bell. @type {Set<string>} */
    this.bells = new Set(stored(bellSlot(stream), []));
    /** The offers with a stock alert. @type {Set<string>} */
    this.stockAlerts = new Set();
    /** @type {Map<string, Phase>} */
    this.phases = new Map();
    /** @type {Map<string, number>} */
    this.alertedAt = new Map();
    this.hasReminder = Boolean(stored(reminderSlot(stream), false));
    this.checkOffers(false);
    client.on('state', () => this.checkOffers(true));
    client.on('event', (event, { replay }) => {
      if (replay) return;
      if (event.type === 'started' && this.hasReminder) this.alertStart();
    });
    client.on('order', (order) => {
      const isObsolete = order.status === 'held' && this.stockAlerts.has(order.offer);
      if (isObsolete) this.removeStockAlert(order.offer).catch(() => {});
    });
  }

  // ---- Bells ----

  /** @param {string} id */
  hasBell(id) {
    return this.bells.has(id);
  }

  /** @param {Offer} offer */
  toggleBell(offer) {
    if (this.bells.delete(offer.id)) return this.storeBells();
    this.bells.add(offer.id);
    this.storeBells();
    confirmAlert(t('bell.set', { offer: fullTitle(offer) }));
    import('./following.js').then((door) => door.afterBell(offer)).catch(() => {});
  }

  storeBells() {
    sessionStorage.setItem(bellSlot(this.stream), JSON.stringify([...this.bells]));
    this.onchange();
  }

  // ---- Stock alerts ----

  /** @param {string} id */
  hasStockAlert(id) {
    return this.stockAlerts.has(id);
  }

  /** Loads the stock alerts that the server knows: after a sign-in, and on a second screen. */
  async load() {
    if (!signedInAs()) return;
    const before = new Set(this.stockAlerts);
    /** @type {{ items: string[] }} */
    const { items } = await get(`/streams/${this.stream}/stock-alerts`);
    // An alert that was added while the answer was on its way is newer than the answer.
    this.stockAlerts = new Set([...items, ...[...this.stockAlerts].filter((id) => !before.has(id))]);
    this.onchange();
  }

  /** @param {Offer} offer */
  async toggleStockAlert(offer) {
    try {
      if (this.stockAlerts.has(offer.id)) {
        await this.removeStockAlert(offer.id);
        return toast(t('stock_alert.removed'));
      }
      if (this.client.live) await this.client.request('add_stock_alert', { offer: offer.id });
      else await call('PUT', `/offers/${offer.id}/stock-alert`);
      this.stockAlerts.add(offer.id);
      this.onchange();
      confirmAlert(t('stock_alert.joined', { offer: fullTitle(offer) }), 'toast-stock-alert');
    } catch (error) {
      const refusal = asRefusal(error);
      toast(UNKNOWN_OUTCOME.has(refusal.code) ? t('error.network') : refusalText(refusal), { kind: 'warn' });
    }
  }

  /** @param {string} id */
  async removeStockAlert(id) {
    if (this.client.live) await this.client.request('remove_stock_alert', { offer: id });
    else await call('DELETE', `/offers/${id}/stock-alert`);
    this.stockAlerts.delete(id);
    this.onchange();
  }

  // ---- The reminder of the show ----

  /** @param {boolean} on */
  setReminder(on) {
    this.hasReminder = on;
    sessionStorage.setItem(reminderSlot(this.stream), JSON.stringify(on));
    this.onchange();
    if (on) confirmAlert(t('remind.set'));
  }

  alertStart() {
    this.setReminder(false);
    this.alert(t('alert.started', { show: titleOf(this.client.show) }));
  }

  // ---- Alerting ----

  /**
   * An offer is shown now.
   * @param {string} id
   */
  pinned(id) {
    if (this.bells.has(id)) this.alertOffer(id, 'alert.shown');
  }

  /**
   * Alerts for each offer that can be bought again.
   * @param {boolean} isLive false: only remember the phases
   */
  checkOffers(isLive) {
    const now = this.client.now();
    for (const [id, offer] of this.client.state.offers) {
      const before = this.phases.get(id);
      const phase = phaseOf(offer, now);
      this.phases.set(id, phase);
      if (!isLive || !before || canBuy(before) || !canBuy(phase)) continue;
      if (this.stockAlerts.has(id)) this.alertOffer(id, 'alert.back');
      else if (this.bells.has(id)) this.alertOffer(id, 'alert.open');
    }
  }

  /**
   * @param {string} id
   * @param {string} text the key of the text
   */
  alertOffer(id, text) {
    const now = performance.now();
    if (now - (this.alertedAt.get(id) ?? -Infinity) < REPEAT_MS) return;
    this.alertedAt.set(id, now);
    if (this.bells.delete(id)) this.storeBells();
    const offer = this.client.state.offers.get(id);
    if (offer) this.alert(t(text, { offer: fullTitle(offer) }));
  }

  /** @param {string} text */
  alert(text) {
    toast(text, { ms: TOAST_MS, kind: 'good', test: 'toast-alert' });
    speak(text);
    if (document.hasFocus() || !mayNotify()) return;
    try {
      const options = { body: text, icon: route('/assets/icon.svg'), lang, dir, tag: this.stream };
      const notification = new Notification(document.title, options);
      notification.onclick = () => {
        window.focus();
        notification.close();
      };
    } catch {
      // Phones show notifications only from a service worker. The toast is shown all the same.
    }
  }
}

const canNotify = () => 'Notification' in window && isSecureContext;
const mayNotify = () => canNotify() && Notification.permission === 'granted';

/**
 * Says what the reader can expect, and asks for the permission to show notifications. Nothing waits for the answer.
 * @param {string} text
 * @param {string} [test]
 */
function confirmAlert(text, test) {
  toast(mayNotify() ? text : `${text} ${t('alert.keep_open')}`, { ms: TOAST_MS, test });
  if (canNotify() && Notification.permission === 'default') Notification.requestPermission().catch(() => {});
}

/**
 * @template T
 * @param {string} slot
 * @param {T} otherwise
 * @returns {T}
 */
function stored(slot, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(slot) ?? 'null') ?? otherwise;
  } catch {
    return otherwise;
  }
}
