//! Admission control: a rate limit for WebSocket handshakes. When many viewers reconnect at once, the node admits them at the
//! rate at which it can join them to their rooms. Every other viewer gets a different time to retry, so that the retries are
//! spread. One address, or one user, cannot use up the rate of all others, and the team is always admitted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use super::address_key::AddressKey;
use super::fair_bucket::{FairBucket, Shortage};
use crate::domain::{AtomicBucket, Millis, Rate, TokenBucket, UserId};

const RETRY_MIN_MS: Millis = 1_000;
const RETRY_MAX_MS: Millis = 60_000;
/// Handshakes of one user on this node: enough for many tabs that reconnect at once.
const USER_RATE: Rate = Rate::new(100, 250);
/// Users whose handshakes are counted; the least used are forgotten.
const USERS_MAX: usize = 20_000;
/// Look-ups a second of streams that this node has not cached. Each is a query of the database, and anybody can cause one with
/// an invented id.
const LOOKUPS_PER_S: f64 = 500.0;
const LOOKUPS_BURST: f64 = 1_000.0;

/// Who connects.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    /// `None`: the address has no limit.
    pub address: Option<AddressKey>,
    /// `None`: a guest.
    pub user: Option<&'a UserId>,
    pub is_team: bool,
}

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

#[derive(Debug)]
pub struct Admission {
    /// `None`: everybody is admitted.
    limiter: Option<AdmissionLimiter>,
    /// `None`: users have no limit of their own.
    users: Option<Cache<UserId, Arc<AtomicBucket>>>,
    lookups: FairBucket,
    pub admitted: AtomicU64,
    pub deferred: AtomicU64,
    pub rejected: AtomicU64,
    /// Of those that were not admitted: because their address or their user had used up its share.
    pub over_share: AtomicU64,
}

#[derive(Debug)]
struct AdmissionLimiter {
    per_second: f64,
    admit_bucket: FairBucket,
    retries: Mutex<RetrySlots>,
}

#[derive(Debug)]
struct RetrySlots {
    defer_bucket: TokenBucket,
    /// When the next viewer who is not admitted may retry, in epoch milliseconds.
    next_retry_at: f64,
}

impl Admission {
    /// Admits `per_second` handshakes, with a burst of twice that; 0 admits all. `limits_users`: each user has a limit, too.
    pub fn new(per_second: f64, limits_users: bool, now: Millis) -> Self {
        let limiter = (per_second > 0.0).then(|| AdmissionLimiter::new(per_second, now));
        let users = limits_users.then(|| Cache::new(USERS_MAX));
        let lookups = FairBucket::new(LOOKUPS_PER_S, LOOKUPS_BURST, now);
        let (admitted, deferred, rejected, over_share) = Default::default();
        Self { limiter, users, lookups, admitted, deferred, rejected, over_share }
    }

    /// Decides about a handshake for a stream that exists.
    pub fn admit(&self, newcomer: &Newcomer<'_>, now: Millis) -> AdmissionDecision {
        let decision = self.decide(newcomer, now);
        let counter = match decision {
            AdmissionDecision::Admitted => &self.admitted,
            AdmissionDecision::Deferred { .. } => &self.deferred,
            AdmissionDecision::Rejected { .. } => &self.rejected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        decision
    }

    /// Whether a stream that is not cached may be looked up now. The error is the time to retry.
    pub fn admit_lookup(&self, address: Option<AddressKey>, now: Millis) -> Result<(), Millis> {
        self.lookups.take(address, now).map_err(|shortage| match shortage {
            Shortage::OfAddress(retry_ms) | Shortage::OfAll(retry_ms) => retry_ms.max(RETRY_MIN_MS),
        })
    }

    fn decide(&self, newcomer: &Newcomer<'_>, now: Millis) -> AdmissionDecision {
        let jitter = rand::random_range(0.75..1.25);
        if let Some((users, user)) = self.users.as_ref().zip(newcomer.user) {
            let new = || Ok::<_, std::convert::Infallible>(Arc::default());
            let Ok(bucket) = users.get_or_insert_with(user, new);
            if let Err(wait_ms) = bucket.take(USER_RATE, now) {
                return self.over_share(wait_ms, jitter);
            }
        }
        let Some(limiter) = &self.limiter else { return AdmissionDecision::Admitted };
        if newcomer.is_team {
            limiter.admit_bucket.take_with_priority(now);
            return AdmissionDecision::Admitted;
        }
        // A signed-in user has the limit above; the limit of the address is for guests.
        match limiter.admit_bucket.take(newcomer.address.filter(|_| newcomer.user.is_none()), now) {
            Ok(()) => AdmissionDecision::Admitted,
            Err(Shortage::OfAddress(wait_ms)) => self.over_share(wait_ms, jitter),
            Err(Shortage::OfAll(_)) => limiter.postpone(now, jitter),
        }
    }

    /// In the cheapest way, because it may be an attack.
    fn over_share(&self, wait_ms: Millis, jitter: f64) -> AdmissionDecision {
        self.over_share.fetch_add(1, Ordering::Relaxed);
        AdmissionDecision::Rejected { retry_ms: (wait_ms.clamp(RETRY_MIN_MS, RETRY_MAX_MS) as f64 * jitter) as Millis }
    }
}

impl AdmissionLimiter {
    fn new(per_second: f64, now: Millis) -> Self {
        let defer_bucket = TokenBucket::new(per_second, per_second.max(1.0), now);
        Self {
            per_second,
            admit_bucket: FairBucket::new(per_second, (2.0 * per_second).max(1.0), now),
            retries: Mutex::new(RetrySlots { defer_bucket, next_retry_at: 0.0 }),
        }
    }

    /// Each viewer who is not admitted gets the next slot at our rate. Slots are at most one minute ahead.
    fn postpone(&self, now: Millis, jitter: f64) -> AdmissionDecision {
        let mut retries = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = ((now + RETRY_MIN_MS) as f64, (now + RETRY_MAX_MS) as f64);
        retries.next_retry_at = retries.next_retry_at.clamp(first, last) + 1_000.0 / self.per_second;
        let retry_ms = ((retries.next_retry_at - now as f64) * jitter) as Millis;
        match retries.defer_bucket.take(now) {
            Ok(()) => AdmissionDecision::Deferred { retry_ms },
            Err(_) => AdmissionDecision::Rejected { retry_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYBODY: Newcomer<'_> = Newcomer { address: None, user: None, is_team: false };

    fn from(address: u32) -> Newcomer<'static> {
        Newcomer { address: Some(AddressKey::V4(address)), ..ANYBODY }
    }

    fn retry_ms(decision: AdmissionDecision) -> Option<Millis> {
        match decision {
            AdmissionDecision::Admitted => None,
            AdmissionDecision::Deferred { retry_ms } | AdmissionDecision::Rejected { retry_ms } => Some(retry_ms),
        }
    }

    #[test]
    fn handshakes_are_admitted_at_the_rate_and_retries_are_spread() {
        let admission = Admission::new(100.0, true, 0);
        let decisions: Vec<_> = (0..1_000).map(|_| admission.admit(&ANYBODY, 0)).collect();
        let count = |wanted: fn(&AdmissionDecision) -> bool| decisions.iter().filter(|one| wanted(one)).count();
        let admitted = count(|one| *one == AdmissionDecision::Admitted);
        let deferred = count(|one| matches!(one, AdmissionDecision::Deferred { .. }));
        assert_eq!(
            (admitted, deferred),
            (200, 100),
            "a burst of two seconds is admitted, then one second's worth is deferred"
        );
        let retries: Vec<Millis> = decisions.into_iter().filter_map(retry_ms).collect();
        assert!((757..1_263).contains(&retries[0]) && (6_750..11_250).contains(&retries[799]), "{retries:?}");
        let busiest = (0..12).map(|s| retries.iter().filter(|ms| *ms / 1_000 == s).count()).max().unwrap();
        assert!(busiest <= 150, "{busiest} in one second");
    }

    #[test]
    fn retry_is_at_most_one_minute_plus_jitter() {
        let admission = Admission::new(1.0, true, 0);
        let longest = (0..10_000).filter_map(|_| retry_ms(admission.admit(&ANYBODY, 0))).max();
        assert!(longest.unwrap() <= 61 * 1_250);
    }

    #[test]
    fn no_rate_limit_admits_everybody() {
        let admission = Admission::new(0.0, false, 0);
        let user = UserId::parse("ann").unwrap();
        let ann = Newcomer { user: Some(&user), ..from(1) };
        assert!((0..10_000).all(|_| admission.admit(&ann, 0) == AdmissionDecision::Admitted));
    }

    #[test]
    fn one_address_or_one_user_leaves_room_for_the_others() {
        let admission = Admission::new(200.0, true, 0);
        let user = UserId::parse("ann").unwrap();
        let ann = Newcomer { user: Some(&user), ..from(1) };
        assert_eq!((0..500).filter(|_| admission.admit(&ann, 0) == AdmissionDecision::Admitted).count(), 100);
        let flooded = (0..500).filter(|_| admission.admit(&from(1), 0) == AdmissionDecision::Admitted).count();
        assert!(flooded < 130, "{flooded}");
        assert!((2..10).all(|address| admission.admit(&from(address), 0) == AdmissionDecision::Admitted));
    }

    #[test]
    fn team_is_admitted_when_nobody_else_is() {
        let admission = Admission::new(1.0, true, 0);
        while admission.admit(&ANYBODY, 0) == AdmissionDecision::Admitted {}
        let host = Newcomer { is_team: true, ..ANYBODY };
        assert!((0..100).all(|_| admission.admit(&host, 0) == AdmissionDecision::Admitted));
    }
}
