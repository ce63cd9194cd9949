//! Counters of the use cases and background jobs on this node since it started, for the metrics page.

use std::sync::atomic::{AtomicI64, AtomicU64};

use super::error::Result;
use crate::domain::{Millis, Order, OrderStatus};
use crate::metrics::{DurationHistogram, LabeledCounter};

#[derive(Debug)]
pub struct AppCounters {
    /// Outcomes of buy, say, pay and refund: what was done, or the code of the refusal.
    pub buy_outcomes: LabeledCounter,
    pub chat_outcomes: LabeledCounter,
    pub pay_outcomes: LabeledCounter,
    pub refund_outcomes: LabeledCounter,
    /// The waiting time of buyers who were not refused from memory: the queue and the batch.
    pub buy_duration: DurationHistogram,
    /// Payments captured although no order of ours asked for them: should be 0.
    pub unmatched_payments: AtomicU64,
    /// Ended holds by reason, how long they had lasted, and how late after their time they were released.
    pub ended_holds: LabeledCounter,
    pub hold_duration: DurationHistogram,
    pub release_delay: DurationHistogram,
    /// How long after it was written an outbox event was delivered.
    pub outbox_delay: DurationHistogram,
    /// Outbox events that were pending at the last run, and when the oldest was written; 0 means none.
    pub outbox_pending: AtomicU64,
    pub outbox_oldest_at: AtomicI64,
    /// Payments and refunds that the reconciler checked.
    pub reconciled: AtomicU64,
    /// Received webhooks: new, known already, refused.
    pub webhook_outcomes: LabeledCounter,
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
    "sent",
    "pending_review",
    "chat_off",
    "blocked_word",
    "links_not_allowed",
    "repeated_characters",
    "duplicate_message",
    "review_queue_full",
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
            buy_duration: DurationHistogram::default(),
            unmatched_payments: AtomicU64::new(0),
            ended_holds: LabeledCounter::new(&["paid", "hold_ended", "buyer_cancel", "capture_failed", "other"]),
            hold_duration: DurationHistogram::default(),
            release_delay: DurationHistogram::default(),
            outbox_delay: DurationHistogram::default(),
            outbox_pending: AtomicU64::new(0),
            outbox_oldest_at: AtomicI64::new(0),
            reconciled: AtomicU64::new(0),
            webhook_outcomes: LabeledCounter::new(&["new", "duplicate", "rejected", "other"]),
        }
    }
}

impl AppCounters {
    /// A hold ended: paid, or released for the reason in the order.
    pub fn record_hold_end(&self, order: &Order, now: Millis) {
        match order.status {
            OrderStatus::Paid => self.ended_holds.increment("paid"),
            OrderStatus::Expired | OrderStatus::Cancelled => {
                self.ended_holds.increment(order.reason.as_deref().unwrap_or("other"));
            }
            // Its hold ended long ago.
            OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Refunded => return,
        }
        self.hold_duration.observe_ms(now - order.created_at);
        if order.status == OrderStatus::Expired {
            self.release_delay.observe_ms(now - order.hold_until);
        }
    }
}

/// Counts an outcome: the name of what was done, or the code of the refusal.
pub fn count_outcome<T>(named: &LabeledCounter, answer: &Result<T>, done: impl FnOnce(&T) -> &'static str) {
    named.increment(match answer {
        Ok(value) => done(value),
        Err(error) => error.code(),
    });
}
