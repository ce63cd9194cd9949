//! What this node knows of holds that lapsed, and of faults of ours that excuse them. The rule is in `domain/lapsed_hold.rs`.
//!
//! It is kept in memory, so that a purchase costs one look-up. Every node learns of every lapsed hold, because the frame that
//! tells the buyer goes to all nodes. A node that was restarted, or cut off from the others, has forgotten or missed some: then
//! the buyer waits less.

use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use serde::Deserialize;

use crate::domain::lapsed_hold::{LapsedHolds, counts_as_lapsed};
use crate::domain::{Millis, OfferId, OrderId, OrderStatus, Reservation, UserId};
use crate::metrics::increment;

/// Buyers and offers with a lapsed hold, about 150 bytes each, and buyers with a fault. Above that the least used are forgotten.
const ENTRIES_MAX: usize = 50_000;
/// The promise is 5 s: a hold that was released later shows that the shop was not available.
const LATE_RELEASE_MS: Millis = 5_000;

/// A hold that has ended, as the frame to its buyer has it.
#[derive(Clone, Debug, Deserialize)]
pub struct EndedHold {
    pub id: OrderId,
    pub offer: OfferId,
    pub status: OrderStatus,
    pub reason: Option<String>,
    pub created_at: Millis,
    pub hold_until: Millis,
    /// When it ended, by the database's clock.
    pub now: Millis,
}

impl EndedHold {
    pub fn of(hold: &Reservation, now: Millis) -> Self {
        let (id, offer, status) = (hold.id, hold.offer, OrderStatus::of_line(hold));
        let (created_at, hold_until, reason) = (hold.created_at, hold.hold_until, hold.reason.clone());
        Self { id, offer, status, reason, created_at, hold_until, now }
    }
}

#[derive(Debug)]
pub struct LapseTracker {
    is_enabled: bool,
    started_at: Millis,
    holds: Cache<(UserId, OfferId), (LapsedHolds, OrderId)>,
    /// When a buyer last got an answer that was our fault: unavailable, busy, outcome unknown.
    faults: Cache<UserId, Millis>,
    /// Lapsed holds that counted, and those that were excused.
    pub counted: AtomicU64,
    pub excused: AtomicU64,
}

impl LapseTracker {
    /// `now` is the time of the database, as all times here.
    pub fn new(is_enabled: bool, now: Millis) -> Self {
        let (counted, excused) = Default::default();
        let (holds, faults) = (Cache::new(ENTRIES_MAX), Cache::new(ENTRIES_MAX));
        Self { is_enabled, started_at: now, holds, faults, counted, excused }
    }

    /// How long this buyer must still wait before the next purchase of this offer, if at all.
    pub fn pause_ms(&self, buyer: &UserId, offer: OfferId, now: Millis) -> Option<Millis> {
        if self.holds.is_empty() {
            return None;
        }
        let (holds, _) = self.holds.get(&(buyer.clone(), offer))?;
        Some(holds.pause_ms(now)).filter(|pause| *pause > 0)
    }

    /// The buyer got an answer that was our fault. Holds that lapse after it do not count against them.
    pub fn record_fault(&self, buyer: &UserId, now: Millis) {
        if self.is_enabled {
            self.faults.insert(buyer.clone(), now);
        }
    }

    /// A hold of this buyer has ended. Safe to repeat.
    pub fn record(&self, buyer: &UserId, hold: &EndedHold) {
        let is_lapsed = match (hold.status, hold.reason.as_deref()) {
            (OrderStatus::Expired, _) => true,
            (OrderStatus::Cancelled, Some("buyer_cancel")) => {
                counts_as_lapsed(hold.created_at, hold.hold_until, hold.now)
            }
            _ => false,
        };
        if !self.is_enabled || !is_lapsed {
            return;
        }
        if self.is_excused(buyer, hold) {
            return increment(&self.excused);
        }
        let key = (buyer.clone(), hold.offer);
        let (holds, last) = self.holds.get(&key).unwrap_or_default();
        if last != hold.id {
            increment(&self.counted);
            self.holds.insert(key, (holds.with_another(hold.now), hold.id));
        }
    }

    /// Whether it may be our fault that the buyer did not pay: this node started during the hold, the release came late, or the
    /// buyer's requests failed during the hold.
    fn is_excused(&self, buyer: &UserId, hold: &EndedHold) -> bool {
        let was_away = hold.created_at < self.started_at;
        let is_late = hold.status == OrderStatus::Expired && hold.hold_until + LATE_RELEASE_MS < hold.now;
        let failed = self.faults.get(buyer).is_some_and(|at| (hold.created_at..=hold.now).contains(&at));
        was_away || is_late || failed
    }

    pub fn totals(&self) -> [(&'static str, u64); 2] {
        [("counted", &self.counted), ("excused", &self.excused)]
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}

/// The ended hold in a frame for a buyer, if it is about one.
pub fn ended_hold(frame: &[u8]) -> Option<EndedHold> {
    #[derive(Deserialize)]
    struct OrderFrame {
        order: EndedHold,
    }
    // Most frames are about other changes; the text of a status occurs nowhere else in them.
    let is_ended = ["\"status\":\"expired\"", "\"status\":\"cancelled\""]
        .iter()
        .any(|status| frame.windows(status.len()).any(|part| part == status.as_bytes()));
    let json = is_ended.then(|| frame.iter().position(|byte| *byte == b'{')).flatten()?;
    serde_json::from_slice::<OrderFrame>(&frame[json..]).ok().map(|frame| frame.order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buyer() -> UserId {
        UserId::parse("ann").unwrap()
    }

    fn lapsed(offer: OfferId, created_at: Millis) -> EndedHold {
        let (hold_until, status) = (created_at + 10_000, OrderStatus::Expired);
        let reason = Some("hold_ended".to_owned());
        EndedHold { id: OrderId::new(), offer, status, reason, created_at, hold_until, now: hold_until + 400 }
    }

    #[test]
    fn third_lapsed_hold_of_an_offer_starts_a_pause_for_that_offer_and_buyer() {
        let (tracker, offer) = (LapseTracker::new(true, 0), OfferId::new());
        for number in 0..3 {
            assert_eq!(tracker.pause_ms(&buyer(), offer, 0), None);
            let hold = lapsed(offer, number * 10_000);
            tracker.record(&buyer(), &hold);
            tracker.record(&buyer(), &hold);
        }
        assert_eq!(tracker.pause_ms(&buyer(), offer, 30_400), Some(30_000));
        assert_eq!(tracker.pause_ms(&buyer(), OfferId::new(), 30_400), None);
        assert_eq!(tracker.pause_ms(&UserId::parse("bob").unwrap(), offer, 30_400), None);
        assert_eq!(tracker.pause_ms(&buyer(), offer, 60_400), None);
    }

    #[test]
    fn holds_that_lapsed_through_our_fault_do_not_count() {
        let offer = OfferId::new();
        let lapse_ten = |tracker: &LapseTracker, change: fn(&mut EndedHold)| {
            for number in 0..10 {
                let mut hold = lapsed(offer, 1_000_000 + number * 10_000);
                change(&mut hold);
                tracker.record(&buyer(), &hold);
            }
            tracker.pause_ms(&buyer(), offer, 1_100_400).is_some()
        };
        assert!(lapse_ten(&LapseTracker::new(true, 0), |_| {}));
        assert!(!lapse_ten(&LapseTracker::new(true, 2_000_000), |_| {}), "this node started during the holds");
        assert!(!lapse_ten(&LapseTracker::new(true, 0), |hold| hold.now += 5_000), "released late");
        assert!(!lapse_ten(&LapseTracker::new(true, 0), |hold| hold.status = OrderStatus::Paid));
        assert!(!lapse_ten(&LapseTracker::new(false, 0), |_| {}), "switched off");
        let cancel_late = |reason| {
            let tracker = LapseTracker::new(true, 0);
            for number in 0..10 {
                let hold = lapsed(offer, 1_000_000 + number * 10_000);
                let (status, now) = (OrderStatus::Cancelled, hold.hold_until - 1);
                tracker.record(&buyer(), &EndedHold { status, reason: Some(String::from(reason)), now, ..hold });
            }
            tracker.pause_ms(&buyer(), offer, 1_100_000).is_some()
        };
        assert_eq!([cancel_late("buyer_cancel"), cancel_late("capture_failed")], [true, false]);
        let failed = LapseTracker::new(true, 0);
        failed.record_fault(&buyer(), 1_005_000);
        failed.record(&buyer(), &lapsed(offer, 1_000_000));
        assert_eq!((failed.totals()[0].1, failed.totals()[1].1), (0, 1));
        failed.record(&buyer(), &lapsed(offer, 1_010_000));
        assert_eq!(failed.totals()[0].1, 1, "the fault was before this hold");
    }

    #[test]
    fn ended_hold_is_read_from_the_frame_to_its_buyer() {
        use crate::protocol::server;
        let order = |status: &str| {
            serde_json::json!({
                "id": OrderId::new(), "offer": OfferId::new(), "status": status, "title": "{", "reason": null, "created_at": 1,
                "hold_until": 2, "now": 3,
            })
        };
        let read = |status: &str| ended_hold(&server::order(&order(status)).into_bytes());
        assert_eq!(read("expired").map(|hold| (hold.status, hold.now)), Some((OrderStatus::Expired, 3)));
        assert!(read("cancelled").is_some() && read("held").is_none() && read("paid").is_none());
        assert!(ended_hold(b"").is_none() && ended_hold(b"\"status\":\"expired\"").is_none());
    }
}
