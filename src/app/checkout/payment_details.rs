//! What the payment provider knows besides the payments themselves: what it keeps of each, and what buyers dispute. Both are asked for in
//! the background, and kept in the database of the shop, where the page of payments by day reads them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Checkout;
use super::provider_call::ProviderOutcome;
use crate::app::error::{Error, Result};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::dispute::{DISPUTE_END_MAX_MS, DISPUTE_UNREAD_MAX_MS};
use crate::domain::{DisputeStatus, Millis, Payment, ProviderDispute};

/// Payments that one run asks for, of each kind.
const ASKED_TOGETHER_MAX: i64 = 50;
/// A run ends after this time even if there is more: a provider that hangs must not make it endless.
const ASKING_DEADLINE: Duration = Duration::from_secs(25);
/// How often an open dispute is looked at, beside the provider's events.
const DISPUTE_LOOK_MS: Millis = 6 * 3_600_000;
/// When the provider is asked again that could not say what is disputed.
const DISPUTE_LOOK_SOON_MS: Millis = 60_000;

impl Checkout {
    /// Notes what an event says of the disputes of a payment. The provider is asked; one that gives no details says with its event that
    /// a dispute began, and how it ended; if that event never comes, the dispute is given up in the end.
    pub(super) async fn note_dispute_event(&self, payment: &Payment, kind: &str) -> Result<()> {
        let store = &self.context.store;
        let now = store.now().await?;
        match self.provider.disputes(payment).await {
            ProviderOutcome::Done(all) => store.note_disputes(payment, &all, Some(now + DISPUTE_LOOK_MS)).await?,
            ProviderOutcome::Refused(_) => {
                let status = self.provider.end_of_dispute(kind).unwrap_or(DisputeStatus::Open);
                let end = Some(now + DISPUTE_END_MAX_MS);
                store.note_disputes(payment, &[without_details(payment, status, now)], end).await?;
            }
            ProviderOutcome::Unknown => {
                let known = store.disputes_of(payment).await?;
                if known.iter().any(|dispute| Some(&dispute.reference) != payment.reference.as_ref()) {
                    // The details were given before, so they will be given again.
                    return Err(Error::OutcomeUnknown);
                }
                // The key may lack the right. That there is a dispute must be seen all the same.
                let dispute = without_details(payment, DisputeStatus::Open, now);
                store.note_disputes(payment, &[dispute], Some(now + DISPUTE_LOOK_SOON_MS)).await?;
            }
        }
        Ok(())
    }

    /// Asks the provider for the disputes that are open and the fees that are not known, some of each. `true`: there is more to do.
    pub async fn ask_for_details(&self) -> Result<bool> {
        let store = &self.context.store;
        let now = store.now().await?;
        let started = Instant::now();
        let is_over = || started.elapsed() > ASKING_DEADLINE || self.context.stop.is_cancelled();
        for payment in store.claim_disputed_payments(now, now + DISPUTE_LOOK_MS, ASKED_TOGETHER_MAX).await? {
            if is_over() {
                return Ok(false);
            }
            self.look_at_disputes(&payment, now).await?;
        }
        self.count_disputes_to_close().await?;
        let due = store.payments_without_fee(now, ASKED_TOGETHER_MAX).await?;
        let has_more = due.len() as i64 == ASKED_TOGETHER_MAX;
        for (payment, checks) in due {
            if is_over() {
                return Ok(false);
            }
            if store.claim_fee_check(&payment, checks).await? {
                self.ask_for_fee(&payment).await?;
            }
        }
        Ok(has_more)
    }

    /// Asks for the disputes of a payment. One that cannot be read is asked for again for some time, and then given up: only a person can
    /// see at the provider how it ends.
    async fn look_at_disputes(&self, payment: &Payment, now: Millis) -> Result<()> {
        let store = &self.context.store;
        let outcome = if payment.provider == self.provider.name() {
            self.provider.disputes(payment).await
        } else {
            // The shop has changed its provider, and the one before cannot be asked.
            ProviderOutcome::Unknown
        };
        let unread_before = now - DISPUTE_UNREAD_MAX_MS;
        let (read, unread_before) = match outcome {
            ProviderOutcome::Done(all) => (all, unread_before),
            ProviderOutcome::Unknown => (Vec::new(), unread_before),
            // The event of its end would have come long ago.
            ProviderOutcome::Refused(_) => (Vec::new(), Millis::MAX),
        };
        if !read.is_empty() {
            store.note_disputes(payment, &read, Some(now + DISPUTE_LOOK_MS)).await?;
        }
        let given_up = store.note_unread_disputes(payment, &read, unread_before).await?;
        if given_up > 0 {
            self.context.counters.disputes_given_up.fetch_add(given_up, Ordering::Relaxed);
            tracing::error!(
                order.id = %payment.order, payment.reference,
                "a dispute could not be read at the payment provider and is not asked for any more; check its status there, and close it in the desk"
            );
        }
        Ok(())
    }

    async fn ask_for_fee(&self, payment: &Payment) -> Result<()> {
        if payment.provider != self.provider.name() {
            // The shop has changed its provider, and the one before cannot be asked.
            return Ok(self.context.store.store_fee(payment, None).await?);
        }
        match self.provider.fee(payment).await {
            ProviderOutcome::Done(Some(fee)) => self.context.store.store_fee(payment, Some(&fee)).await?,
            ProviderOutcome::Refused(_) => self.context.store.store_fee(payment, None).await?,
            // The next check is set already; after the last one the fee is not known.
            ProviderOutcome::Done(None) | ProviderOutcome::Unknown => {}
        }
        Ok(())
    }
}

/// A dispute of which only the payment is known.
fn without_details(payment: &Payment, status: DisputeStatus, now: Millis) -> ProviderDispute {
    ProviderDispute {
        reference: payment.reference.clone().unwrap_or_default(),
        status,
        needs_answer: status == DisputeStatus::Open,
        amount: payment.amount,
        currency: payment.currency.clone(),
        reason: None,
        due_at: None,
        opened_at: now,
    }
}

/// Asks for fees and disputes.
pub struct PaymentDetailsJob(pub Arc<Checkout>);

impl BackgroundJob for PaymentDetailsJob {
    fn spec(&self) -> JobSpec {
        // The last call may take as long as the provider is given.
        JobSpec::new("payment_details", Duration::from_secs(30), 3 * ASKING_DEADLINE)
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let has_more = self.0.ask_for_details().await?;
        Ok(if has_more { NextRun::Immediately } else { NextRun::AfterInterval })
    }
}
