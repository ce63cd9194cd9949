//! Admission control: a rate limit for WebSocket handshakes. When many viewers reconnect at once, the node admits them at the
//! rate at which it can join them to their rooms. The others get a place in a queue: a time to come back, and a signed ticket
//! with which they are admitted then, before viewers who come without one. A viewer who gets no place reserves nothing.
//!
//! One address, or one user, cannot use up the rate of all others, and the team has a rate of its own. A ticket replaces the
//! rate limit alone: bans, tokens and the limits of users are checked as usual.

mod queue;
mod ticket;

#[cfg(test)]
mod admission_test;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::address_key::AddressKey;
use super::fair_bucket::{FairBucket, Shortage};
use crate::domain::{AdmissionTicket, AtomicBucket, Millis, Rate, TokenBucket, UserId};
use queue::{AdmissionQueue, TicketStatus};

pub use ticket::{TicketHolder, TicketKeys};

const RETRY_MIN_MS: Millis = 1_000;
const RETRY_MAX_MS: Millis = 60_000;
/// Handshakes of one user on this node: enough for many tabs that reconnect at once.
const USER_RATE: Rate = Rate::new(100, 250);
/// Users whose handshakes are counted; the least used are forgotten.
const USERS_MAX: usize = 20_000;
/// Handshakes of the team of all shows, each second and at once.
const TEAM_PER_S: f64 = 20.0;
const TEAM_BURST: f64 = 100.0;
/// The number of seconds of the rate that is kept for viewers with a place while there are any, and the most that is borrowed for them.
const KEPT_S: f64 = 1.0;
const BORROWED_S: f64 = 0.5;
/// Look-ups a second of streams that this node has not cached. Each is a query of the database, and anybody can cause one with
/// an invented id.
const LOOKUPS_PER_S: f64 = 500.0;
const LOOKUPS_BURST: f64 = 1_000.0;

/// Who connects.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    /// `None`: the address has no limit.
    pub address: Option<AddressKey>,
    /// `None`: an anonymous user.
    pub user: Option<&'a UserId>,
    pub is_team: bool,
    pub holder: TicketHolder<'a>,
    pub ticket: Option<AdmissionTicket>,
}

/// The decision about one handshake.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AdmissionDecision {
    Admitted,
    /// Not now, but in `retry_ms`, with the ticket. Browsers cannot read a refused handshake, so the connection is upgraded and
    /// closed.
    Deferred {
        retry_ms: Millis,
        ticket: Option<AdmissionTicket>,
    },
    /// Not now, in the cheapest way: HTTP 503. No place is reserved.
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
    /// Of those that were admitted: with a ticket.
    pub with_ticket: AtomicU64,
}

#[derive(Debug)]
struct AdmissionLimiter {
    per_second: f64,
    admit_bucket: FairBucket,
    team: Mutex<TokenBucket>,
    keys: TicketKeys,
    queue: Mutex<AdmissionQueue>,
}

impl Admission {
    /// Admits `per_second` handshakes, with a burst of twice that; 0 admits all. `limits_users`: each user has a limit, too.
    pub fn new(per_second: f64, limits_users: bool, keys: TicketKeys, now: Millis) -> Self {
        let limiter = (per_second > 0.0).then(|| AdmissionLimiter::new(per_second, keys, now));
        let users = limits_users.then(|| Cache::new(USERS_MAX));
        let lookups = FairBucket::new(LOOKUPS_PER_S, LOOKUPS_BURST, now);
        let (admitted, deferred, rejected, over_share, with_ticket) = Default::default();
        Self { limiter, users, lookups, admitted, deferred, rejected, over_share, with_ticket }
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

    /// How long a viewer who comes now has to wait for a place.
    pub fn wait_ms(&self, now: Millis) -> Millis {
        self.limiter.as_ref().map_or(0, |limiter| limiter.queue().wait_ms(now))
    }

    fn decide(&self, newcomer: &Newcomer<'_>, now: Millis) -> AdmissionDecision {
        if let Some((users, user)) = self.users.as_ref().zip(newcomer.user) {
            let new = || Ok::<_, std::convert::Infallible>(Arc::default());
            let Ok(bucket) = users.get_or_insert_with(user, new);
            if let Err(wait_ms) = bucket.take(USER_RATE, now) {
                return self.over_share(wait_ms);
            }
        }
        let Some(limiter) = &self.limiter else { return AdmissionDecision::Admitted };
        if newcomer.is_team && limiter.take_for_team(now) {
            return AdmissionDecision::Admitted;
        }
        if let Some(decision) = newcomer.ticket.and_then(|ticket| limiter.redeem(ticket, &newcomer.holder, now)) {
            self.with_ticket.fetch_add(u64::from(decision == AdmissionDecision::Admitted), Ordering::Relaxed);
            return decision;
        }
        let mut queue = limiter.queue();
        let kept = if queue.is_in_use(now) { limiter.per_second * KEPT_S } else { 0.0 };
        // A signed-in user has the limit above; the limit of the address is for anonymous users.
        match limiter.admit_bucket.take_above(kept, newcomer.address.filter(|_| newcomer.user.is_none()), now) {
            Ok(()) => AdmissionDecision::Admitted,
            Err(Shortage::OfAddress(wait_ms)) => self.over_share(wait_ms),
            Err(Shortage::OfAll(_)) => queue.give_place(&limiter.keys, &newcomer.holder, now),
        }
    }

    /// In the cheapest way, because it may be an attack.
    fn over_share(&self, wait_ms: Millis) -> AdmissionDecision {
        self.over_share.fetch_add(1, Ordering::Relaxed);
        let jitter = rand::random_range(0.75..1.25);
        AdmissionDecision::Rejected { retry_ms: (wait_ms.clamp(RETRY_MIN_MS, RETRY_MAX_MS) as f64 * jitter) as Millis }
    }
}

impl AdmissionLimiter {
    fn new(per_second: f64, keys: TicketKeys, now: Millis) -> Self {
        Self {
            per_second,
            admit_bucket: FairBucket::new(per_second, (2.0 * per_second).max(1.0), now),
            team: Mutex::new(TokenBucket::new(TEAM_PER_S, TEAM_BURST, now)),
            keys,
            queue: Mutex::new(AdmissionQueue::new(per_second, now)),
        }
    }

    fn queue(&self) -> MutexGuard<'_, AdmissionQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_for_team(&self, now: Millis) -> bool {
        self.team.lock().unwrap_or_else(PoisonError::into_inner).take(now).is_ok()
    }

    /// The share of the address was taken when the place was given, so it is not taken again. `None`: the ticket is not valid.
    fn redeem(&self, ticket: AdmissionTicket, holder: &TicketHolder<'_>, now: Millis) -> Option<AdmissionDecision> {
        let is_genuine = self.keys.verify(&ticket, holder);
        let mut queue = self.queue();
        match queue.status_of(&ticket, is_genuine, now) {
            TicketStatus::Invalid => None,
            // The same ticket again: a second one would be a second place.
            TicketStatus::TooEarly => Some(queue.keep_place(Some(ticket), ticket.due_at() - now, now)),
            TicketStatus::Due => {
                queue.mark_used(ticket);
                match self.admit_bucket.take_in_debt(self.per_second * BORROWED_S, now) {
                    Ok(()) => Some(AdmissionDecision::Admitted),
                    Err(wait_ms) => {
                        let retry_ms = wait_ms + rand::random_range(0..RETRY_MIN_MS);
                        Some(queue.keep_place(self.keys.sign(now + retry_ms, holder), retry_ms, now))
                    }
                }
            }
        }
    }
}
