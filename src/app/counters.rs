//! What the verbs and the loops did on this node since it started, for the metrics page.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{App, Error, Result};
use crate::domain::{ErrorCode, Millis, Order, OrderStatus};
use crate::metrics::{DurationHistogram, LabeledCounter, increment};

#[derive(Debug)]
pub struct AppCounters {
    /// Answers to buy, say, pay and refund: what was done, or the code of the "no".
    pub buy_outcomes: LabeledCounter,
    pub chat_outcomes: LabeledCounter,
    pub pay_outcomes: LabeledCounter,
    pub refund_outcomes: LabeledCounter,
    /// How long a buyer waited who was not refused in memory: the queue, and the batch.
    pub buy: DurationHistogram,
    /// Money that was taken and that no order asked for: should be 0.
    pub unmatched_payments: AtomicU64,
    /// Holds that ended by why, how long they had lasted, and how late after their time they were released.
    pub ended_holds: LabeledCounter,
    pub held: DurationHistogram,
    pub release_delay: DurationHistogram,
    /// Notes told from the outbox, and how long after they were written.
    pub outbox_delay: DurationHistogram,
    /// Notes that waited at the last look, and when the oldest of them was written; 0: none.
    pub outbox_pending: AtomicU64,
    pub outbox_oldest_at: AtomicI64,
    /// Payments and refunds that the reconciler looked at.
    pub reconciled: AtomicU64,
    /// Webhooks taken in: new, told before, refused.
    pub webhook_outcomes: LabeledCounter,
    pub background_jobs: [JobCounters; BACKGROUND_JOBS.len()],
}

/// What works between requests.
pub const BACKGROUND_JOBS: [&str; 7] = ["offers", "holds", "outbox", "likes", "webhooks", "payments", "waiting"];

/// One of the [`LOOPS`]: its turns, and when the last one went well.
#[derive(Debug, Default)]
pub struct JobCounters {
    pub succeeded: AtomicU64,
    pub failed: AtomicU64,
    pub last_success_at: AtomicI64,
}

const BUY_OUTCOMES: [&str; 21] = [
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
const CHAT_OUTCOMES: [&str; 20] = [
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
const PAY_OUTCOMES: [&str; 15] = [
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
const REFUND_OUTCOMES: [&str; 10] = [
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

impl Default for AppCounters {
    fn default() -> Self {
        Self {
            buy_outcomes: LabeledCounter::new(&BUY_OUTCOMES),
            chat_outcomes: LabeledCounter::new(&CHAT_OUTCOMES),
            pay_outcomes: LabeledCounter::new(&PAY_OUTCOMES),
            refund_outcomes: LabeledCounter::new(&REFUND_OUTCOMES),
            buy: DurationHistogram::default(),
            unmatched_payments: AtomicU64::new(0),
            ended_holds: LabeledCounter::new(&["paid", "hold_ended", "buyer_cancel", "capture_failed", "other"]),
            held: DurationHistogram::default(),
            release_delay: DurationHistogram::default(),
            outbox_delay: DurationHistogram::default(),
            outbox_pending: AtomicU64::new(0),
            outbox_oldest_at: AtomicI64::new(0),
            reconciled: AtomicU64::new(0),
            webhook_outcomes: LabeledCounter::new(&["new", "known", "refused", "other"]),
            background_jobs: Default::default(),
        }
    }
}

impl AppCounters {
    /// A turn of one of the [`LOOPS`] is over.
    pub(super) fn record_run<T>(&self, name: &str, outcome: &Result<T>, now: Millis) {
        let Some(rounds) =
            BACKGROUND_JOBS.iter().position(|known| *known == name).and_then(|place| self.background_jobs.get(place))
        else {
            return;
        };
        match outcome {
            Ok(_) => {
                increment(&rounds.succeeded);
                rounds.last_success_at.store(now, Ordering::Relaxed);
            }
            Err(_) => increment(&rounds.failed),
        }
    }

    /// A hold is no hold any more: paid, or ended for this reason.
    pub(super) fn record_hold_end(&self, order: &Order, now: Millis) {
        match order.status {
            OrderStatus::Paid => self.ended_holds.increment("paid"),
            OrderStatus::Expired | OrderStatus::Cancelled => {
                self.ended_holds.increment(order.reason.as_deref().unwrap_or("other"));
            }
            // Its hold ended long ago.
            OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Refunded => return,
        }
        self.held.observe_ms(now - order.created_at);
        if order.status == OrderStatus::Expired {
            self.release_delay.observe_ms(now - order.hold_until);
        }
    }
}

impl App {
    pub fn counters(&self) -> &AppCounters {
        &self.0.counters
    }
}

/// Counts an answer: the name of what was done, or the code of the "no".
pub(super) fn count_outcome<T>(named: &LabeledCounter, answer: &Result<T>, done: impl FnOnce(&T) -> &'static str) {
    named.increment(match answer {
        Ok(value) => done(value),
        Err(error) => error.code(),
    });
}

impl Error {
    /// The row of this error in the table of error codes.
    pub fn error_code(&self) -> &'static ErrorCode {
        match self {
            Error::Refused(refusal) => refusal.error_code(),
            Error::Unavailable => &ErrorCode::UNAVAILABLE,
            Error::OutcomeUnknown => &ErrorCode::OUTCOME_UNKNOWN,
        }
    }

    /// The stable code on which clients act.
    pub fn code(&self) -> &'static str {
        self.error_code().code
    }
}
