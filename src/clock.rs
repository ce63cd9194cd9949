//! The one place that asks what time it is.
//!
//! Tests set it by hand. It never goes backwards: where SQLite keeps the shop, this clock decides when a sale
//! opens and when a hold ends, and a clock that steps back would end a hold twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    latest: AtomicI64,
    by_hand: bool,
}

impl Clock {
    pub fn system() -> Self {
        Self(Arc::new(Inner { latest: AtomicI64::new(0), by_hand: false }))
    }

    /// Stands still at `now` until [`advance`](Self::advance)d.
    pub fn by_hand(now: i64) -> Self {
        Self(Arc::new(Inner { latest: AtomicI64::new(now), by_hand: true }))
    }

    /// UTC epoch milliseconds.
    pub fn now(&self) -> i64 {
        if self.0.by_hand {
            return self.0.latest.load(Ordering::Relaxed);
        }
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        self.0.latest.fetch_max(system, Ordering::Relaxed).max(system)
    }

    /// Moves a clock set by hand.
    pub fn advance(&self, ms: i64) {
        self.0.latest.fetch_add(ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_backwards() {
        let clock = Clock::system();
        let ahead = clock.now() + 60_000;
        clock.0.latest.store(ahead, Ordering::Relaxed);
        assert_eq!(clock.now(), ahead);
    }
}
