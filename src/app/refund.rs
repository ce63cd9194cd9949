//! Giving money back. The order stays paid until the provider has done it; then its units go where the host said.

use super::counters::count_outcome;
use super::order::{OrderResult, as_outcome_unknown};
use super::payment::retry_transient;
use super::provider::ProviderOutcome;
use super::{App, Error, Result};
use crate::domain::order::request_hash;
use crate::domain::{
    Actor, AuditAction, AuditEntry, IdempotencyKey, OrderId, PaymentIntent, Permission, Refund, RefundStatus, Refusal,
};
use crate::store::NewRefund;

/// Of the words a host may leave with a refund, in bytes.
const REFUND_REASON_MAX_BYTES: usize = 500;

impl App {
    /// Gives a paid order's money back, all of it. With `restock` its units are on sale again (or in the pool, when the
    /// offer is closed); without they are gone with the goods.
    pub async fn refund(
        &self,
        actor: &Actor,
        id: OrderId,
        restock: bool,
        reason: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        let answer = self.refund_order(actor, id, restock, reason, key).await;
        if let Ok(bought) = &answer
            && !bought.is_replay
        {
            self.record_audit_entry(AuditEntry {
                subject: Some(id.to_string()),
                ..self.audit_entry(actor, bought.order.stream, AuditAction::Refund)
            });
        }
        count_outcome(&self.counters().refund_outcomes, &answer, |bought| {
            if bought.is_replay { "replayed" } else { "refunded" }
        });
        answer
    }

    async fn refund_order(
        &self,
        actor: &Actor,
        id: OrderId,
        restock: bool,
        reason: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        actor.authorize(Permission::Chat, None)?;
        let order = self.store().order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        actor.authorize(Permission::ManageStreams, Some(order.stream))?;
        let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.len() > REFUND_REASON_MAX_BYTES || text.contains('\0')) {
            return Err(Refusal::bad_request("`reason` is a text of at most 500 bytes").into());
        }
        let words = reason.clone().unwrap_or_default();
        let hash = request_hash(&["refund", &id.to_string(), &restock.to_string(), &words]);
        let new = NewRefund { order: id, by: actor.user.clone(), key, hash, restock, reason };
        let app = self.clone();
        self.spawn_write(async move {
            let refund = app.store().begin_refund(&new).await?;
            let replayed = refund.status != RefundStatus::Pending;
            let refund = if replayed { refund } else { app.settle_refund(refund, None).await? };
            match refund.status {
                RefundStatus::Done => {
                    let order = app.store().order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                    Ok(OrderResult { order: app.order_view(&order).await, is_replay: replayed })
                }
                RefundStatus::Failed => Err(Refusal::RefundFailed.into()),
                RefundStatus::Pending => Err(Error::OutcomeUnknown),
            }
        })
        .await
        .map_err(as_outcome_unknown)
    }

    /// Brings a refund as far as it goes. What is known to be given back already is not asked for again.
    pub(super) async fn settle_refund(&self, refund: Refund, seen: Option<PaymentIntent>) -> Result<Refund> {
        let payment = self.store().winning_payment(refund.order).await?.ok_or_else(|| {
            tracing::error!(order.id = %refund.order, "a paid order has no payment; nothing can be given back");
            Error::Unavailable
        })?;
        let provider = self.provider_of(&payment)?;
        let whole = |intent: &PaymentIntent| intent.refunded >= refund.amount;
        let seen = match seen {
            Some(seen) => seen,
            None => match provider.fetch(&payment).await {
                ProviderOutcome::Done(Some(seen)) => seen,
                _ => return Err(Error::OutcomeUnknown),
            },
        };
        if !payment.matches(&seen, provider.livemode()) {
            tracing::error!(order.id = %refund.order, "the provider's payment is not the one we know; nothing given back");
            return Err(Error::OutcomeUnknown);
        }
        let done = whole(&seen)
            || match provider.refund(&payment, refund.amount, refund.idempotency_key()).await {
                ProviderOutcome::Done(after) => whole(&after),
                // It may have been given back long ago, under a key the provider has forgotten.
                ProviderOutcome::Refused(why) => match provider.fetch(&payment).await {
                    ProviderOutcome::Done(Some(now)) if whole(&now) => true,
                    ProviderOutcome::Done(_) => {
                        tracing::warn!(order.id = %refund.order, why, "a refund was refused");
                        retry_transient(|| self.store().fail_refund(&refund)).await?;
                        false
                    }
                    _ => return Err(Error::OutcomeUnknown),
                },
                ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
            };
        if done && let Some(order) = retry_transient(|| self.store().finish_refund(&refund)).await? {
            self.publish_release(order.offer, &[order]).await?;
        }
        Ok(self.store().refund(refund.order, refund.n).await?.ok_or(Refusal::NoSuchOrder)?)
    }
}
