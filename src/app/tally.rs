//! What the verbs and the loops did on this node since it started, for the metrics page.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{App, Error, Result};
use crate::domain::{Millis, Order, OrderStatus};
use crate::metrics::{Named, Times, count};

#[derive(Debug)]
pub struct Tally {
    /// Answers to buy, say, pay and refund: what was done, or the code of the "no".
    pub buys: Named,
    pub says: Named,
    pub pays: Named,
    pub refunds: Named,
    /// How long a buyer waited who was not refused in memory: the queue, and the batch.
    pub buy: Times,
    /// Money that was taken and that no order asked for: should be 0.
    pub astray: AtomicU64,
    /// Holds that ended by why, how long they had lasted, and how late after their time they were released.
    pub holds: Named,
    pub held: Times,
    pub released_late: Times,
    /// Notes told from the outbox, and how long after they were written.
    pub noted: Times,
    /// Notes that waited at the last look, and when the oldest of them was written; 0: none.
    pub outbox: AtomicU64,
    pub outbox_since: AtomicI64,
    /// Payments and refunds that the reconciler looked at.
    pub reconciled: AtomicU64,
    /// Webhooks taken in: new, told before, refused.
    pub webhooks: Named,
    pub rounds: [Rounds; LOOPS.len()],
}

/// What works between requests.
pub const LOOPS: [&str; 7] = ["offers", "holds", "outbox", "likes", "webhooks", "payments", "waiting"];

/// One of the [`LOOPS`]: its turns, and when the last one went well.
#[derive(Debug, Default)]
pub struct Rounds {
    pub done: AtomicU64,
    pub failed: AtomicU64,
    pub done_at: AtomicI64,
}

const BUYS: [&str; 21] = [
    "sold_out",
    "sold_out_for_now",
    "held",
    "busy",
    "replayed",
    "buyer_limit",
    "too_few_left",
    "closed",
    "not_open",
    "key_reused",
    "banned",
    "sign_in",
    "forbidden",
    "bad_request",
    "no_such_offer",
    "no_such_stream",
    "stream_ended",
    "wrong_status",
    "unavailable",
    "outcome_unknown",
    "other",
];
const SAYS: [&str; 20] = [
    "said",
    "held",
    "chat_off",
    "word_refused",
    "link_refused",
    "flood",
    "repeated",
    "queue_full",
    "no_such_message",
    "chat_budget",
    "slow_mode",
    "muted",
    "banned",
    "busy",
    "sign_in",
    "forbidden",
    "bad_request",
    "no_such_stream",
    "unavailable",
    "other",
];
const PAYS: [&str; 15] = [
    "paid",
    "replayed",
    "declined",
    "needs_action",
    "capture_failed",
    "hold_expired",
    "already_paid",
    "not_yours",
    "key_reused",
    "bad_request",
    "sign_in",
    "busy",
    "unavailable",
    "outcome_unknown",
    "other",
];
const REFUNDS: [&str; 10] = [
    "refunded",
    "replayed",
    "not_paid",
    "already_refunded",
    "refund_failed",
    "forbidden",
    "busy",
    "unavailable",
    "outcome_unknown",
    "other",
];

impl Default for Tally {
    fn default() -> Self {
        Self {
            buys: Named::new(&BUYS),
            says: Named::new(&SAYS),
            pays: Named::new(&PAYS),
            refunds: Named::new(&REFUNDS),
            buy: Times::default(),
            astray: AtomicU64::new(0),
            holds: Named::new(&["paid", "hold_ended", "buyer_cancel", "capture_failed", "other"]),
            held: Times::default(),
            released_late: Times::default(),
            noted: Times::default(),
            outbox: AtomicU64::new(0),
            outbox_since: AtomicI64::new(0),
            reconciled: AtomicU64::new(0),
            webhooks: Named::new(&["new", "known", "refused", "other"]),
            rounds: Default::default(),
        }
    }
}

impl Tally {
    /// A turn of one of the [`LOOPS`] is over.
    pub(super) fn round<T>(&self, name: &str, outcome: &Result<T>, now: Millis) {
        let Some(rounds) = LOOPS.iter().position(|known| *known == name).and_then(|place| self.rounds.get(place))
        else {
            return;
        };
        match outcome {
            Ok(_) => {
                count(&rounds.done);
                rounds.done_at.store(now, Ordering::Relaxed);
            }
            Err(_) => count(&rounds.failed),
        }
    }

    /// A hold is no hold any more: paid, or ended for this reason.
    pub(super) fn hold_ended(&self, order: &Order, now: Millis) {
        match order.status {
            OrderStatus::Paid => self.holds.count("paid"),
            OrderStatus::Expired | OrderStatus::Cancelled => {
                self.holds.count(order.reason.as_deref().unwrap_or("other"));
            }
            // Its hold ended long ago.
            OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Refunded => return,
        }
        self.held.add_ms(now - order.created_at);
        if order.status == OrderStatus::Expired {
            self.released_late.add_ms(now - order.hold_until);
        }
    }
}

impl App {
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }
}

/// Counts an answer: the name of what was done, or the code of the "no".
pub(super) fn answered<T>(named: &Named, answer: &Result<T>, done: impl FnOnce(&T) -> &'static str) {
    named.count(match answer {
        Ok(value) => done(value),
        Err(error) => error.code(),
    });
}

impl Error {
    /// The stable word that clients act on.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Refused(refusal) => refusal.code(),
            Error::Unavailable => "unavailable",
            Error::OutcomeUnknown => "outcome_unknown",
        }
    }
}
