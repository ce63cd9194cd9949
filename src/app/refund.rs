//! Giving money back. The order stays paid until the provider has done it; then its units go where the host said.

use super::order::{Bought, unknown};
use super::payment::insist;
use super::provider::Outcome;
use super::tally::answered;
use super::{App, Error, Result};
use crate::domain::order::request_hash;
use crate::domain::{Action, Actor, DeedKind, Intent, Key, OrderId, Refund, RefundStatus, Refusal};
use crate::store::NewRefund;

/// Of the words a host may leave with a refund, in bytes.
const REASON_MAX: usize = 500;

impl App {
    /// Gives a paid order's money back, all of it. With `restock` its units are on sale again (or in the pool, when the
    /// offer is closed); without they are gone with the goods.
    pub async fn refund(
        &self,
        actor: &Actor,
        id: OrderId,
        restock: bool,
        reason: Option<String>,
        key: Key,
    ) -> Result<Bought> {
        let answer = self.refund_order(actor, id, restock, reason, key).await;
        if let Ok(bought) = &answer
            && !bought.replayed
        {
            self.note(self.deed(actor, bought.order.stream, DeedKind::Refund), &id, None);
        }
        answered(&self.tally().refunds, &answer, |bought| if bought.replayed { "replayed" } else { "refunded" });
        answer
    }

    async fn refund_order(
        &self,
        actor: &Actor,
        id: OrderId,
        restock: bool,
        reason: Option<String>,
        key: Key,
    ) -> Result<Bought> {
        actor.may(Action::Talk, None)?;
        let order = self.store().order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        actor.may(Action::Run, Some(order.stream))?;
        let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.len() > REASON_MAX || text.contains('\0')) {
            return Err(Refusal::bad_request("`reason` is a text of at most 500 bytes").into());
        }
        let words = reason.clone().unwrap_or_default();
        let hash = request_hash(&["refund", &id.to_string(), &restock.to_string(), &words]);
        let new = NewRefund { order: id, by: actor.user.clone(), key, hash, restock, reason };
        let app = self.clone();
        self.write(async move {
            let refund = app.store().begin_refund(&new).await?;
            let replayed = refund.status != RefundStatus::Pending;
            let refund = if replayed { refund } else { app.give_back(refund, None).await? };
            match refund.status {
                RefundStatus::Done => {
                    let order = app.store().order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                    Ok(Bought { order: app.order_view(&order).await, replayed })
                }
                RefundStatus::Failed => Err(Refusal::RefundFailed.into()),
                RefundStatus::Pending => Err(Error::OutcomeUnknown),
            }
        })
        .await
        .map_err(unknown)
    }

    /// Brings a refund as far as it goes. What is known to be given back already is not asked for again.
    pub(super) async fn give_back(&self, refund: Refund, seen: Option<Intent>) -> Result<Refund> {
        let payment = self.store().winning_payment(refund.order).await?.ok_or_else(|| {
            tracing::error!(order.id = %refund.order, "a paid order has no payment; nothing can be given back");
            Error::Unavailable
        })?;
        let provider = self.provider_of(&payment)?;
        let whole = |intent: &Intent| intent.refunded >= refund.amount;
        let seen = match seen {
            Some(seen) => seen,
            None => match provider.fetch(&payment).await {
                Outcome::Done(Some(seen)) => seen,
                _ => return Err(Error::OutcomeUnknown),
            },
        };
        if !payment.is_of(&seen, provider.livemode()) {
            tracing::error!(order.id = %refund.order, "the provider's payment is not the one we know; nothing given back");
            return Err(Error::OutcomeUnknown);
        }
        let done = whole(&seen)
            || match provider.refund(&payment, refund.amount, refund.key()).await {
                Outcome::Done(after) => whole(&after),
                // It may have been given back long ago, under a key the provider has forgotten.
                Outcome::Refused(why) => match provider.fetch(&payment).await {
                    Outcome::Done(Some(now)) if whole(&now) => true,
                    Outcome::Done(_) => {
                        tracing::warn!(order.id = %refund.order, why, "a refund was refused");
                        insist(|| self.store().fail_refund(&refund)).await?;
                        false
                    }
                    _ => return Err(Error::OutcomeUnknown),
                },
                Outcome::Unknown => return Err(Error::OutcomeUnknown),
            };
        if done && let Some(order) = insist(|| self.store().finish_refund(&refund)).await? {
            self.tell_released(order.offer, &[order]).await?;
        }
        Ok(self.store().refund(refund.order, refund.n).await?.ok_or(Refusal::NoSuchOrder)?)
    }
}
