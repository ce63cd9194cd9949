//! What a buyer does: buy, cancel, look (and pay, in `payment.rs`). An acknowledged order is in the database before this says so.

use std::time::Instant;

use super::tally::answered;
use super::{App, Error, Result};
use crate::domain::order::{qty, request_hash};
use crate::domain::{
    Action, Actor, Ask, Key, OfferId, Order, OrderId, OrderStatus, Refusal, RequestHash, StreamId, UserId,
};
use crate::protocol::OrderView;
use crate::store::{Answer, Release};

/// An answer to buy, pay, cancel or refund.
#[derive(Clone, Debug)]
pub struct Bought {
    pub order: OrderView,
    /// The key was used before: this is its order as it is now, nothing new was done.
    pub replayed: bool,
}

/// A fault in the middle of a verb that has a key: it may be done all the same, and the key finds out.
pub(super) fn unknown(error: Error) -> Error {
    if error == Error::Unavailable { Error::OutcomeUnknown } else { error }
}

impl App {
    /// Holds units. Retries with the same key give the same order, for ever.
    pub async fn buy(&self, actor: &Actor, offer: OfferId, units: i64, key: Key) -> Result<Bought> {
        let answer = self.hold_units(actor, offer, units, key).await;
        answered(&self.tally().buys, &answer, |bought| if bought.replayed { "replayed" } else { "held" });
        answer
    }

    async fn hold_units(&self, actor: &Actor, offer: OfferId, units: i64, key: Key) -> Result<Bought> {
        actor.may(Action::Buy, None)?;
        let qty = qty(units)?;
        if let Some(refusal) = self.fast_no(offer, &actor.user, qty) {
            return Err(refusal.into());
        }
        self.admits(actor, offer, &key).await?;
        let ask = Ask {
            order: OrderId::new(),
            buyer: actor.user.clone(),
            buyer_name: actor.name.as_str().to_owned(),
            hash: request_hash(&["buy", &offer.to_string(), &qty.to_string()]),
            key,
            qty,
        };
        let asked = Instant::now();
        let told = self.sell(offer, ask).await;
        self.tally().buy.add(asked.elapsed());
        match told {
            Ok(answered) => {
                let order = self.order_view(&answered.order).await;
                #[cfg(feature = "planted-fault")]
                let order = if crate::fault::unsaved() { OrderView { id: OrderId::new(), ..order } } else { order };
                Ok(Bought { order, replayed: answered.replayed })
            }
            Err(Error::Refused(Refusal::BuyerLimit { per_buyer, .. })) => {
                let orders = self.store().orders_counting(&actor.user, offer).await?;
                Err(Refusal::BuyerLimit { per_buyer, orders }.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses new purchases of whoever is banned from the offer's show. What they bought before is theirs: a retry
    /// finds it, and it may be paid and cancelled.
    async fn admits(&self, actor: &Actor, offer: OfferId, key: &Key) -> Result<()> {
        let card = self.card(offer).await?;
        let banned = self.find_show(card.stream).await?.refuses(actor, self.now()) == Some(Refusal::Banned);
        if banned && self.store().order_by_key(&actor.user, key).await?.is_none() {
            return Err(Refusal::Banned.into());
        }
        Ok(())
    }

    /// Gives a held order up; its units are on sale again at once. Twice is once.
    pub async fn cancel(&self, actor: &Actor, id: OrderId, key: Key) -> Result<Bought> {
        let order = self.own_order(actor, id).await?;
        let hash = request_hash(&["cancel", &id.to_string()]);
        if let Some(answer) = self.cancelled_before(&actor.user, &key, hash).await? {
            return Ok(answer);
        }
        match order.status {
            OrderStatus::Cancelled => return Ok(Bought { order: self.order_view(&order).await, replayed: true }),
            _ => order.payable()?,
        }
        let (app, buyer) = (self.clone(), actor.user.clone());
        let answer = Answer { verb: "cancel", key, hash, order: id, code: None };
        self.write(async move {
            let ended = app.release(order.offer, &[id], Release::BuyerCancel, Some((&buyer, &answer))).await?;
            let Some(ended) = ended.into_iter().next() else {
                let now = app.store().order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                if now.status == OrderStatus::Cancelled {
                    return Ok(Bought { order: app.order_view(&now).await, replayed: true });
                }
                now.payable()?;
                return Err(Refusal::Busy { retry_ms: 1_000 }.into());
            };
            Ok(Bought { order: app.order_view(&ended).await, replayed: false })
        })
        .await
        .map_err(unknown)
    }

    pub async fn order(&self, actor: &Actor, id: OrderId) -> Result<OrderView> {
        let order = self.own_order(actor, id).await?;
        Ok(self.order_view(&order).await)
    }

    pub async fn order_by_key(&self, actor: &Actor, key: &Key) -> Result<OrderView> {
        actor.may(Action::Buy, None)?;
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
        actor.may(Action::Buy, None)?;
        let orders = self.store().orders_of(&actor.user, stream, after, limit).await?;
        let mut views = Vec::with_capacity(orders.len());
        for order in &orders {
            views.push(self.order_view(order).await);
        }
        Ok(views)
    }

    pub(super) async fn own_order(&self, actor: &Actor, id: OrderId) -> Result<Order> {
        actor.may(Action::Buy, None)?;
        let order = self.store().order(id).await?.ok_or(Refusal::NotYours)?;
        if order.buyer == actor.user { Ok(order) } else { Err(Refusal::NotYours.into()) }
    }

    /// What this key of `cancel` was answered before, if it was.
    async fn cancelled_before(&self, buyer: &UserId, key: &Key, hash: RequestHash) -> Result<Option<Bought>> {
        let Some((stored, order, _)) = self.store().answered(buyer, "cancel", key).await? else { return Ok(None) };
        if stored != hash {
            return Err(Refusal::KeyReused.into());
        }
        let order = self.store().order(order).await?.ok_or(Refusal::NoSuchOrder)?;
        Ok(Some(Bought { order: self.order_view(&order).await, replayed: true }))
    }

    /// Ends orders, puts their units back on sale and tells everybody.
    pub(super) async fn release(
        &self,
        offer: OfferId,
        ids: &[OrderId],
        why: Release,
        answer: Option<(&UserId, &Answer)>,
    ) -> Result<Vec<Order>> {
        let ended = self.store().release(offer, ids, why, answer).await?;
        self.tell_released(offer, &ended).await?;
        Ok(ended)
    }

    /// Shows the units that came back, and tells the buyers of orders that ended.
    pub(super) async fn tell_released(&self, offer: OfferId, ended: &[Order]) -> Result<()> {
        let now = self.now();
        ended.iter().for_each(|order| self.tally().hold_ended(order, now));
        if let Some(offer) = self.store().offer(offer).await?
            && !ended.is_empty()
        {
            self.show_offer(&offer, false).await;
            for order in ended {
                self.tell_buyer(order, &OrderView::of(order, Some(&offer), now));
            }
        }
        Ok(())
    }

    /// Tells the buyer, on all their screens.
    pub(super) async fn order_changed(&self, order: &Order) -> OrderView {
        let view = self.order_view(order).await;
        self.tell_buyer(order, &view);
        view
    }

    /// An order in the words of its offer. The words are decoration: without them the order still stands.
    pub(super) async fn order_view(&self, order: &Order) -> OrderView {
        let card = self.card(order.offer).await.ok();
        OrderView::of(order, card.as_deref(), self.now())
    }
}
