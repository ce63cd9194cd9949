//! Money that was taken and is not for an order: it is noted as owed, and given back.
//!
//! It happens when an answer comes very late, when somebody captures a payment at the provider by hand, or with a provider that
//! takes the money at once. The reconciler repeats the refund until the provider has done it.

use std::sync::atomic::Ordering;

use super::Checkout;
use super::payment::retry_transient;
use super::provider::PaymentProvider;
use super::provider_call::ProviderOutcome;
use crate::app::error::Result;
use crate::domain::{OwedStatus, Payment, PaymentIntent};

impl Checkout {
    /// Takes one step of money that is owed: notes it, gives it back, or notes that it was given back. Gives the intent as it is then;
    /// `None`: nothing more can be done now.
    pub(super) async fn settle_owed_money(
        &self,
        provider: &PaymentProvider,
        payment: &Payment,
        intent: &Option<PaymentIntent>,
    ) -> Result<Option<PaymentIntent>> {
        let Some(intent) = intent else { return Ok(None) };
        let owed = intent.captured - intent.refunded;
        if payment.owed != Some(OwedStatus::Owed) {
            if retry_transient(|| self.context.store.owe_refund(payment, intent)).await? {
                tracing::error!(
                    order.id = %payment.order, payment.attempt, payment.reference = intent.reference, amount = owed,
                    intent.currency, "money was taken that is not for this order; it is given back"
                );
            }
            return Ok(Some(intent.clone()));
        }
        if owed <= 0 {
            if retry_transient(|| self.context.store.finish_owed_refund(payment)).await? {
                tracing::info!(order.id = %payment.order, payment.attempt, "money that was owed has been given back");
            }
            return Ok(None);
        }
        match provider.refund(payment, owed, payment.return_key()).await {
            ProviderOutcome::Done(after) if after.refunded > intent.refunded => Ok(Some(after)),
            // The reconciler asks again, and an alert calls a person who can refund at the provider.
            outcome => {
                tracing::error!(
                    order.id = %payment.order, payment.attempt, outcome = ?outcome, "money that is owed was not given back yet"
                );
                Ok(None)
            }
        }
    }

    /// Publishes how many payments are owed, for the alert.
    pub(super) async fn count_owed_money(&self) -> Result<()> {
        let owed = self.context.store.count_owed_refunds().await?;
        self.context.counters.owed_refunds.store(owed, Ordering::Relaxed);
        Ok(())
    }
}
