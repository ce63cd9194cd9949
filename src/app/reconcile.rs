//! What nobody finished: a node died, an answer or a webhook was lost. The provider is asked, and the same rule goes on.

use std::time::Duration;

use tokio::time::Instant;

use super::webhook::EVENT_RETENTION_MS;
use super::{App, Result};
use crate::domain::{Millis, Payment, PaymentStatus};
use crate::metrics::increment;

/// Tries, and refunds, of one turn.
const RECONCILE_BATCH_MAX: i64 = 100;
/// A turn ends after this even if there is more: a provider that hangs must not make it endless.
const RECONCILE_DEADLINE: Duration = Duration::from_secs(25);
/// Money set aside and never taken lapses at the provider after about a week.
const AUTHORIZATION_LAPSE_MS: Millis = 8 * 24 * 3_600_000;

/// How often every node looks, and how old something must be.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileSettings {
    pub interval: Duration,
    pub min_age_ms: Millis,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), min_age_ms: 60_000 }
    }
}

impl App {
    /// Looks at every payment and refund that is not final and that nobody has touched for `age_ms`; gives how many
    /// those were. One that breaks is logged and left for another turn, behind the others.
    pub async fn reconcile(&self, age_ms: Millis) -> Result<usize> {
        let now = self.store().now().await?;
        let since = now - age_ms;
        let began = Instant::now();
        let over = |began: Instant| began.elapsed() > RECONCILE_DEADLINE || self.0.stop.is_cancelled();
        let mut looked = 0;
        let count = || increment(&self.counters().reconciled);
        for payment in self.store().payments_to_reconcile(since, RECONCILE_BATCH_MAX).await? {
            self.store().mark_payment_checked(&payment).await?;
            let order = payment.order;
            if let Err(error) = self.reconcile_payment(payment, now).await {
                tracing::warn!(order.id = %order, error = %error, "a payment is not settled yet");
            }
            looked += 1;
            count();
            if over(began) {
                break;
            }
        }
        let began = Instant::now();
        for refund in self.store().refunds_to_reconcile(since, RECONCILE_BATCH_MAX).await? {
            self.store().mark_refund_checked(&refund).await?;
            let order = refund.order;
            if let Err(error) = self.settle_refund(refund, None).await {
                tracing::warn!(order.id = %order, error = %error, "a refund is not settled yet");
            }
            looked += 1;
            count();
            if over(began) {
                break;
            }
        }
        self.store().prune_payment_events(now - EVENT_RETENTION_MS).await?;
        self.0.provider.delete_old_calls(now - AUTHORIZATION_LAPSE_MS).await?;
        Ok(looked)
    }

    async fn reconcile_payment(&self, payment: Payment, now: Millis) -> Result<()> {
        if payment.status == PaymentStatus::Voiding && payment.created_at < now - AUTHORIZATION_LAPSE_MS {
            tracing::warn!(order.id = %payment.order, payment.attempt, "a void never came through; it has lapsed");
            self.store().update_payment_status(&payment, PaymentStatus::Cancelled, None).await?;
            return Ok(());
        }
        self.refresh_payment(payment).await.map(|_| ())
    }
}

/// Looks again and again for as long as the node runs, at once when it starts.
pub async fn run_reconciler(app: App) {
    let ReconcileSettings { interval: every, min_age_ms: age_ms } = app.0.settings.reconcile;
    loop {
        let looked = app.reconcile(age_ms).await;
        app.counters().record_run("payments", &looked, app.now());
        if let Err(error) = looked {
            tracing::warn!(error = %error, "payments were not reconciled");
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}
