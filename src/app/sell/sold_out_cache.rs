//! The fast no: once an offer is known to be sold out or over, askers are refused in memory.
//!
//! Conservative, in four ways. Whoever has an order of the offer is let through, so a retry of a winner gets its order
//! and never a "sold out". Every 250 ms one ask is let through too, so units that come back are sold at most that much
//! later, whatever messages were lost. What nobody could confirm for a second is not known any more: a node that was
//! frozen or cut off does not go on refusing what another has sold since. And an ask that might be refused for another
//! reason goes to the database.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use crate::domain::{Millis, OfferStage, OfferTerms, Refusal, UserId};

/// How often one ask goes through to look.
const PROBE_INTERVAL_MS: Millis = 250;
/// How long a look holds.
const ENTRY_TTL_MS: Millis = 1_000;
/// An offer with more orders than this has no fast no: its buyers are kept in memory.
pub const CACHED_BUYERS_MAX: usize = 200_000;

/// The door in front of one offer's actor.
#[derive(Debug, Default)]
pub struct SoldOutCache(RwLock<SoldOutCacheInner>);

#[derive(Debug, Default)]
struct SoldOutCacheInner {
    sold_out: Option<SoldOutEntry>,
    /// Whoever has an order at one of the places up to `known_place`, whatever became of it.
    buyers: HashSet<UserId>,
    known_place: i64,
}

/// What is known of an offer that sells nothing now.
#[derive(Debug)]
struct SoldOutEntry {
    refusal: Refusal,
    /// The offer's version that this was seen at.
    version: i64,
    per_buyer: i64,
    confirmed_at: Millis,
    next_probe_at: AtomicI64,
}

impl SoldOutCache {
    /// The refusal that is certain without asking the database, if there is one.
    pub fn refusal_for(&self, buyer: &UserId, qty: i64, now: Millis) -> Option<Refusal> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let shut = inner.sold_out.as_ref()?;
        if now > shut.confirmed_at + ENTRY_TTL_MS || qty > shut.per_buyer || inner.buyers.contains(buyer) {
            return None;
        }
        let look_at = shut.next_probe_at.load(Ordering::Relaxed);
        let next = now + PROBE_INTERVAL_MS;
        let looks = look_at <= now
            && shut.next_probe_at.compare_exchange(look_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if looks { None } else { Some(shut.refusal.clone()) }
    }

    /// The last place whose buyer is known; places are dense, and orders stay for ever.
    pub fn known_place(&self) -> i64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known_place
    }

    /// Takes in the buyers from [`known_place`](Self::known_place) to `place`, or says `false`: they are too many.
    pub fn add_buyers(&self, buyers: Vec<UserId>, place: i64) -> bool {
        let mut inner = self.write();
        if inner.buyers.len() + buyers.len() > CACHED_BUYERS_MAX {
            inner.sold_out = None;
            return false;
        }
        inner.buyers.extend(buyers);
        inner.known_place = place;
        true
    }

    /// Shuts, for as long as it is [looked](KNOWN_FOR_MS) at. Refuses to where a buyer of this version may be unknown.
    pub fn set(&self, refusal: Refusal, terms: &OfferTerms, now: Millis) -> bool {
        let mut inner = self.write();
        if inner.known_place + 1 < terms.next_place {
            return false;
        }
        let (version, per_buyer) = (terms.version, terms.per_buyer);
        inner.sold_out = Some(SoldOutEntry {
            refusal,
            version,
            per_buyer,
            confirmed_at: now,
            next_probe_at: AtomicI64::new(now + PROBE_INTERVAL_MS),
        });
        true
    }

    /// A newer version was seen, by whatever way: what is known is not certain any more.
    pub fn invalidate_older(&self, version: i64) {
        self.clear_if(|shut| shut.version < version);
    }

    pub fn open(&self) {
        self.clear_if(|_| true);
    }

    fn clear_if(&self, stale: impl Fn(&SoldOutEntry) -> bool) {
        let is_stale = self.0.read().unwrap_or_else(PoisonError::into_inner).sold_out.as_ref().is_some_and(&stale);
        if is_stale {
            let mut inner = self.write();
            inner.sold_out.take_if(|shut| stale(shut));
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, SoldOutCacheInner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an offer with these terms sells nothing to anybody at `now`, where that is certain to stay for a moment.
pub fn sold_out_reason(terms: &OfferTerms, unpaid: i64, now: Millis) -> Option<Refusal> {
    match terms.check_open(now) {
        Err(Refusal::Closed) => Some(Refusal::Closed),
        Ok(()) if terms.stage == OfferStage::Open && terms.left() == 0 => {
            Some(if unpaid > 0 { Refusal::SoldOutForNow } else { Refusal::SoldOut })
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
    fn strangers_are_refused_and_buyers_are_let_through() {
        let gate = SoldOutCache::default();
        assert_eq!(gate.refusal_for(&user("ann"), 1, 0), None);
        assert!(gate.add_buyers(vec![user("winner")], 1));
        assert!(gate.set(Refusal::SoldOutForNow, &terms(OfferStage::Open, 5, None), 0));
        assert_eq!(gate.refusal_for(&user("ann"), 1, 0), Some(Refusal::SoldOutForNow));
        assert_eq!(gate.refusal_for(&user("winner"), 1, 0), None);
        assert_eq!(gate.refusal_for(&user("ann"), 3, 0), None, "over the limit is another refusal");
        gate.invalidate_older(9);
        assert_eq!(gate.refusal_for(&user("ann"), 1, 0), Some(Refusal::SoldOutForNow));
        gate.invalidate_older(10);
        assert_eq!(gate.refusal_for(&user("ann"), 1, 0), None, "somebody gave units back");
    }

    #[test]
    fn it_does_not_shut_while_a_winner_may_be_unknown() {
        let gate = SoldOutCache::default();
        let terms = terms(OfferStage::Open, 5, None);
        assert!(!gate.set(Refusal::SoldOut, &terms, 0), "nobody told it who stands at place 1");
        assert!(gate.add_buyers(vec![user("winner")], 1) && gate.set(Refusal::SoldOut, &terms, 0));
        assert!(!gate.set(Refusal::SoldOut, &OfferTerms { next_place: 3, ..terms }, 0));
    }

    #[test]
    fn one_ask_in_250_ms_goes_through_to_look() {
        let gate = SoldOutCache::default();
        assert!(gate.add_buyers(vec![], 1) && gate.set(Refusal::SoldOut, &terms(OfferStage::Open, 5, None), 0));
        let through = |now: Millis| (0..100).filter(|_| gate.refusal_for(&user("ann"), 1, now).is_none()).count();
        assert_eq!([0, 249, 250, 251, 499, 500, 1_000].map(through), [0, 0, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn what_nobody_confirmed_for_a_second_refuses_nobody() {
        let gate = SoldOutCache::default();
        let terms = terms(OfferStage::Open, 5, None);
        assert!(gate.add_buyers(vec![], 1) && gate.set(Refusal::SoldOut, &terms, 0));
        let refused = |now: Millis| (0..100).filter(|_| gate.refusal_for(&user("ann"), 1, now).is_some()).count();
        assert_eq!([1_000, 1_001, 60_000].map(refused), [99, 0, 0]);
        assert!(gate.set(Refusal::SoldOut, &terms, 60_000));
        assert_eq!(refused(60_001), 100);
    }

    #[test]
    fn only_what_is_certain_is_a_reason() {
        for (terms, unpaid, now, expected) in [
            (terms(OfferStage::Open, 5, None), 1, 10, Some(Refusal::SoldOutForNow)),
            (terms(OfferStage::Open, 5, None), 0, 10, Some(Refusal::SoldOut)),
            (terms(OfferStage::Open, 4, None), 0, 10, None),
            (terms(OfferStage::Open, 4, Some(10)), 0, 10, Some(Refusal::Closed)),
            (terms(OfferStage::Open, 5, None), 0, -1, None),
            (terms(OfferStage::Paused, 5, None), 0, 10, None),
            (terms(OfferStage::Closed, 5, None), 0, 10, Some(Refusal::Closed)),
        ] {
            assert_eq!(sold_out_reason(&terms, unpaid, now), expected, "{terms:?}");
        }
    }
}
