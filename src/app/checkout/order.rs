//! A buyer's orders: buy, cancel, look up (payment is in `payment.rs`). An order is committed to the database before it
//! is acknowledged.

use std::sync::Arc;
use std::time::Instant;

use super::Checkout;
use crate::app::catalogue::EndedHold;
use crate::app::counters::count_outcome;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::order::{request_hash, validate_qty};
use crate::domain::{
    Actor, IdempotencyKey, OfferId, Order, OrderId, OrderStatus, Permission, Place, PurchaseRequest, Refusal,
    RequestHash, StreamId, UserId, authorize_by_role,
};
use crate::protocol::OrderView;
use crate::store::{IdempotencyRecord, ReleaseReason};

/// The result of buy, pay, cancel or refund.
#[derive(Clone, Debug)]
pub struct OrderResult {
    pub order: OrderView,
    /// The idempotency key was used before: this is its order as it is now, and nothing new was done.
    pub is_replay: bool,
}

impl Checkout {
    /// Reserves units. Retries with the same key return the same order, forever.
    pub async fn buy(&self, actor: &Actor, offer: OfferId, units: i64, key: IdempotencyKey) -> Result<OrderResult> {
        let outcome = self.reserve_units(actor, offer, units, key).await;
        self.excuse_fault(actor, &outcome);
        count_outcome(&self.context.counters.buy_outcomes, &outcome, |result| {
            if result.is_replay { "replayed" } else { "held" }
        });
        outcome
    }

    async fn reserve_units(
        &self,
        actor: &Actor,
        offer: OfferId,
        units: i64,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let qty = validate_qty(units)?;
        if let Some(refusal) = self.selling.sold_out_refusal(offer, &actor.user, qty) {
            return Err(refusal.into());
        }
        let (now, person) = (self.context.clock.now(), actor.person());
        self.limits.take_buy(&person, now)?;
        let is_counted = match self.limits.take_hold(&person, now) {
            Ok(()) => true,
            // A retry finds its order, also when the buyer may not reserve more now.
            Err(_) if self.context.store.order_by_key(&actor.user, &key).await?.is_some() => false,
            Err(refusal) => return Err(refusal.into()),
        };
        self.authorize_purchase(actor, offer, &key).await?;
        self.check_no_pause(actor, offer, &key).await?;
        let request = PurchaseRequest {
            order: OrderId::new(),
            buyer: actor.user.clone(),
            person: person.clone(),
            buyer_name: actor.name.as_str().to_owned(),
            hash: request_hash(&["buy", &offer.to_string(), &qty.to_string()]),
            key,
            qty,
        };
        let started = Instant::now();
        let reply = self.selling.purchase(offer, request).await;
        self.context.counters.buy_duration.observe(started.elapsed());
        let reserved_nothing = match &reply {
            Ok(purchase) => purchase.replayed,
            Err(Error::Refused(refusal)) => refusal.is_no_units(),
            Err(_) => false,
        };
        if is_counted && reserved_nothing {
            self.limits.give_back_hold(&person);
        }
        match reply {
            Ok(purchase) => {
                let order = self.catalogue.order_view(&purchase.order).await;
                #[cfg(feature = "fault-injection")]
                let order = if crate::fault::skips_save() { OrderView { id: OrderId::new(), ..order } } else { order };
                Ok(OrderResult { order, is_replay: purchase.replayed })
            }
            Err(Error::Refused(Refusal::BuyerLimit { per_buyer, .. })) => {
                let orders = self.context.store.counted_orders(&person, offer).await?;
                Err(Refusal::BuyerLimit { per_buyer, orders }.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses new purchases of users who are banned from the offer's stream, who joined its team, or for whom the offer is not. Earlier purchases stay
    /// theirs: a retry finds them, and they may be paid and cancelled.
    async fn authorize_purchase(&self, actor: &Actor, offer: OfferId, key: &IdempotencyKey) -> Result<()> {
        let details = self.catalogue.offer_details(offer).await?;
        let refused = match self.stream_cache.authorize(actor, Permission::Buy, details.stream).await {
            Err(refused @ Error::Refused(Refusal::Banned | Refusal::TeamCannotBuy)) => refused,
            Ok(_) => match details.buyers.check(actor) {
                Err(refusal) => refusal.into(),
                Ok(()) => return Ok(()),
            },
            Err(other) => return Err(other),
        };
        if self.context.store.order_by_key(&actor.user, key).await?.is_some() { Ok(()) } else { Err(refused) }
    }

    /// Refuses new purchases of a buyer whose holds of this offer lapsed again and again. As above, a retry finds its order.
    async fn check_no_pause(&self, actor: &Actor, offer: OfferId, key: &IdempotencyKey) -> Result<()> {
        let (now, person) = (self.context.now(), actor.person());
        // Holds of this identity, and those of the one that stands for the person.
        let pause = |user: &UserId| self.catalogue.lapses.pause_ms(user, offer, now);
        let Some(retry_ms) = pause(&actor.user).max(pause(person.user())) else { return Ok(()) };
        if self.context.store.order_by_key(&actor.user, key).await?.is_some() {
            return Ok(());
        }
        self.limits.refused.increment("lapsed_holds");
        Err(Refusal::TooManyHolds { retry_ms }.into())
    }

    /// Remembers that a request failed through our fault: a hold that lapses now does not count against its buyer.
    pub fn excuse_fault<T>(&self, actor: &Actor, outcome: &Result<T>) {
        if matches!(outcome, Err(Error::Unavailable | Error::OutcomeUnknown)) {
            self.catalogue.lapses.record_fault(&actor.user, self.context.now());
        }
    }

    /// Cancels a held order; its units are on sale again at once. Cancelling twice has no further effect.
    pub async fn cancel(self: &Arc<Self>, actor: &Actor, id: OrderId, key: IdempotencyKey) -> Result<OrderResult> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        self.limits.take_cancel(&actor.person(), self.context.clock.now())?;
        let order = self.own_order(actor, id).await?;
        let hash = request_hash(&["cancel", &id.to_string()]);
        if let Some(result) = self.previous_cancellation(&actor.user, &key, hash).await? {
            return Ok(result);
        }
        match order.status {
            OrderStatus::Cancelled => {
                return Ok(OrderResult { order: self.catalogue.order_view(&order).await, is_replay: true });
            }
            _ => order.check_payable()?,
        }
        let (this, buyer) = (self.clone(), actor.user.clone());
        let record = IdempotencyRecord { verb: "cancel", key, hash, order: id, code: None };
        self.context
            .spawn_write(async move {
                let ended = this
                    .release_orders(order.offer, &[id], ReleaseReason::BuyerCancel, Some((&buyer, &record)))
                    .await?;
                let Some(ended) = ended.into_iter().next() else {
                    let now = this.context.store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                    if now.status == OrderStatus::Cancelled {
                        return Ok(OrderResult { order: this.catalogue.order_view(&now).await, is_replay: true });
                    }
                    now.check_payable()?;
                    return Err(Refusal::Busy { retry_ms: 1_000 }.into());
                };
                Ok(OrderResult { order: this.catalogue.order_view(&ended).await, is_replay: false })
            })
            .await
            .map_err(as_outcome_unknown)
    }

    pub async fn order(&self, actor: &Actor, id: OrderId) -> Result<OrderView> {
        let order = self.own_order(actor, id).await?;
        Ok(self.catalogue.order_view(&order).await)
    }

    pub async fn order_by_key(&self, actor: &Actor, key: &IdempotencyKey) -> Result<OrderView> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let order = self.context.store.order_by_key(&actor.user, key).await?.ok_or(Refusal::NoSuchOrder)?;
        Ok(self.catalogue.order_view(&order).await)
    }

    /// The caller's own orders, newest first.
    pub async fn orders(
        &self,
        actor: &Actor,
        stream: Option<StreamId>,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<OrderView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let orders = self.context.store.orders_of_buyer(&actor.user, stream, after, limit).await?;
        let mut views = Vec::with_capacity(orders.len());
        for order in &orders {
            views.push(self.catalogue.order_view(order).await);
        }
        Ok(views)
    }

    pub async fn own_order(&self, actor: &Actor, id: OrderId) -> Result<Order> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NotYours)?;
        if order.buyer == actor.user { Ok(order) } else { Err(Refusal::NotYours.into()) }
    }

    /// The earlier result of this `cancel` key, if there is one.
    async fn previous_cancellation(
        &self,
        buyer: &UserId,
        key: &IdempotencyKey,
        hash: RequestHash,
    ) -> Result<Option<OrderResult>> {
        let Some((stored, order, _)) = self.context.store.find_idempotency_record(buyer, "cancel", key).await? else {
            return Ok(None);
        };
        if stored != hash {
            return Err(Refusal::KeyReused.into());
        }
        let order = self.context.store.order(order).await?.ok_or(Refusal::NoSuchOrder)?;
        Ok(Some(OrderResult { order: self.catalogue.order_view(&order).await, is_replay: true }))
    }

    /// Releases orders: ends them, puts their units back on sale and publishes the change.
    pub async fn release_orders(
        &self,
        offer: OfferId,
        ids: &[OrderId],
        reason: ReleaseReason,
        record: Option<(&UserId, &IdempotencyRecord)>,
    ) -> Result<Vec<Order>> {
        let ended = self.context.store.release_orders(offer, ids, reason, record).await?;
        self.publish_release(offer, &ended).await?;
        Ok(ended)
    }

    /// Publishes the offer with the units that came back, and notifies the buyers of the orders that ended.
    pub async fn publish_release(&self, offer: OfferId, ended: &[Order]) -> Result<()> {
        let now = self.context.now();
        for order in ended {
            self.context.counters.record_hold_end(order, now);
            // A buyer who is connected here gets a frame, which is recorded where it arrives.
            if !self.publisher.rooms.is_user_connected(&order.buyer) {
                self.catalogue.lapses.record(&order.buyer, &EndedHold::of(order, now));
            }
        }
        if let Some(offer) = self.context.store.offer(offer).await?
            && !ended.is_empty()
        {
            self.catalogue.publish_offer(&offer, false);
            for order in ended {
                self.publisher.send_order_to_buyer(order, &OrderView::of(order, Some(&offer), now));
            }
        }
        Ok(())
    }

    /// Sends the changed order to its buyer on every connection.
    pub async fn notify_order_changed(&self, order: &Order) -> OrderView {
        let view = self.catalogue.order_view(order).await;
        self.publisher.send_order_to_buyer(order, &view);
        view
    }
}
