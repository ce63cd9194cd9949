//! The sold-out cache: once an offer is known to be sold out or closed, requests are refused from memory.
//!
//! It is conservative, in four ways. A buyer who has an order of the offer is let through, so a winner's retry gets its
//! order and never `sold_out`. Every 250 ms one request is let through as a probe, so units that come back are sold at
//! most that much later, whatever messages were lost. An entry that was not confirmed for a second is not used anymore:
//! a node that was frozen or cut off does not keep refusing what another node has put on sale since. And a request that
//! might be refused for another reason goes to the database.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use dashmap::DashMap;

use super::buyer_set::BuyerSet;
use crate::domain::{Millis, OfferId, OfferStage, OfferTerms, Refusal, UserId};

/// How often one request is let through as a probe.
const PROBE_INTERVAL_MS: Millis = 250;
/// How long an entry is valid after it was confirmed.
const ENTRY_TTL_MS: Millis = 1_000;
/// Buyers that are read from the store at once. An offer with more gets its sold-out cache after a few batches.
pub const BUYERS_READ_TOGETHER_MAX: i64 = 50_000;
/// An offer with more orders than this has no sold-out cache: its buyers take about eight bytes of memory each.
const CACHED_ORDERS_MAX: i64 = 10_000_000;

/// The sold-out caches of this node, by offer.
#[derive(Debug, Default)]
pub struct SoldOutCaches(DashMap<OfferId, Arc<SoldOutCache>>);

impl SoldOutCaches {
    /// The refusal that is certain without asking the database, if there is one.
    pub fn refusal_for(&self, offer: OfferId, buyer: &UserId, qty: i64, now: Millis) -> Option<Refusal> {
        self.0.get(&offer)?.refusal_for(buyer, qty, now)
    }

    /// The cache of an offer that is sold on this node.
    pub fn get_or_create(&self, offer: OfferId) -> Arc<SoldOutCache> {
        self.0.entry(offer).or_default().clone()
    }

    /// Forgets the cache of an offer that is no longer sold on this node.
    pub fn remove(&self, offer: OfferId) {
        self.0.remove(&offer);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Records that the offer was seen at this version.
    pub fn record_version(&self, offer: OfferId, version: i64) {
        if let Some(cache) = self.0.get(&offer) {
            cache.invalidate_older(version);
        }
    }
}

/// The sold-out cache of one offer, in front of its selling task.
#[derive(Debug, Default)]
pub struct SoldOutCache(RwLock<SoldOutCacheInner>);

#[derive(Debug, Default)]
struct SoldOutCacheInner {
    entry: Option<SoldOutEntry>,
    /// Every buyer who has an order at one of the places up to `known_place`, whatever its status is.
    buyers: BuyerSet,
    known_place: i64,
    /// The database's epoch in which the buyers were read.
    epoch: i64,
}

/// What is known about an offer that sells nothing now.
#[derive(Debug)]
struct SoldOutEntry {
    refusal: Refusal,
    /// The offer's version at which this was seen.
    version: i64,
    per_buyer: i64,
    confirmed_at: Millis,
    next_probe_at: AtomicI64,
}

impl SoldOutCache {
    /// The refusal that is certain without asking the database, if there is one.
    pub fn refusal_for(&self, buyer: &UserId, qty: i64, now: Millis) -> Option<Refusal> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = inner.entry.as_ref()?;
        if now > entry.confirmed_at + ENTRY_TTL_MS || qty > entry.per_buyer || inner.buyers.may_contain(buyer) {
            return None;
        }
        let probe_at = entry.next_probe_at.load(Ordering::Relaxed);
        let next = now + PROBE_INTERVAL_MS;
        let is_probe = probe_at <= now
            && entry.next_probe_at.compare_exchange(probe_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_probe { None } else { Some(entry.refusal.clone()) }
    }

    /// Forgets everything when the database's epoch changed: a failover without a synchronous standby may have lost orders,
    /// and their places are then given to other buyers, whose retries must not be refused.
    pub fn enter_epoch(&self, epoch: i64) {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).epoch != epoch {
            *self.write() = SoldOutCacheInner { epoch, ..SoldOutCacheInner::default() };
        }
    }

    /// The last place whose buyer is known; places have no gaps, and orders are never deleted.
    pub fn known_place(&self) -> i64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known_place
    }

    /// Adds the buyers from [`known_place`](Self::known_place) to `place`. Returns `false` if they are too many.
    pub fn add_buyers(&self, buyers: &[UserId], place: i64) -> bool {
        let mut inner = self.write();
        if CACHED_ORDERS_MAX < place {
            *inner = SoldOutCacheInner { epoch: inner.epoch, ..SoldOutCacheInner::default() };
            return false;
        }
        buyers.iter().for_each(|buyer| inner.buyers.insert(buyer));
        inner.known_place = place;
        true
    }

    /// Sets the entry; it is valid [for a second](ENTRY_TTL_MS). Returns `false` if a buyer of this version may be
    /// unknown.
    pub fn set(&self, refusal: Refusal, terms: &OfferTerms, now: Millis) -> bool {
        let mut inner = self.write();
        if inner.known_place + 1 < terms.next_place {
            return false;
        }
        let (version, per_buyer) = (terms.version, terms.per_buyer);
        inner.entry = Some(SoldOutEntry {
            refusal,
            version,
            per_buyer,
            confirmed_at: now,
            next_probe_at: AtomicI64::new(now + PROBE_INTERVAL_MS),
        });
        true
    }

    /// A newer version of the offer was seen: the entry is not certain anymore.
    pub fn invalidate_older(&self, version: i64) {
        self.clear_if(|entry| entry.version < version);
    }

    pub fn clear(&self) {
        self.clear_if(|_| true);
    }

    fn clear_if(&self, stale: impl Fn(&SoldOutEntry) -> bool) {
        let is_stale = self.0.read().unwrap_or_else(PoisonError::into_inner).entry.as_ref().is_some_and(&stale);
        if is_stale {
            let mut inner = self.write();
            inner.entry.take_if(|entry| stale(entry));
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, SoldOutCacheInner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an offer with these terms sells nothing to anyone at `now`, where that is certain to last for a moment.
pub fn sold_out_reason(terms: &OfferTerms, has_unpaid: bool, now: Millis) -> Option<Refusal> {
    match terms.check_open(now) {
        Err(Refusal::Closed) => Some(Refusal::Closed),
        Ok(()) if terms.stage == OfferStage::Open && terms.left() == 0 => {
            Some(if has_unpaid { Refusal::SoldOutForNow } else { Refusal::SoldOut })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn terms(stage: OfferStage, reserved: i64, closes_at: Option<Millis>) -> OfferTerms {
        OfferTerms {
            stage,
            quantity: 5,
            reserved,
            next_place: 2,
            version: 9,
            opens_at: Some(0),
            closes_at,
            per_buyer: 2,
            hold_ms: 10_000,
            price: 1,
        }
    }

    #[test]
    fn others_are_refused_and_buyers_are_let_through() {
        let cache = SoldOutCache::default();
        assert_eq!(cache.refusal_for(&user("ann"), 1, 0), None);
        assert!(cache.add_buyers(&[user("winner")], 1));
        assert!(cache.set(Refusal::SoldOutForNow, &terms(OfferStage::Open, 5, None), 0));
        assert_eq!(cache.refusal_for(&user("ann"), 1, 0), Some(Refusal::SoldOutForNow));
        assert_eq!(cache.refusal_for(&user("winner"), 1, 0), None);
        assert_eq!(cache.refusal_for(&user("ann"), 3, 0), None, "a quantity above the limit has another refusal");
        cache.invalidate_older(9);
        assert_eq!(cache.refusal_for(&user("ann"), 1, 0), Some(Refusal::SoldOutForNow));
        cache.invalidate_older(10);
        assert_eq!(cache.refusal_for(&user("ann"), 1, 0), None, "units came back");
    }

    #[test]
    fn known_buyers_are_forgotten_when_a_failover_changes_the_epoch() {
        let cache = SoldOutCache::default();
        cache.enter_epoch(1);
        assert!(cache.add_buyers(&[user("ann")], 3));
        cache.enter_epoch(1);
        assert_eq!(cache.known_place(), 3, "the same epoch");
        cache.enter_epoch(2);
        assert_eq!(cache.known_place(), 0, "place 3 may have another buyer now");
    }

    #[test]
    fn entry_is_not_set_while_a_winner_may_be_unknown() {
        let cache = SoldOutCache::default();
        let terms = terms(OfferStage::Open, 5, None);
        assert!(!cache.set(Refusal::SoldOut, &terms, 0), "the buyer of place 1 is unknown");
        assert!(cache.add_buyers(&[user("winner")], 1) && cache.set(Refusal::SoldOut, &terms, 0));
        assert!(!cache.set(Refusal::SoldOut, &OfferTerms { next_place: 3, ..terms }, 0));
    }

    #[test]
    fn one_request_in_250_ms_is_let_through_as_a_probe() {
        let cache = SoldOutCache::default();
        assert!(cache.add_buyers(&[], 1) && cache.set(Refusal::SoldOut, &terms(OfferStage::Open, 5, None), 0));
        let through = |now: Millis| (0..100).filter(|_| cache.refusal_for(&user("ann"), 1, now).is_none()).count();
        assert_eq!([0, 249, 250, 251, 499, 500, 1_000].map(through), [0, 0, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn unconfirmed_entry_expires_after_a_second() {
        let cache = SoldOutCache::default();
        let terms = terms(OfferStage::Open, 5, None);
        assert!(cache.add_buyers(&[], 1) && cache.set(Refusal::SoldOut, &terms, 0));
        let refused = |now: Millis| (0..100).filter(|_| cache.refusal_for(&user("ann"), 1, now).is_some()).count();
        assert_eq!([1_000, 1_001, 60_000].map(refused), [99, 0, 0]);
        assert!(cache.set(Refusal::SoldOut, &terms, 60_000));
        assert_eq!(refused(60_001), 100);
    }

    #[test]
    fn sold_out_reason_is_given_only_when_certain() {
        for (terms, has_unpaid, now, expected) in [
            (terms(OfferStage::Open, 5, None), true, 10, Some(Refusal::SoldOutForNow)),
            (terms(OfferStage::Open, 5, None), false, 10, Some(Refusal::SoldOut)),
            (terms(OfferStage::Open, 4, None), false, 10, None),
            (terms(OfferStage::Open, 4, Some(10)), false, 10, Some(Refusal::Closed)),
            (terms(OfferStage::Open, 5, None), false, -1, None),
            (terms(OfferStage::Paused, 5, None), false, 10, None),
            (terms(OfferStage::Closed, 5, None), false, 10, Some(Refusal::Closed)),
        ] {
            assert_eq!(sold_out_reason(&terms, has_unpaid, now), expected, "{terms:?}");
        }
    }
}
