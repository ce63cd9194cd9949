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
use crate::domain::{Minor, OwedStatus, Payment, PaymentIntent, ProviderRefundStatus};
use crate::store::OwedRefund;

/// Tries to give back the same money; the bank refused it that often.
pub(super) const RETURN_TRIES_MAX: i64 = 5;

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
        let Some(this_try) = self.context.store.owed_refund(payment).await? else { return Ok(None) };
        let key = payment.return_key(this_try.tries);
        let found = match provider.find_refund(payment, &key, this_try.reference.as_deref()).await {
            ProviderOutcome::Done(found) => found,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => return Ok(None),
        };
        // No refund of ours, and nothing is owed any more: somebody gave it back at the provider by hand.
        let is_by_hand = owed <= 0 && found.as_ref().is_none_or(|found| found.status == ProviderRefundStatus::Failed);
        if is_by_hand || found.as_ref().is_some_and(|found| found.status == ProviderRefundStatus::Done && owed <= 0) {
            if retry_transient(|| self.context.store.finish_owed_refund(payment)).await? {
                tracing::info!(order.id = %payment.order, payment.attempt, "money that was owed has been given back");
            }
            return Ok(None);
        }
        match found {
            Some(found) => {
                if this_try.reference.is_none() {
                    let note = || self.context.store.note_owed_reference(payment, &this_try, &found.reference);
                    retry_transient(note).await?;
                }
                // Done, and more was owed than this try gave back; or it failed.
                if found.status != ProviderRefundStatus::Pending {
                    self.begin_next_return(payment, &this_try, owed).await?;
                }
                Ok(None)
            }
            None => self.request_return(provider, payment, &this_try, owed).await,
        }
    }

    /// Asks the provider to give back what is owed. Gives the intent after that, if it was accepted.
    async fn request_return(
        &self,
        provider: &PaymentProvider,
        payment: &Payment,
        this_try: &OwedRefund,
        owed: Minor,
    ) -> Result<Option<PaymentIntent>> {
        match provider.refund(payment, this_try.amount, payment.return_key(this_try.tries)).await {
            ProviderOutcome::Done(asked) => {
                retry_transient(|| self.context.store.note_owed_reference(payment, this_try, &asked.reference)).await?;
                match provider.fetch(payment).await {
                    ProviderOutcome::Done(after) => Ok(after),
                    ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => Ok(None),
                }
            }
            // Somebody gave back a part by hand in the meantime.
            ProviderOutcome::Refused(_) if owed != this_try.amount => {
                self.begin_next_return(payment, this_try, owed).await?;
                Ok(None)
            }
            // The reconciler asks again, and an alert calls a person who can refund at the provider.
            outcome => {
                tracing::error!(
                    order.id = %payment.order, payment.attempt, outcome = ?outcome, "money that is owed was not given back yet"
                );
                Ok(None)
            }
        }
    }

    /// The next round gives back what is still owed, under a new key. After the last try only a person can; the money stays owed, and the
    /// alert says so.
    async fn begin_next_return(&self, payment: &Payment, failed: &OwedRefund, owed: Minor) -> Result<()> {
        tracing::error!(
            order.id = %payment.order, payment.attempt, failed.tries, owed,
            "a try to give back money that is owed did not give back all of it"
        );
        if failed.tries < RETURN_TRIES_MAX {
            retry_transient(|| self.context.store.begin_next_return(payment, failed, owed)).await?;
        }
        Ok(())
    }

    /// Publishes how many payments are owed, for the alert.
    pub(super) async fn count_owed_money(&self) -> Result<()> {
        let owed = self.context.store.count_owed_refunds().await?;
        self.context.counters.owed_refunds.store(owed, Ordering::Relaxed);
        Ok(())
    }
}
