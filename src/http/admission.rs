//! Who may come in now. When a crowd comes back at once, it is let in at the pace this node can greet it, before any
//! work was done for it; everybody else gets a time to come again, each another one, so that the crowd comes spread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::{Millis, TokenBucket};

const RETRY_MIN_MS: Millis = 1_000;
const RETRY_MAX_MS: Millis = 60_000;

/// What the door says to one who wants to come in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AdmissionDecision {
    Admitted,
    /// Not now. A browser cannot read a refused handshake, so as long as it is cheap enough it is upgraded to be told.
    Deferred {
        retry_ms: Millis,
    },
    /// Not now, in the fewest words: 503.
    Rejected {
        retry_ms: Millis,
    },
}

#[derive(Debug, Default)]
pub struct Admission {
    /// `None`: everybody comes in.
    limiter: Option<Mutex<AdmissionLimiter>>,
    pub admitted: AtomicU64,
    pub told: AtomicU64,
    pub rejected: AtomicU64,
}

#[derive(Debug)]
struct AdmissionLimiter {
    per_second: f64,
    admit_bucket: TokenBucket,
    defer_bucket: TokenBucket,
    /// When the next of those turned away may come.
    next_retry_at: f64,
}

impl Admission {
    /// `per_second` are let in, twice that in a burst; 0: all.
    pub fn new(per_second: f64, now: Millis) -> Self {
        let limiter = (per_second > 0.0).then(|| Mutex::new(AdmissionLimiter::new(per_second, now)));
        Self { limiter, ..Self::default() }
    }

    pub fn ask(&self, now: Millis) -> AdmissionDecision {
        let mut admit = AdmissionDecision::Admitted;
        if let Some(gate) = &self.limiter {
            let mut gate = gate.lock().unwrap_or_else(|poison| poison.into_inner());
            admit = gate.decide(now, rand::random_range(0.75..1.25));
        }
        match admit {
            AdmissionDecision::Admitted => _ = self.admitted.fetch_add(1, Ordering::Relaxed),
            AdmissionDecision::Deferred { .. } => _ = self.told.fetch_add(1, Ordering::Relaxed),
            AdmissionDecision::Rejected { .. } => _ = self.rejected.fetch_add(1, Ordering::Relaxed),
        }
        admit
    }
}

impl AdmissionLimiter {
    fn new(per_second: f64, now: Millis) -> Self {
        Self {
            per_second,
            admit_bucket: TokenBucket::new(per_second, (2.0 * per_second).max(1.0), now),
            defer_bucket: TokenBucket::new(per_second, per_second.max(1.0), now),
            next_retry_at: 0.0,
        }
    }

    fn decide(&mut self, now: Millis, jitter: f64) -> AdmissionDecision {
        if self.admit_bucket.take(now).is_ok() {
            return AdmissionDecision::Admitted;
        }
        // Whoever is turned away has a place in the pace we can keep; a queue longer than a minute is not kept.
        let (first, last) = ((now + RETRY_MIN_MS) as f64, (now + RETRY_MAX_MS) as f64);
        self.next_retry_at = self.next_retry_at.clamp(first, last) + 1_000.0 / self.per_second;
        let retry_ms = ((self.next_retry_at - now as f64) * jitter) as Millis;
        match self.defer_bucket.take(now) {
            Ok(()) => AdmissionDecision::Deferred { retry_ms },
            Err(_) => AdmissionDecision::Rejected { retry_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_let_in_at_the_pace_and_the_rest_get_times_that_keep_it() {
        let mut gate = AdmissionLimiter::new(100.0, 0);
        let asked: Vec<_> = (0..1_000).map(|_| gate.decide(0, 1.0)).collect();
        let welcome = asked.iter().filter(|admit| **admit == AdmissionDecision::Admitted).count();
        let told = asked.iter().filter(|admit| matches!(admit, AdmissionDecision::Deferred { .. })).count();
        assert_eq!((welcome, told), (200, 100), "a burst of two seconds, then as many told as let in each second");
        let times: Vec<Millis> = asked
            .iter()
            .filter_map(|admit| match admit {
                AdmissionDecision::Admitted => None,
                AdmissionDecision::Deferred { retry_ms } | AdmissionDecision::Rejected { retry_ms } => Some(*retry_ms),
            })
            .collect();
        assert_eq!((times[0], times[799]), (1_010, 9_000));
        let busiest = (0..10).map(|s| times.iter().filter(|ms| *ms / 1_000 == s).count()).max().unwrap();
        assert!(busiest <= 100, "{busiest} in one second");
    }

    #[test]
    fn nobody_is_told_to_wait_longer_than_a_minute_and_a_bit() {
        let mut gate = AdmissionLimiter::new(1.0, 0);
        let longest = (0..10_000).filter_map(|_| match gate.decide(0, 1.25) {
            AdmissionDecision::Admitted => None,
            AdmissionDecision::Deferred { retry_ms } | AdmissionDecision::Rejected { retry_ms } => Some(retry_ms),
        });
        assert!(longest.max().unwrap() <= 61 * 1_250);
    }

    #[test]
    fn a_door_without_a_pace_lets_everybody_in() {
        let admission = Admission::new(0.0, 0);
        assert!((0..10_000).all(|_| admission.ask(0) == AdmissionDecision::Admitted));
    }
}
