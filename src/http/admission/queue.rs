//! The queue of viewers who were told when to come back. It is only a time: the next place that is free. The viewers keep their
//! places themselves, as signed tickets, so that a queue of any length costs the node nothing.

use quick_cache::unsync::Cache;

use super::{AdmissionDecision, RETRY_MAX_MS, RETRY_MIN_MS, TicketHolder, TicketKeys};
use crate::domain::{AdmissionTicket, Millis, TokenBucket};

/// A client needs this long to come back.
const RETURN_MIN_MS: f64 = 200.0;
/// After the last place was due, its holder may still be on the way.
const ON_THE_WAY_MS: f64 = 1_000.0;
/// How long before its time a ticket is valid, for clocks that differ.
const EARLY_MS: Millis = 1_000;
/// How long after its time a ticket is valid, for a page that slept in the background.
const LATE_MS: Millis = 30_000;
/// Viewers are given places this many times faster than places become free: a refusal with a place costs less than a join.
const DEFER_FACTOR: f64 = 4.0;
/// Tickets that were used are remembered, the newest of them: each is valid once on a node.
const USED_MAX: usize = 50_000;
/// A viewer without a place comes back while there is still a queue, so that no capacity is idle.
const ASK_AGAIN_MAX_MS: Millis = 30_000;

#[derive(Debug)]
pub struct AdmissionQueue {
    per_second: f64,
    defer_bucket: TokenBucket,
    /// The time of the last place that was given, in epoch milliseconds.
    last_place_at: f64,
    used: Cache<AdmissionTicket, ()>,
}

/// Whether a ticket admits its holder now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum TicketStatus {
    Due,
    TooEarly,
    /// Not genuine, too late, or used before.
    Invalid,
}

impl AdmissionQueue {
    pub fn new(per_second: f64, now: Millis) -> Self {
        let defer_rate = per_second * DEFER_FACTOR;
        let defer_bucket = TokenBucket::new(defer_rate, defer_rate.max(1.0), now);
        Self { per_second, defer_bucket, last_place_at: f64::NEG_INFINITY, used: Cache::new(USED_MAX) }
    }

    /// How long a viewer who comes now has to wait.
    pub fn wait_ms(&self, now: Millis) -> Millis {
        (self.last_place_at - now as f64).max(0.0) as Millis
    }

    /// Whether holders of places are to be expected: tokens are kept for them.
    pub fn is_in_use(&self, now: Millis) -> bool {
        self.last_place_at + ON_THE_WAY_MS > now as f64
    }

    pub fn status_of(&self, ticket: &AdmissionTicket, is_genuine: bool, now: Millis) -> TicketStatus {
        match ticket.due_at() - now {
            early if is_genuine && EARLY_MS < early && early <= RETRY_MAX_MS => TicketStatus::TooEarly,
            left if is_genuine && (-LATE_MS..=EARLY_MS).contains(&left) && self.used.peek(ticket).is_none() => {
                TicketStatus::Due
            }
            _ => TicketStatus::Invalid,
        }
    }

    pub fn mark_used(&mut self, ticket: AdmissionTicket) {
        self.used.insert(ticket, ());
    }

    /// Gives the next place. Without one, because the queue is a minute long or refusals themselves are too many, the viewer is
    /// refused in the cheapest way and reserves nothing.
    pub fn give_place(&mut self, keys: &TicketKeys, holder: &TicketHolder<'_>, now: Millis) -> AdmissionDecision {
        let place_at = self.last_place_at.max(now as f64 + RETURN_MIN_MS) + 1_000.0 / self.per_second;
        if place_at <= (now + RETRY_MAX_MS) as f64 && self.defer_bucket.take(now).is_ok() {
            self.last_place_at = place_at;
            let due_at = place_at as Millis;
            return AdmissionDecision::Deferred { retry_ms: due_at - now, ticket: keys.sign(due_at, holder) };
        }
        AdmissionDecision::Rejected { retry_ms: self.ask_again_ms(now) }
    }

    /// The viewer has a place already and comes at the wrong moment: too early, or when all tokens are taken.
    pub fn keep_place(&mut self, ticket: Option<AdmissionTicket>, retry_ms: Millis, now: Millis) -> AdmissionDecision {
        match self.defer_bucket.take(now) {
            Ok(()) => AdmissionDecision::Deferred { retry_ms, ticket },
            Err(_) => AdmissionDecision::Rejected { retry_ms: retry_ms.max(RETRY_MIN_MS) },
        }
    }

    fn ask_again_ms(&self, now: Millis) -> Millis {
        let latest = (self.wait_ms(now) / 2).clamp(2 * RETRY_MIN_MS, ASK_AGAIN_MAX_MS);
        rand::random_range(RETRY_MIN_MS..=latest)
    }
}
