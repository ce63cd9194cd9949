//! Refunds. Each has its own key, reference and status at the provider. When the provider has done it, its units are put back on sale or
//! written off, as the host chose; the order stays paid until all its units are back.

use std::sync::Arc;

use super::Checkout;
use super::order::{OrderResult, lines_by_offer};
use super::payment::retry_transient;
use super::provider::PaymentProvider;
use super::provider_call::ProviderOutcome;
use crate::app::counters::count_outcome;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::order::request_hash;
use crate::domain::{
    Actor, AuditAction, AuditEntry, IdempotencyKey, Millis, Order, OrderId, Payment, Permission, Place, ProviderRefund,
    ProviderRefundStatus, Refund, RefundScope, RefundStatus, RefundStep, Refusal, RequestHash, ReservationStatus,
    authorize_by_role,
};
use crate::metrics::increment;
use crate::store::NewRefund;

/// Maximum length of a refund's reason, in bytes.
const REFUND_REASON_MAX_BYTES: usize = 500;
/// How long a refund waits for a payment that the provider does not know as ours.
const UNKNOWN_PAYMENT_PATIENCE_MS: Millis = 24 * 3_600_000;

/// The same key with another part of the order is another request.
fn refund_hash(id: OrderId, scope: &RefundScope, restock: bool, reason: &str) -> RequestHash {
    let (id, restock) = (id.to_string(), restock.to_string());
    let RefundScope::Part(part) = scope else { return request_hash(&["refund", &id, &restock, reason]) };
    let mut said = vec![part.delivery.to_string(), format!("{:?}", part.amount)];
    said.extend(part.lines.iter().flat_map(|(line, qty)| [line.to_string(), qty.to_string()]));
    let mut parts = vec!["refund_part", &id, &restock, reason];
    parts.extend(said.iter().map(String::as_str));
    request_hash(&parts)
}

/// What the audit log says of a refund beside the order: `units 3 delivery amount 500`. `None`: the whole order.
fn refund_detail(scope: &RefundScope) -> Option<String> {
    let RefundScope::Part(part) = scope else { return None };
    let units: i64 = part.lines.iter().map(|(_, qty)| *qty).fold(0, i64::saturating_add);
    let said = [
        (units > 0).then(|| format!("units {units}")),
        part.delivery.then(|| "delivery".to_owned()),
        part.amount.map(|amount| format!("amount {amount}")),
    ];
    Some(said.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

impl Checkout {
    /// Refunds a paid order, or a part of it. With `restock` the units that it gives back are on sale again (or in the variant's stock,
    /// when the offer is closed); without it they are written off.
    pub async fn refund(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        scope: RefundScope,
        restock: bool,
        reason: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        let detail = refund_detail(&scope);
        let outcome = self.refund_order(actor, id, scope, restock, reason, key).await;
        if let Ok(result) = &outcome
            && !result.is_replay
        {
            self.audit.record_audit_entry(AuditEntry {
                subject: Some(id.to_string()),
                detail,
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
        scope: RefundScope,
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
        let hash = refund_hash(id, &scope, restock, &reason_text);
        let new = NewRefund { order: order.id, by: actor.user.clone(), key, hash, scope, restock, reason };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let refund = this.context.store.begin_refund(&new).await?;
                let replayed = refund.status != RefundStatus::Pending;
                let refund = if replayed { refund } else { this.settle_refund(refund).await? };
                match refund.status {
                    // The provider has accepted it; the bank may take days.
                    RefundStatus::Pending if refund.reference.is_none() => Err(Error::OutcomeUnknown),
                    RefundStatus::Done | RefundStatus::Pending => {
                        let order = this.context.store.order(new.order).await?.ok_or(Refusal::NoSuchOrder)?;
                        Ok(OrderResult { order: this.catalogue.order_view(&order).await, is_replay: replayed })
                    }
                    RefundStatus::Failed => Err(Refusal::RefundFailed.into()),
                }
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Refuses to refund a paid order whose provider is off here: nobody could give the money back.
    async fn check_provider_is_on(&self, order: &Order) -> Result<()> {
        if !order.status.is_or_was_paid() {
            return Ok(());
        }
        match self.context.store.winning_payment(order.id).await? {
            Some(payment) if !payment.is_manual() && !self.is_provider_on(&payment) => Err(Refusal::PaymentsOff.into()),
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

    /// Carries a refund as far as possible: it is looked for under its own key, asked for if the provider does not know it, and noted as
    /// the provider says. The same rule holds for the request, the events and the reconciler, and for refunds that are done: the bank may
    /// send the money back days later.
    pub async fn settle_refund(&self, refund: Refund) -> Result<Refund> {
        let payment = self.context.store.winning_payment(refund.order).await?.ok_or_else(|| {
            tracing::error!(order.id = %refund.order, "a paid order has no payment; it cannot be refunded");
            Error::Unavailable
        })?;
        // Only units come back, or the shop gives the money back as it has received it: there is nobody to ask.
        if refund.amount == 0 || payment.is_manual() {
            if refund.status == RefundStatus::Pending {
                self.note_refund(&refund, RefundStep::Finish).await?;
            }
            return self.reload_refund(&refund).await;
        }
        let provider = self.provider_of(&payment)?;
        let key = refund.idempotency_key();
        let found = match provider.find_refund(&payment, &key, refund.reference.as_deref()).await {
            ProviderOutcome::Done(found) => found,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
        };
        let found = match found {
            None if refund.status == RefundStatus::Pending => {
                match self.request_refund(provider, &payment, &refund).await? {
                    Some(asked) => asked,
                    None => return self.reload_refund(&refund).await,
                }
            }
            // From before references were kept, and made by hand.
            None => return Ok(refund),
            Some(found) => found,
        };
        let step = refund.next_step(found.status);
        // A refund that ends gets its reference with its status: a node that dies in between leaves nothing that waits for the bank.
        if refund.reference.is_none() && step == RefundStep::Keep {
            retry_transient(|| self.context.store.note_refund_reference(&refund, &found.reference)).await?;
        }
        let refund = Refund { reference: Some(found.reference), ..refund };
        self.note_refund(&refund, step).await?;
        self.reload_refund(&refund).await
    }

    async fn reload_refund(&self, refund: &Refund) -> Result<Refund> {
        Ok(self.context.store.refund(refund.order, refund.n).await?.ok_or(Refusal::NoSuchOrder)?)
    }

    /// Asks the provider for a refund that it does not know. `None`: it certainly will not be done, which is noted.
    async fn request_refund(
        &self,
        provider: &PaymentProvider,
        payment: &Payment,
        refund: &Refund,
    ) -> Result<Option<ProviderRefund>> {
        let is_ours = match provider.fetch(payment).await {
            ProviderOutcome::Done(Some(intent)) => {
                payment.matches(&intent, provider.livemode().ok_or(Error::OutcomeUnknown)?)
            }
            ProviderOutcome::Done(None) => false,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
        };
        if !is_ours {
            tracing::error!(order.id = %refund.order, "the provider's payment is not the one we know; it was not refunded");
            // Perhaps the key of another account is set for a while. After that the order must not wait forever.
            if self.context.now() - refund.created_at < UNKNOWN_PAYMENT_PATIENCE_MS {
                return Err(Error::OutcomeUnknown);
            }
            self.note_refund(refund, RefundStep::Fail).await?;
            return Ok(None);
        }
        match provider.refund(payment, refund.amount, refund.idempotency_key()).await {
            ProviderOutcome::Done(asked) => Ok(Some(asked)),
            ProviderOutcome::Refused(why) => {
                let adopted = self.refund_made_by_hand(provider, payment, refund).await?;
                if adopted.is_none() {
                    tracing::warn!(order.id = %refund.order, why, "the provider refused a refund");
                    self.note_refund(refund, RefundStep::Fail).await?;
                }
                Ok(adopted)
            }
            ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// A refund of exactly this amount that somebody made at the provider by hand, and that represents no other refund of the order.
    async fn refund_made_by_hand(
        &self,
        provider: &PaymentProvider,
        payment: &Payment,
        refund: &Refund,
    ) -> Result<Option<ProviderRefund>> {
        let known = self.context.store.refunds_of_order(refund.order).await?;
        let is_taken = |found: &ProviderRefund| {
            known.iter().any(|record| record.refund.reference.as_deref() == Some(found.reference.as_str()))
        };
        match provider.refunds_by_hand(payment).await {
            ProviderOutcome::Done(by_hand) => Ok(by_hand.into_iter().find(|found| {
                found.amount == refund.amount && found.status != ProviderRefundStatus::Failed && !is_taken(found)
            })),
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Writes what became of a refund, once over all nodes.
    async fn note_refund(&self, refund: &Refund, step: RefundStep) -> Result<()> {
        let store = &self.context.store;
        match step {
            RefundStep::Keep => {}
            RefundStep::Finish => {
                if let Some(order) = retry_transient(|| store.finish_refund(refund)).await? {
                    self.context.mail_queued.notify_one();
                    self.billing_due.notify_one();
                    self.publish_refund(&order).await?;
                }
            }
            RefundStep::Fail => {
                if retry_transient(|| store.fail_refund(refund)).await? {
                    tracing::warn!(order.id = %refund.order, refund.n, "a refund has failed; the order can be refunded again");
                }
            }
            RefundStep::Reverse => {
                if retry_transient(|| store.reverse_refund(refund)).await? {
                    increment(&self.context.counters.refunds_failed_later);
                    tracing::error!(
                        order.id = %refund.order, refund.n, refund.amount,
                        "a refund that was done has failed at the bank; give the money back in another way"
                    );
                }
            }
        }
        Ok(())
    }

    /// Looks at the refunds of an order of which the provider has news; one that cannot be settled does not keep others.
    pub(super) async fn check_refunds(&self, order: OrderId) -> Result<()> {
        for refund in self.context.store.live_refunds(order).await? {
            if let Err(error) = self.settle_refund(refund).await {
                tracing::warn!(order.id = %order, error = %error, "a refund could not be settled yet");
            }
        }
        Ok(())
    }
}
