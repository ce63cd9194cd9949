//! Admission control: a rate limit for WebSocket handshakes. When many viewers reconnect at once, the node admits them at the
//! rate at which it can join them to their rooms, and it decides before it has done any work for them. Every other viewer gets
//! a different time to retry, so that the retries are spread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::{Millis, TokenBucket};

const RETRY_MIN_MS: Millis = 1_000;
const RETRY_MAX_MS: Millis = 60_000;

/// The decision about one handshake.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AdmissionDecision {
    Admitted,
    /// Not now. Browsers cannot read a refused handshake, so the connection is upgraded and closed with `retry_ms`, as long as
    /// that is cheap enough.
    Deferred {
        retry_ms: Millis,
    },
    /// Not now, in the cheapest way: HTTP 503.
    Rejected {
        retry_ms: Millis,
    },
}

#[derive(Debug, Default)]
pub struct Admission {
    /// `None`: everybody is admitted.
    limiter: Option<Mutex<AdmissionLimiter>>,
    pub admitted: AtomicU64,
    pub deferred: AtomicU64,
    pub rejected: AtomicU64,
}

#[derive(Debug)]
struct AdmissionLimiter {
    per_second: f64,
    admit_bucket: TokenBucket,
    defer_bucket: TokenBucket,
    /// When the next viewer who is not admitted may retry, in epoch milliseconds.
    next_retry_at: f64,
}

impl Admission {
    /// Admits `per_second` handshakes, with a burst of twice that; 0 admits all.
    pub fn new(per_second: f64, now: Millis) -> Self {
        let limiter = (per_second > 0.0).then(|| Mutex::new(AdmissionLimiter::new(per_second, now)));
        Self { limiter, ..Self::default() }
    }

    pub fn admit(&self, now: Millis) -> AdmissionDecision {
        let mut decision = AdmissionDecision::Admitted;
        if let Some(limiter) = &self.limiter {
            let mut limiter = limiter.lock().unwrap_or_else(|poison| poison.into_inner());
            decision = limiter.decide(now, rand::random_range(0.75..1.25));
        }
        match decision {
            AdmissionDecision::Admitted => _ = self.admitted.fetch_add(1, Ordering::Relaxed),
            AdmissionDecision::Deferred { .. } => _ = self.deferred.fetch_add(1, Ordering::Relaxed),
            AdmissionDecision::Rejected { .. } => _ = self.rejected.fetch_add(1, Ordering::Relaxed),
        }
        decision
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
        // Each viewer who is not admitted gets the next slot at our rate. Slots are at most one minute ahead.
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
    fn handshakes_are_admitted_at_the_rate_and_retries_are_spread() {
        let mut limiter = AdmissionLimiter::new(100.0, 0);
        let decisions: Vec<_> = (0..1_000).map(|_| limiter.decide(0, 1.0)).collect();
        let admitted = decisions.iter().filter(|decision| **decision == AdmissionDecision::Admitted).count();
        let deferred =
            decisions.iter().filter(|decision| matches!(decision, AdmissionDecision::Deferred { .. })).count();
        assert_eq!(
            (admitted, deferred),
            (200, 100),
            "a burst of two seconds is admitted, then one second's worth is deferred"
        );
        let retries: Vec<Millis> = decisions
            .iter()
            .filter_map(|decision| match decision {
                AdmissionDecision::Admitted => None,
                AdmissionDecision::Deferred { retry_ms } | AdmissionDecision::Rejected { retry_ms } => Some(*retry_ms),
            })
            .collect();
        assert_eq!((retries[0], retries[799]), (1_010, 9_000));
        let busiest = (0..10).map(|s| retries.iter().filter(|ms| *ms / 1_000 == s).count()).max().unwrap();
        assert!(busiest <= 100, "{busiest} in one second");
    }

    #[test]
    fn retry_is_at_most_one_minute_plus_jitter() {
        let mut limiter = AdmissionLimiter::new(1.0, 0);
        let longest = (0..10_000).filter_map(|_| match limiter.decide(0, 1.25) {
            AdmissionDecision::Admitted => None,
            AdmissionDecision::Deferred { retry_ms } | AdmissionDecision::Rejected { retry_ms } => Some(retry_ms),
        });
        assert!(longest.max().unwrap() <= 61 * 1_250);
    }

    #[test]
    fn no_rate_limit_admits_everybody() {
        let admission = Admission::new(0.0, 0);
        assert!((0..10_000).all(|_| admission.admit(0) == AdmissionDecision::Admitted));
    }
}
