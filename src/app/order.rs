//! What a buyer does: buy, cancel, look (and pay, in `payment.rs`). An acknowledged order is in the database before this says so.

use std::time::Instant;

use super::counters::count_outcome;
use super::{App, Error, Result};
use crate::domain::order::{request_hash, validate_qty};
use crate::domain::{
    Actor, IdempotencyKey, OfferId, Order, OrderId, OrderStatus, Permission, PurchaseRequest, Refusal, RequestHash,
    StreamId, UserId,
};
use crate::protocol::OrderView;
use crate::store::{IdempotencyRecord, ReleaseReason};

/// An answer to buy, pay, cancel or refund.
#[derive(Clone, Debug)]
pub struct OrderResult {
    pub order: OrderView,
    /// The key was used before: this is its order as it is now, nothing new was done.
    pub is_replay: bool,
}

/// A fault in the middle of a verb that has a key: it may be done all the same, and the key finds out.
pub(super) fn as_outcome_unknown(error: Error) -> Error {
    if error == Error::Unavailable { Error::OutcomeUnknown } else { error }
}

impl App {
    /// Holds units. Retries with the same key give the same order, for ever.
    pub async fn buy(&self, actor: &Actor, offer: OfferId, units: i64, key: IdempotencyKey) -> Result<OrderResult> {
        let answer = self.reserve_units(actor, offer, units, key).await;
        count_outcome(
            &self.counters().buy_outcomes,
            &answer,
            |bought| if bought.is_replay { "replayed" } else { "held" },
        );
        answer
    }

    async fn reserve_units(
        &self,
        actor: &Actor,
        offer: OfferId,
        units: i64,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        actor.authorize(Permission::Buy, None)?;
        let qty = validate_qty(units)?;
        if let Some(refusal) = self.sold_out_refusal(offer, &actor.user, qty) {
            return Err(refusal.into());
        }
        self.check_not_banned(actor, offer, &key).await?;
        let ask = PurchaseRequest {
            order: OrderId::new(),
            buyer: actor.user.clone(),
            buyer_name: actor.name.as_str().to_owned(),
            hash: request_hash(&["buy", &offer.to_string(), &qty.to_string()]),
            key,
            qty,
        };
        let asked = Instant::now();
        let told = self.purchase(offer, ask).await;
        self.counters().buy.observe(asked.elapsed());
        match told {
            Ok(answered) => {
                let order = self.order_view(&answered.order).await;
                #[cfg(feature = "fault-injection")]
                let order = if crate::fault::skips_save() { OrderView { id: OrderId::new(), ..order } } else { order };
                Ok(OrderResult { order, is_replay: answered.replayed })
            }
            Err(Error::Refused(Refusal::BuyerLimit { per_buyer, .. })) => {
                let orders = self.store().counted_orders(&actor.user, offer).await?;
                Err(Refusal::BuyerLimit { per_buyer, orders }.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses new purchases of whoever is banned from the offer's show. What they bought before is theirs: a retry
    /// finds it, and it may be paid and cancelled.
    async fn check_not_banned(&self, actor: &Actor, offer: OfferId, key: &IdempotencyKey) -> Result<()> {
        let card = self.offer_details(offer).await?;
        let banned = self.find_stream(card.stream).await?.refusal_for(actor, self.now()) == Some(Refusal::Banned);
        if banned && self.store().order_by_key(&actor.user, key).await?.is_none() {
            return Err(Refusal::Banned.into());
        }
        Ok(())
    }

    /// Gives a held order up; its units are on sale again at once. Twice is once.
    pub async fn cancel(&self, actor: &Actor, id: OrderId, key: IdempotencyKey) -> Result<OrderResult> {
        let order = self.own_order(actor, id).await?;
        let hash = request_hash(&["cancel", &id.to_string()]);
        if let Some(answer) = self.previous_cancellation(&actor.user, &key, hash).await? {
            return Ok(answer);
        }
        match order.status {
            OrderStatus::Cancelled => return Ok(OrderResult { order: self.order_view(&order).await, is_replay: true }),
            _ => order.check_payable()?,
        }
        let (app, buyer) = (self.clone(), actor.user.clone());
        let answer = IdempotencyRecord { verb: "cancel", key, hash, order: id, code: None };
        self.spawn_write(async move {
            let ended =
                app.release_orders(order.offer, &[id], ReleaseReason::BuyerCancel, Some((&buyer, &answer))).await?;
            let Some(ended) = ended.into_iter().next() else {
                let now = app.store().order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                if now.status == OrderStatus::Cancelled {
                    return Ok(OrderResult { order: app.order_view(&now).await, is_replay: true });
                }
                now.check_payable()?;
                return Err(Refusal::Busy { retry_ms: 1_000 }.into());
            };
            Ok(OrderResult { order: app.order_view(&ended).await, is_replay: false })
        })
        .await
        .map_err(as_outcome_unknown)
    }

    pub async fn order(&self, actor: &Actor, id: OrderId) -> Result<OrderView> {
        let order = self.own_order(actor, id).await?;
        Ok(self.order_view(&order).await)
    }

    pub async fn order_by_key(&self, actor: &Actor, key: &IdempotencyKey) -> Result<OrderView> {
        actor.authorize(Permission::Buy, None)?;
        let order = self.store().order_by_key(&actor.user, key).await?.ok_or(Refusal::NoSuchOrder)?;
        Ok(self.order_view(&order).await)
    }

    /// The actor's own orders, newest first.
    pub async fn orders(
        &self,
        actor: &Actor,
        stream: Option<StreamId>,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<OrderView>> {
        actor.authorize(Permission::Buy, None)?;
        let orders = self.store().orders_of_buyer(&actor.user, stream, after, limit).await?;
        let mut views = Vec::with_capacity(orders.len());
        for order in &orders {
            views.push(self.order_view(order).await);
        }
        Ok(views)
    }

    pub(super) async fn own_order(&self, actor: &Actor, id: OrderId) -> Result<Order> {
        actor.authorize(Permission::Buy, None)?;
        let order = self.store().order(id).await?.ok_or(Refusal::NotYours)?;
        if order.buyer == actor.user { Ok(order) } else { Err(Refusal::NotYours.into()) }
    }

    /// What this key of `cancel` was answered before, if it was.
    async fn previous_cancellation(
        &self,
        buyer: &UserId,
        key: &IdempotencyKey,
        hash: RequestHash,
    ) -> Result<Option<OrderResult>> {
        let Some((stored, order, _)) = self.store().find_idempotency_record(buyer, "cancel", key).await? else {
            return Ok(None);
        };
        if stored != hash {
            return Err(Refusal::KeyReused.into());
        }
        let order = self.store().order(order).await?.ok_or(Refusal::NoSuchOrder)?;
        Ok(Some(OrderResult { order: self.order_view(&order).await, is_replay: true }))
    }

    /// Ends orders, puts their units back on sale and tells everybody.
    pub(super) async fn release_orders(
        &self,
        offer: OfferId,
        ids: &[OrderId],
        why: ReleaseReason,
        answer: Option<(&UserId, &IdempotencyRecord)>,
    ) -> Result<Vec<Order>> {
        let ended = self.store().release_orders(offer, ids, why, answer).await?;
        self.publish_release(offer, &ended).await?;
        Ok(ended)
    }

    /// Shows the units that came back, and tells the buyers of orders that ended.
    pub(super) async fn publish_release(&self, offer: OfferId, ended: &[Order]) -> Result<()> {
        let now = self.now();
        ended.iter().for_each(|order| self.counters().record_hold_end(order, now));
        if let Some(offer) = self.store().offer(offer).await?
            && !ended.is_empty()
        {
            self.publish_offer(&offer, false).await;
            for order in ended {
                self.send_order_to_buyer(order, &OrderView::of(order, Some(&offer), now));
            }
        }
        Ok(())
    }

    /// Tells the buyer, on all their screens.
    pub(super) async fn notify_order_changed(&self, order: &Order) -> OrderView {
        let view = self.order_view(order).await;
        self.send_order_to_buyer(order, &view);
        view
    }

    /// An order in the words of its offer. The words are decoration: without them the order still stands.
    pub(super) async fn order_view(&self, order: &Order) -> OrderView {
        let card = self.offer_details(order.offer).await.ok();
        OrderView::of(order, card.as_deref(), self.now())
    }
}
