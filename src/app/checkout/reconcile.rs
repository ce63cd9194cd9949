//! Reconciliation of payments that no one finished: a node died, or an answer or webhook was lost. The provider is
//! asked, and the same rule continues.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Checkout;
use super::webhook::EVENT_RETENTION_MS;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::payment::AUTHORIZATION_LAPSE_MS;
use crate::domain::{Millis, Payment, PaymentStatus};
use crate::metrics::increment;

/// Payments, refunds and owed refunds of one run.
const RECONCILE_BATCH_MAX: i64 = 100;
/// A run ends after this time even if there is more: a provider that hangs must not make it endless.
const RECONCILE_DEADLINE: Duration = Duration::from_secs(25);
/// How often a refund that waits for the bank is looked at, beside the provider's events.
const BANK_LOOK_MS: Millis = 10 * 60_000;
/// How often a refund that is done is looked at, and for how long: the bank may send the money back.
const WATCH_DONE_EVERY_MS: Millis = 24 * 3_600_000;
const WATCH_DONE_FOR_MS: Millis = 30 * WATCH_DONE_EVERY_MS;

impl Checkout {
    /// Checks every payment and refund that is not final and was not touched for `min_age_ms`; returns how many there
    /// were. One that fails is logged and left for another run, behind the others.
    pub async fn reconcile(&self, min_age_ms: Millis) -> Result<usize> {
        let now = self.context.store.now().await?;
        let since = now - min_age_ms;
        let started = Instant::now();
        let is_over = |started: Instant| started.elapsed() > RECONCILE_DEADLINE || self.context.stop.is_cancelled();
        let mut checked = 0;
        let count = || increment(&self.context.counters.reconciled);
        for payment in self.context.store.payments_to_reconcile(since, RECONCILE_BATCH_MAX).await? {
            if !self.context.store.claim_payment(&payment, since).await? {
                continue;
            }
            let order = payment.order;
            if let Err(error) = self.reconcile_payment(payment, now).await {
                tracing::warn!(order.id = %order, error = %error, "a payment could not be settled yet");
            }
            checked += 1;
            count();
            if is_over(started) {
                break;
            }
        }
        let started = Instant::now();
        let store = &self.context.store;
        let (bank_since, done_since, watch_since) =
            (since.min(now - BANK_LOOK_MS), now - WATCH_DONE_FOR_MS, since.min(now - WATCH_DONE_EVERY_MS));
        let mut refunds = store.refunds_to_reconcile(since, bank_since, RECONCILE_BATCH_MAX).await?;
        refunds.extend(store.done_refunds_to_check(done_since, watch_since, RECONCILE_BATCH_MAX).await?);
        for refund in refunds {
            if !store.claim_refund(&refund, since).await? {
                continue;
            }
            let order = refund.order;
            if let Err(error) = self.settle_refund(refund).await {
                tracing::warn!(order.id = %order, error = %error, "a refund could not be settled yet");
            }
            checked += 1;
            count();
            if is_over(started) {
                break;
            }
        }
        let started = Instant::now();
        let mut owed = store.owed_refunds(since, RECONCILE_BATCH_MAX).await?;
        owed.extend(store.returned_money_to_check(done_since, watch_since, RECONCILE_BATCH_MAX).await?);
        for payment in owed {
            if !store.claim_owed_refund(&payment, since).await? {
                continue;
            }
            let order = payment.order;
            if let Err(error) = Box::pin(self.refresh_payment(payment)).await {
                tracing::warn!(order.id = %order, error = %error, "money that is owed could not be given back yet");
            }
            checked += 1;
            count();
            if is_over(started) {
                break;
            }
        }
        self.count_owed_money().await?;
        self.context.store.prune_payment_events(now - EVENT_RETENTION_MS).await?;
        self.provider.delete_old_calls(now - AUTHORIZATION_LAPSE_MS).await?;
        Ok(checked)
    }

    async fn reconcile_payment(&self, payment: Payment, now: Millis) -> Result<()> {
        if payment.status == PaymentStatus::Voiding && payment.created_at < now - AUTHORIZATION_LAPSE_MS {
            tracing::warn!(order.id = %payment.order, payment.attempt, "an authorisation could not be voided; it has lapsed");
            self.context.store.update_payment_status(&payment, PaymentStatus::Cancelled, None).await?;
            return Ok(());
        }
        Box::pin(self.refresh_payment(payment)).await.map(|_| ())
    }
}

/// Runs the reconciliation, for the first time when the node starts.
pub struct ReconcileJob(pub Arc<Checkout>);

impl BackgroundJob for ReconcileJob {
    fn spec(&self) -> JobSpec {
        // Payments, refunds and owed refunds have a deadline each, and the last call may take as long as the provider is given.
        JobSpec::new("payments", self.0.context.settings.reconcile.interval, 4 * RECONCILE_DEADLINE)
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.reconcile(self.0.context.settings.reconcile.min_age_ms).await?;
        Ok(NextRun::AfterInterval)
    }
}
