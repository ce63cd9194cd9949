//! Counters of the use cases and background jobs on this node since it started, for the metrics page.

use std::sync::atomic::{AtomicI64, AtomicU64};

use super::error::Result;
use crate::domain::{ErrorCode, Millis, Refusal, Reservation, ReservationStatus};
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
    /// Status requests for payments that the provider does not know as ours: should be 0.
    pub unmatched_payments: AtomicU64,
    /// Payments whose money is owed to their buyers, in the whole shop: should be 0 after a minute.
    pub owed_refunds: AtomicU64,
    /// Ended holds by reason, how long they had lasted, and how late after their time they were released.
    pub ended_holds: LabeledCounter,
    pub hold_duration: DurationHistogram,
    pub release_delay: DurationHistogram,
    /// Offers whose expired holds wait until another transaction unlocks the offer.
    pub hold_locks_awaited: AtomicU64,
    /// How long after it was written an outbox event was delivered.
    pub outbox_delay: DurationHistogram,
    /// Outbox events that were pending at the last run, and when the oldest was written; 0 means none.
    pub outbox_pending: AtomicU64,
    pub outbox_oldest_at: AtomicI64,
    /// When the oldest payment or refund was made that has no document yet, at the last check; 0 means none.
    pub billing_oldest_at: AtomicI64,
    /// When the oldest removal of a saved card or a buyer was asked for that the payment provider has not carried out; 0 means none.
    pub oldest_removal_at: AtomicI64,
    /// Orders that the sums of the reports lacked at the last check.
    pub orders_unsummed: AtomicI64,
    /// How long the oldest snapshot of the database was open at the last check.
    pub oldest_snapshot_ms: AtomicI64,
    /// Disputes of buyers that the payment provider reported.
    pub disputes: AtomicU64,
    /// Disputes that could not be read at the payment provider, and are not asked for any more.
    pub disputes_given_up: AtomicU64,
    /// Disputes that were given up and that nobody has closed, in the whole shop, as this node saw them last.
    pub disputes_to_close: AtomicU64,
    /// Looks at refunds that were done and have failed at the bank since.
    pub refunds_failed_later: AtomicU64,
    /// Placed orders past their date that the last run of the job could not cancel.
    pub placed_orders_overdue: AtomicU64,
    /// Events of the outbox that were dropped because they cannot be read.
    pub outbox_unreadable: AtomicU64,
    /// Payments and refunds that the reconciler checked.
    pub reconciled: AtomicU64,
    /// Frames that were read later, because their connection sent too many.
    pub frames_delayed: AtomicU64,
    /// Addresses that the retention job erased.
    pub addresses_erased: AtomicU64,
    /// Sign-ins on our own pages: of guests and accounts, and what came of codes by e-mail.
    pub sign_ins: LabeledCounter,
    /// Sessions and codes that the job deleted because their time was over.
    pub sign_ins_expired: AtomicU64,
    /// Words of the search in the catalogue that were deleted because no product has them any more.
    pub search_words_deleted: AtomicU64,
    /// Attempts to send a mail: sent, to be retried, given up, or unwanted by now.
    pub mail_outcomes: LabeledCounter,
    /// Mails that waited at the last run of the job, and when the oldest was written; 0 means none.
    pub mails_waiting: AtomicU64,
    pub mails_oldest_at: AtomicI64,
    /// Announcements that ended: all followers were notified, it was too late, or there is no mail server.
    pub announcements: LabeledCounter,
    /// Mails to followers that were written.
    pub follower_mails: AtomicU64,
    /// Mails to followers in the outbox at the last run of the job.
    pub follower_mails_waiting: AtomicU64,
    /// Announcements whose mails are not all written, and the time of the oldest; 0 means none.
    pub announcements_waiting: AtomicU64,
    pub announcements_oldest_at: AtomicI64,
    /// Uploads of pictures: stored, known already, or why not.
    pub picture_uploads: LabeledCounter,
    /// Files of pictures that were asked for: found in memory or in the storage, missing, failed, or too many at once.
    pub picture_reads: LabeledCounter,
    /// Pictures that were deleted because nothing named them.
    pub pictures_deleted: AtomicU64,
    /// Products that imports have written, and imports that were undone.
    pub imported_products: AtomicU64,
    pub undone_imports: AtomicU64,
    /// Pictures that imports have fetched, and those that could not be fetched.
    pub import_pictures_kept: AtomicU64,
    pub import_pictures_failed: AtomicU64,
    /// Imports on which a node should be working, and for how long the oldest had waited, at the last run of the job.
    pub imports_pending: AtomicI64,
    pub imports_oldest_ms: AtomicI64,
    /// Received webhooks: new, known already, refused.
    pub webhook_outcomes: LabeledCounter,
}

/// Why a hold ended.
const HOLD_ENDS: [&str; 7] = ["paid", "placed", "hold_ended", "buyer_cancel", "capture_failed", "card_limit", "other"];
/// What came of a sign-in.
const SIGN_INS: [&str; 11] = [
    "guest",
    "account",
    "code_sent",
    "code_wrong",
    "code_invalid",
    "passkey",
    "passkey_invalid",
    "oidc",
    "oidc_invalid",
    "oidc_failed",
    "other",
];
/// What came of an upload of a picture.
const PICTURE_UPLOADS: [&str; 10] = [
    "stored",
    "known",
    "picture_kind",
    "picture_too_large",
    "picture_pixels",
    "picture_damaged",
    "pictures_off",
    "busy",
    "unavailable",
    "other",
];

/// A counter of outcomes: what can be done, in the words of the API, then every code of a refusal or a fault.
fn outcomes(done: &[&'static str]) -> LabeledCounter {
    let refused = Refusal::TABLE.iter().map(|error| error.code);
    let failed = [ErrorCode::UNAVAILABLE.code, ErrorCode::OUTCOME_UNKNOWN.code];
    LabeledCounter::new(done.iter().copied().chain(refused).chain(failed).chain(["other"]))
}

impl Default for AppCounters {
    fn default() -> Self {
        Self {
            buy_outcomes: outcomes(&["held", "replayed"]),
            chat_outcomes: outcomes(&["sent", "pending_review"]),
            pay_outcomes: outcomes(&["paid", "placed", "replayed"]),
            refund_outcomes: outcomes(&["refunded", "replayed"]),
            buy_duration: DurationHistogram::default(),
            unmatched_payments: AtomicU64::new(0),
            owed_refunds: AtomicU64::new(0),
            disputes: AtomicU64::new(0),
            disputes_given_up: AtomicU64::new(0),
            disputes_to_close: AtomicU64::new(0),
            refunds_failed_later: AtomicU64::new(0),
            placed_orders_overdue: AtomicU64::new(0),
            outbox_unreadable: AtomicU64::new(0),
            ended_holds: LabeledCounter::new(HOLD_ENDS),
            hold_duration: DurationHistogram::default(),
            release_delay: DurationHistogram::default(),
            hold_locks_awaited: AtomicU64::new(0),
            outbox_delay: DurationHistogram::default(),
            outbox_pending: AtomicU64::new(0),
            outbox_oldest_at: AtomicI64::new(0),
            billing_oldest_at: AtomicI64::new(0),
            oldest_removal_at: AtomicI64::new(0),
            orders_unsummed: AtomicI64::new(0),
            oldest_snapshot_ms: AtomicI64::new(0),
            reconciled: AtomicU64::new(0),
            frames_delayed: AtomicU64::new(0),
            addresses_erased: AtomicU64::new(0),
            sign_ins: LabeledCounter::new(SIGN_INS),
            sign_ins_expired: AtomicU64::new(0),
            search_words_deleted: AtomicU64::new(0),
            mail_outcomes: LabeledCounter::new(["sent", "retried", "failed", "unwanted", "other"]),
            mails_waiting: AtomicU64::new(0),
            mails_oldest_at: AtomicI64::new(0),
            announcements: LabeledCounter::new(["finished", "late", "skipped", "other"]),
            follower_mails: AtomicU64::new(0),
            follower_mails_waiting: AtomicU64::new(0),
            announcements_waiting: AtomicU64::new(0),
            announcements_oldest_at: AtomicI64::new(0),
            picture_uploads: LabeledCounter::new(PICTURE_UPLOADS),
            picture_reads: LabeledCounter::new(["memory", "storage", "missing", "failed", "busy", "other"]),
            pictures_deleted: AtomicU64::new(0),
            imported_products: AtomicU64::new(0),
            undone_imports: AtomicU64::new(0),
            import_pictures_kept: AtomicU64::new(0),
            import_pictures_failed: AtomicU64::new(0),
            imports_pending: AtomicI64::new(0),
            imports_oldest_ms: AtomicI64::new(0),
            webhook_outcomes: LabeledCounter::new(["new", "duplicate", "rejected", "other"]),
        }
    }
}

impl AppCounters {
    /// A hold ended: paid, or released for the reason in the reservation.
    pub fn record_hold_end(&self, hold: &Reservation, now: Millis) {
        match hold.status {
            // The hold of these units ended when their order was placed, days ago.
            ReservationStatus::Cancelled
                if matches!(hold.reason.as_deref(), Some("shop_cancel" | "not_paid_in_time")) =>
            {
                return;
            }
            ReservationStatus::Placed => self.ended_holds.increment("placed"),
            ReservationStatus::Sold if hold.returned == 0 => self.ended_holds.increment("paid"),
            ReservationStatus::Expired | ReservationStatus::Cancelled => {
                self.ended_holds.increment(hold.reason.as_deref().unwrap_or("other"));
            }
            // Of units that were given back the hold ended long ago.
            ReservationStatus::Held | ReservationStatus::Capturing | ReservationStatus::Sold => return,
        }
        self.hold_duration.observe_ms(now - hold.created_at);
        if hold.status == ReservationStatus::Expired {
            self.release_delay.observe_ms(now - hold.hold_until);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Error;

    #[test]
    fn every_answer_is_counted_under_its_own_name() {
        let counters = AppCounters::default();
        let count = |name: &str| counters.buy_outcomes.values().find(|(known, _)| *known == name).unwrap().1;
        for error in [Error::Unavailable, Error::OutcomeUnknown, Refusal::SoldOut.into(), Refusal::Banned.into()] {
            let code = error.code();
            count_outcome(&counters.buy_outcomes, &Err::<(), _>(error), |()| "held");
            assert_eq!(count(code), 1, "{code}");
        }
        count_outcome(&counters.buy_outcomes, &Ok(()), |()| "held");
        assert_eq!((count("held"), count("other")), (1, 0));
        // The words of success that the callers use, and the labels that the alerts read.
        for (counter, names) in [
            (&counters.buy_outcomes, &["held", "replayed", "busy", "outcome_unknown"][..]),
            (&counters.chat_outcomes, &["sent", "pending_review"]),
            (&counters.pay_outcomes, &["paid", "placed", "replayed", "declined"]),
            (&counters.refund_outcomes, &["refunded", "replayed"]),
        ] {
            names.iter().for_each(|name| assert!(counter.values().any(|(known, _)| known == *name), "{name}"));
        }
    }
}
