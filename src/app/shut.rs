//! The fast no: once an offer is known to be sold out or over, askers are refused in memory.
//!
//! Conservative, in three ways. Whoever has an order of the offer is let through, so a retry of a winner gets its order
//! and never a "sold out". Every 250 ms one ask is let through too, so units that come back are sold at most that much
//! later, whatever messages were lost. And an ask that might be refused for another reason goes to the database.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Ask, Millis, Refusal, Stage, Terms, UserId};

/// How often one ask goes through to look.
const LOOK_EVERY_MS: Millis = 250;
/// An offer with more buyers than this has no fast no: they are all kept in memory.
pub const BUYERS_MAX: usize = 200_000;

/// What is known of an offer that sells nothing now.
#[derive(Debug)]
struct Shut {
    refusal: Refusal,
    /// The offer's version that this was seen at; every order of it is older, or was made by our own batches since.
    version: i64,
    per_buyer: i64,
    buyers: Arc<HashSet<UserId>>,
    look_at: AtomicI64,
}

/// The door in front of one offer's actor.
#[derive(Debug, Default)]
pub struct Gate(RwLock<Option<Arc<Shut>>>);

impl Gate {
    /// The refusal that is certain without asking the database, if there is one.
    pub fn refuses(&self, ask: &Ask, now: Millis) -> Option<Refusal> {
        let shut = self.shut()?;
        if shut.buyers.contains(&ask.buyer) || ask.qty > shut.per_buyer {
            return None;
        }
        let look_at = shut.look_at.load(Ordering::Relaxed);
        let next = now + LOOK_EVERY_MS;
        let looks = look_at <= now
            && shut.look_at.compare_exchange(look_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if looks { None } else { Some(shut.refusal.clone()) }
    }

    /// The buyers that were loaded for this version, if they were.
    pub fn buyers_at(&self, version: i64) -> Option<Arc<HashSet<UserId>>> {
        self.shut().filter(|shut| shut.version == version).map(|shut| shut.buyers.clone())
    }

    /// Shuts. `buyers` is everybody with an order of the offer, read when it was at `terms.version` or later.
    pub fn close(&self, refusal: Refusal, terms: &Terms, buyers: Arc<HashSet<UserId>>, now: Millis) {
        let shut = Shut {
            refusal,
            version: terms.version,
            per_buyer: terms.per_buyer,
            buyers,
            look_at: AtomicI64::new(now + LOOK_EVERY_MS),
        };
        self.set(Some(Arc::new(shut)));
    }

    /// A newer version was seen, by whatever way: what is known is not certain any more.
    pub fn heed(&self, version: i64) {
        if self.shut().is_some_and(|shut| shut.version < version) {
            self.set(None);
        }
    }

    pub fn open(&self) {
        if self.shut().is_some() {
            self.set(None);
        }
    }

    fn shut(&self) -> Option<Arc<Shut>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, shut: Option<Arc<Shut>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shut;
    }
}

/// Why an offer with these terms sells nothing to anybody at `now`, where that is certain to stay for a moment.
pub fn reason(terms: &Terms, unpaid: i64, now: Millis) -> Option<Refusal> {
    match terms.admits(now) {
        Err(Refusal::Closed) => Some(Refusal::Closed),
        Ok(()) if terms.stage == Stage::Open && terms.left() == 0 => {
            Some(if unpaid > 0 { Refusal::SoldOutForNow } else { Refusal::SoldOut })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Key, OrderId};

    fn ask(buyer: &str, qty: i64) -> Ask {
        Ask {
            order: OrderId::new(),
            buyer: UserId::parse(buyer).unwrap(),
            buyer_name: buyer.into(),
            key: Key::parse("key-00001").unwrap(),
            hash: [0; 32],
            qty,
        }
    }

    fn terms(stage: Stage, reserved: i64, closes_at: Option<Millis>) -> Terms {
        Terms {
            stage,
            quantity: 5,
            reserved,
            next_place: 6,
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
        let gate = Gate::default();
        assert_eq!(gate.refuses(&ask("ann", 1), 0), None);
        let buyers = Arc::new(HashSet::from([UserId::parse("winner").unwrap()]));
        gate.close(Refusal::SoldOutForNow, &terms(Stage::Open, 5, None), buyers, 0);
        assert_eq!(gate.refuses(&ask("ann", 1), 0), Some(Refusal::SoldOutForNow));
        assert_eq!(gate.refuses(&ask("winner", 1), 0), None);
        assert_eq!(gate.refuses(&ask("ann", 3), 0), None, "over the limit is another refusal");
        assert!(gate.buyers_at(9).is_some() && gate.buyers_at(10).is_none());
        gate.heed(9);
        assert_eq!(gate.refuses(&ask("ann", 1), 0), Some(Refusal::SoldOutForNow));
        gate.heed(10);
        assert_eq!(gate.refuses(&ask("ann", 1), 0), None, "somebody gave units back");
    }

    #[test]
    fn one_ask_in_250_ms_goes_through_to_look() {
        let gate = Gate::default();
        gate.close(Refusal::SoldOut, &terms(Stage::Open, 5, None), Arc::default(), 0);
        let through = |now: Millis| (0..100).filter(|_| gate.refuses(&ask("ann", 1), now).is_none()).count();
        assert_eq!([0, 249, 250, 251, 499, 500, 5_000].map(through), [0, 0, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn only_what_is_certain_is_a_reason() {
        for (terms, unpaid, now, expected) in [
            (terms(Stage::Open, 5, None), 1, 10, Some(Refusal::SoldOutForNow)),
            (terms(Stage::Open, 5, None), 0, 10, Some(Refusal::SoldOut)),
            (terms(Stage::Open, 4, None), 0, 10, None),
            (terms(Stage::Open, 4, Some(10)), 0, 10, Some(Refusal::Closed)),
            (terms(Stage::Open, 5, None), 0, -1, None),
            (terms(Stage::Paused, 5, None), 0, 10, None),
            (terms(Stage::Closed, 5, None), 0, 10, Some(Refusal::Closed)),
        ] {
            assert_eq!(reason(&terms, unpaid, now), expected, "{terms:?}");
        }
    }
}
