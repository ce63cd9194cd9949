//! Refunds. The order stays paid until the provider has done the refund; then its units are put back on sale or written
//! off, as the host chose.

use std::sync::Arc;

use super::Checkout;
use super::order::{OrderResult, lines_by_offer};
use super::payment::retry_transient;
use super::provider_call::ProviderOutcome;
use crate::app::counters::count_outcome;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::order::request_hash;
use crate::domain::{
    Actor, AuditAction, AuditEntry, IdempotencyKey, Order, OrderId, OrderStatus, PaymentIntent, Permission, Place,
    Refund, RefundStatus, Refusal, ReservationStatus, authorize_by_role,
};
use crate::store::NewRefund;

/// Maximum length of a refund's reason, in bytes.
const REFUND_REASON_MAX_BYTES: usize = 500;

impl Checkout {
    /// Refunds a paid order completely. With `restock` its units are on sale again (or in the variant's pool, when the
    /// offer is closed); without it the units are written off.
    pub async fn refund(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        restock: bool,
        reason: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        let outcome = self.refund_order(actor, id, restock, reason, key).await;
        if let Ok(result) = &outcome
            && !result.is_replay
        {
            self.audit.record_audit_entry(AuditEntry {
                subject: Some(id.to_string()),
                ..self.audit.audit_entry(actor, result.order.stream, AuditAction::Refund)
            });
        }
        count_outcome(&self.context.counters.refund_outcomes, &outcome, |result| {
            if result.is_replay { "replayed" } else { "refunded" }
        });
        outcome
    }

    async fn refund_order(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        restock: bool,
        reason: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        self.stream_cache.authorize(actor, Permission::ManageStreams, order.stream).await?;
        actor.check_recent_sign_in(self.context.now())?;
        let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.len() > REFUND_REASON_MAX_BYTES || text.contains('\0')) {
            return Err(Refusal::bad_field("reason", "must have at most 500 bytes.").into());
        }
        let reason_text = reason.clone().unwrap_or_default();
        self.check_provider_is_on(&order).await?;
        let hash = request_hash(&["refund", &id.to_string(), &restock.to_string(), &reason_text]);
        let new = NewRefund { order: order.id, by: actor.user.clone(), key, hash, restock, reason };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let refund = this.context.store.begin_refund(&new).await?;
                let replayed = refund.status != RefundStatus::Pending;
                let refund = if replayed { refund } else { this.settle_refund(refund, None).await? };
                match refund.status {
                    RefundStatus::Done => {
                        let order = this.context.store.order(new.order).await?.ok_or(Refusal::NoSuchOrder)?;
                        Ok(OrderResult { order: this.catalogue.order_view(&order).await, is_replay: replayed })
                    }
                    RefundStatus::Failed => Err(Refusal::RefundFailed.into()),
                    RefundStatus::Pending => Err(Error::OutcomeUnknown),
                }
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Refuses to refund a paid order whose provider is off here: nobody could give the money back.
    async fn check_provider_is_on(&self, order: &Order) -> Result<()> {
        if order.status != OrderStatus::Paid {
            return Ok(());
        }
        match self.context.store.winning_payment(order.id).await? {
            Some(payment) if !self.is_provider_on(&payment) => Err(Refusal::PaymentsOff.into()),
            _ => Ok(()),
        }
    }

    /// Publishes the offers whose units came back, and notifies the buyer.
    async fn publish_refund(&self, order: &Order) -> Result<()> {
        for offer in lines_by_offer(order, ReservationStatus::Sold).into_keys() {
            if let Some(offer) = self.context.store.offer(offer).await? {
                self.catalogue.publish_offer(&offer, false);
            }
        }
        self.notify_order_changed(order).await;
        Ok(())
    }

    /// Carries a refund as far as possible. A refund that the provider is known to have done is not requested again.
    pub async fn settle_refund(&self, refund: Refund, intent: Option<PaymentIntent>) -> Result<Refund> {
        let payment = self.context.store.winning_payment(refund.order).await?.ok_or_else(|| {
            tracing::error!(order.id = %refund.order, "a paid order has no payment; it cannot be refunded");
            Error::Unavailable
        })?;
        let provider = self.provider_of(&payment)?;
        let is_complete = |intent: &PaymentIntent| intent.refunded >= refund.amount;
        let intent = match intent {
            Some(intent) => intent,
            None => match provider.fetch(&payment).await {
                ProviderOutcome::Done(Some(intent)) => intent,
                _ => return Err(Error::OutcomeUnknown),
            },
        };
        if !payment.matches(&intent, provider.livemode()) {
            tracing::error!(order.id = %refund.order, "the provider's payment is not the one we know; it was not refunded");
            return Err(Error::OutcomeUnknown);
        }
        let done = is_complete(&intent)
            || match provider.refund(&payment, refund.amount, refund.idempotency_key()).await {
                ProviderOutcome::Done(after) => is_complete(&after),
                // The refund may have been done long ago, under a key that the provider has forgotten.
                ProviderOutcome::Refused(why) => match provider.fetch(&payment).await {
                    ProviderOutcome::Done(Some(now)) if is_complete(&now) => true,
                    ProviderOutcome::Done(_) => {
                        tracing::warn!(order.id = %refund.order, why, "the provider refused a refund");
                        retry_transient(|| self.context.store.fail_refund(&refund)).await?;
                        false
                    }
                    _ => return Err(Error::OutcomeUnknown),
                },
                ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
            };
        if done && let Some(order) = retry_transient(|| self.context.store.finish_refund(&refund)).await? {
            self.context.mail_queued.notify_one();
            self.publish_refund(&order).await?;
        }
        Ok(self.context.store.refund(refund.order, refund.n).await?.ok_or(Refusal::NoSuchOrder)?)
    }
}
