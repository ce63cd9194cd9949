// The state lane of a room: keyed values of which only the newest matters. An older value never replaces a newer one.

/** @import { Offer, Pin, RoomState, StateFrame, Version } from '../client.d.ts' */

/**
 * Compares versions as tuples, [epoch, version]. A missing version is the oldest.
 * @param {readonly number[] | undefined} a
 * @param {readonly number[] | undefined} b
 * @returns {-1 | 0 | 1}
 */
export function compareVersions(a = [], b = []) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i] ?? -Infinity, b[i] ?? -Infinity];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

export class RoomValues {
  constructor() {
    /** @type {RoomState} */
    this.state = {
      pin: null,
      offers: new Map(),
      viewers: 0,
      likes: 0,
      reactions: {},
      coupon: null,
      chat: {},
      delayed: null,
      stock_alerts: new Map(),
    };
    /** Key → the largest version seen. It is kept after the offer has left the room. @type {Map<string, Version>} */
    this.versions = new Map();
  }

  /**
   * Applies a frame, and returns the keys and offer ids that have changed.
   * @param {StateFrame} frame
   * @param {boolean} isWhole the frame has all keys, so that what is absent is gone
   */
  apply(frame, isWhole) {
    /** @type {Set<string>} */
    const changed = new Set();
    if ('pin' in frame || isWhole) this.applyPin(frame.pin ?? null, changed);
    for (const key of /** @type {const} */ (['viewers', 'likes', 'chat'])) {
      if (frame[key] === undefined) continue;
      Object.assign(this.state, { [key]: frame[key] });
      changed.add(key);
    }
    if (frame.reactions || (isWhole && Object.keys(this.state.reactions).length)) {
      this.state.reactions = frame.reactions ?? {};
      changed.add('reactions');
    }
    const coupon = 'coupon' in frame || isWhole ? (frame.coupon ?? null) : this.state.coupon;
    if (coupon?.id !== this.state.coupon?.id) changed.add('coupon');
    this.state.coupon = coupon;
    // A whole state without `delayed` says that the server reaches the other servers.
    const delayed = 'delayed' in frame || isWhole ? (frame.delayed ?? null) : this.state.delayed;
    if (delayed?.since !== this.state.delayed?.since) changed.add('delayed');
    this.state.delayed = delayed;
    this.applyStockAlerts(frame.stock_alerts ?? {}, isWhole, changed);
    const offers = Object.values(frame.offers ?? {});
    if (isWhole) this.removeOffersExcept(new Set(offers.map((offer) => offer.id)), changed);
    for (const offer of offers) this.applyOffer(offer, changed);
    return changed;
  }

  /**
   * @param {Pin | null} pin
   * @param {Set<string>} changed
   */
  applyPin(pin, changed) {
    if (pin && compareVersions(pin.v, this.versions.get('pin')) < 0) return;
    if (pin) this.versions.set('pin', pin.v);
    if (pin?.offer === this.state.pin?.offer) return;
    this.state.pin = pin;
    changed.add('pin');
  }

  /**
   * @param {Record<string, number>} alerts offer id → how many people wait
   * @param {boolean} isWhole
   * @param {Set<string>} changed
   */
  applyStockAlerts(alerts, isWhole, changed) {
    const known = this.state.stock_alerts;
    const before = isWhole ? [...known.keys()] : [];
    for (const id of new Set([...before, ...Object.keys(alerts)])) {
      if (alerts[id]) known.set(id, alerts[id]);
      else known.delete(id);
      changed.add('stock_alerts');
    }
  }

  /**
   * @param {Offer} offer
   * @param {Set<string>} changed
   */
  applyOffer(offer, changed) {
    if (compareVersions(offer.v, this.versions.get(offer.id)) < 0) return;
    this.versions.set(offer.id, offer.v);
    this.state.offers.set(offer.id, offer);
    changed.add(offer.id).add('offers');
  }

  /**
   * @param {Set<string>} present
   * @param {Set<string>} changed
   */
  removeOffersExcept(present, changed) {
    for (const id of this.state.offers.keys()) {
      if (present.has(id)) continue;
      this.state.offers.delete(id);
      changed.add(id).add('offers');
    }
  }
}
