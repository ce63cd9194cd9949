//! A buyer's orders: buy, cancel, look up (payment is in `payment.rs`). A purchase is committed to the database before it
//! is acknowledged; it is a reservation, and stands for an order of its own until it joins others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::Checkout;
use crate::app::catalogue::EndedHold;
use crate::app::counters::count_outcome;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::order::{LINES_PER_ORDER_MAX, request_hash, validate_qty};
use crate::domain::{
    Actor, IdempotencyKey, OfferId, Order, OrderId, OrderQuote, OrderStatus, Permission, Place, PurchaseRequest,
    Refusal, RequestHash, Reservation, ReservationId, ReservationStatus, StreamId, UserId, authorize_by_role,
    check_joinable,
};
use crate::protocol::{OrderView, ReservationView};
use crate::store::{IdempotencyRecord, ReleaseReason};

/// The result of buy.
#[derive(Clone, Debug)]
pub struct PurchaseResult {
    pub reservation: ReservationView,
    /// The order whose line it is, as it is now.
    pub order: OrderView,
    /// The idempotency key was used before, and nothing new was done.
    pub is_replay: bool,
}

/// The result of pay, cancel or refund.
#[derive(Clone, Debug)]
pub struct OrderResult {
    pub order: OrderView,
    /// The idempotency key was used before: this is its order as it is now, and nothing new was done.
    pub is_replay: bool,
}

impl Checkout {
    /// Reserves units. Retries with the same key return the same reservation, forever.
    pub async fn buy(&self, actor: &Actor, offer: OfferId, units: i64, key: IdempotencyKey) -> Result<PurchaseResult> {
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
    ) -> Result<PurchaseResult> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let qty = validate_qty(units)?;
        if let Some(refusal) = self.selling.sold_out_refusal(offer, &actor.user, qty) {
            return Err(refusal.into());
        }
        let (now, person) = (self.context.clock.now(), actor.person());
        self.limits.take_buy(&person, now)?;
        let is_counted = match self.limits.take_hold(&person, now) {
            Ok(()) => true,
            // A retry finds its reservation, also when the buyer may not reserve more now.
            Err(_) if self.context.store.reservation_by_key(&actor.user, &key).await?.is_some() => false,
            Err(refusal) => return Err(refusal.into()),
        };
        self.authorize_purchase(actor, offer, &key).await?;
        self.check_no_pause(actor, offer, &key).await?;
        let request = PurchaseRequest {
            reservation: ReservationId::new(),
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
                let reservation = self.catalogue.reservation_view(&purchase.reservation).await;
                let order = self.order_of_purchase(&purchase.reservation).await?;
                let (order, reservation) = if crate::fault::IS_BUILT_IN && crate::fault::skips_save() {
                    let id = OrderId::new();
                    (OrderView { id, ..order }, ReservationView { id, ..reservation })
                } else {
                    (order, reservation)
                };
                Ok(PurchaseResult { reservation, order, is_replay: purchase.replayed })
            }
            Err(Error::Refused(Refusal::BuyerLimit { per_buyer, .. })) => {
                let orders = self.context.store.counted_reservations(&person, offer).await?;
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
        if self.context.store.reservation_by_key(&actor.user, key).await?.is_some() { Ok(()) } else { Err(refused) }
    }

    /// Refuses new purchases of a buyer whose holds of this offer lapsed again and again. As above, a retry finds its reservation.
    async fn check_no_pause(&self, actor: &Actor, offer: OfferId, key: &IdempotencyKey) -> Result<()> {
        let (now, person) = (self.context.now(), actor.person());
        // Holds of this identity, and those of the one that stands for the person.
        let pause = |user: &UserId| self.catalogue.lapses.pause_ms(user, offer, now);
        let Some(retry_ms) = pause(&actor.user).max(pause(person.user())) else { return Ok(()) };
        if self.context.store.reservation_by_key(&actor.user, key).await?.is_some() {
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

    /// The order of a purchase. Most are in none yet, so nothing is looked up for them.
    async fn order_of_purchase(&self, reservation: &Reservation) -> Result<OrderView> {
        let order = match reservation.order {
            None => Order::from(reservation.clone()),
            Some(order) => self.context.store.order(order).await?.ok_or(Refusal::NoSuchOrder)?,
        };
        Ok(self.catalogue.order_view(&order).await)
    }

    /// Cancels the held lines of an order; their units are on sale again at once. Cancelling twice has no further effect.
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
        let record = IdempotencyRecord { verb: "cancel", key, hash, order: order.id, code: None };
        self.context
            .spawn_write(async move {
                let mut is_changed = false;
                let groups: Vec<_> = lines_by_offer(&order, ReservationStatus::Held).into_iter().collect();
                for (index, (offer, lines)) in groups.iter().enumerate() {
                    // With the last one: a retry after a fault in between must end what is left.
                    let record = (index + 1 == groups.len()).then_some((&buyer, &record));
                    let ended = this.release_reservations(*offer, lines, ReleaseReason::BuyerCancel, record).await?;
                    is_changed |= !ended.is_empty();
                }
                let now = this.context.store.order(order.id).await?.ok_or(Refusal::NoSuchOrder)?;
                if !is_changed && now.status != OrderStatus::Cancelled {
                    now.check_payable()?;
                    return Err(Refusal::Busy { retry_ms: 1_000 }.into());
                }
                Ok(OrderResult { order: this.catalogue.order_view(&now).await, is_replay: !is_changed })
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Makes held reservations of the caller the lines of one order. To do it again changes nothing.
    pub async fn open_order(self: &Arc<Self>, actor: &Actor, ids: &[ReservationId]) -> Result<OrderView> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        // As cheap as a cancellation, and limited together with it.
        self.limits.take_cancel(&actor.person(), self.context.clock.now())?;
        if ids.is_empty() || ids.len() > LINES_PER_ORDER_MAX {
            check_joinable(&[])?;
        }
        let (this, buyer, ids) = (self.clone(), actor.user.clone(), ids.to_vec());
        self.context
            .spawn_write(async move {
                let (order, quote) = match this.openings.open(&buyer, &ids).await? {
                    Some(opened) => opened,
                    None => {
                        let rules = this.context.profile().quote_rules();
                        this.context.store.open_and_quote_order(&buyer, &ids, rules).await?
                    }
                };
                this.notify_order_changed(&order).await;
                this.view_with_quote(&order, quote).await
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// One of the caller's own reservations.
    pub async fn reservation(&self, actor: &Actor, id: ReservationId) -> Result<ReservationView> {
        Ok(self.catalogue.reservation_view(&self.own_reservation(actor, id).await?).await)
    }

    /// Cancels one held reservation of the caller; its order keeps the other lines. Cancelling twice has no further effect.
    pub async fn cancel_reservation(self: &Arc<Self>, actor: &Actor, id: ReservationId) -> Result<ReservationView> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        self.limits.take_cancel(&actor.person(), self.context.clock.now())?;
        let before = self.own_reservation(actor, id).await?;
        if before.status == ReservationStatus::Cancelled {
            return Ok(self.catalogue.reservation_view(&before).await);
        }
        OrderStatus::of_line(&before).check_payable()?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let why = ReleaseReason::BuyerCancel;
                this.release_reservations(before.offer, &[id], why, None).await?;
                let now = this.context.store.reservation(id).await?.ok_or(Refusal::NotYours)?;
                if now.status != ReservationStatus::Cancelled {
                    OrderStatus::of_line(&now).check_payable()?;
                    return Err(Refusal::Busy { retry_ms: 1_000 }.into());
                }
                Ok(this.catalogue.reservation_view(&now).await)
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// The same, as the verb `cancel` does it: gives the order of the reservation. `order`: the order that it must be in.
    pub async fn cancel_line(
        self: &Arc<Self>,
        actor: &Actor,
        order: Option<OrderId>,
        line: ReservationId,
    ) -> Result<OrderResult> {
        if let Some(order) = order
            && !self.own_order(actor, order).await?.lines.iter().any(|known| known.id == line)
        {
            return Err(Refusal::NoSuchOrder.into());
        }
        let is_replay = self.own_reservation(actor, line).await?.status == ReservationStatus::Cancelled;
        self.cancel_reservation(actor, line).await?;
        let order = self.own_order(actor, line).await?;
        Ok(OrderResult { order: self.catalogue.order_view(&order).await, is_replay })
    }

    async fn own_reservation(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let reservation = self.context.store.reservation(id).await?.ok_or(Refusal::NotYours)?;
        if reservation.buyer == actor.user { Ok(reservation) } else { Err(Refusal::NotYours.into()) }
    }

    pub async fn order(&self, actor: &Actor, id: OrderId) -> Result<OrderView> {
        let order = self.own_order(actor, id).await?;
        Ok(self.catalogue.order_view(&order).await)
    }

    pub async fn order_by_key(&self, actor: &Actor, key: &IdempotencyKey) -> Result<OrderView> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let reservation = self.context.store.reservation_by_key(&actor.user, key).await?.ok_or(Refusal::NoSuchOrder)?;
        self.order_of_purchase(&reservation).await
    }

    pub async fn reservation_by_key(&self, actor: &Actor, key: &IdempotencyKey) -> Result<ReservationView> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let reservation = self.context.store.reservation_by_key(&actor.user, key).await?.ok_or(Refusal::NoSuchOrder)?;
        Ok(self.catalogue.reservation_view(&reservation).await)
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

    /// Releases reservations of one offer: ends them, puts their units back on sale and publishes the change.
    pub async fn release_reservations(
        &self,
        offer: OfferId,
        ids: &[ReservationId],
        reason: ReleaseReason,
        record: Option<(&UserId, &IdempotencyRecord)>,
    ) -> Result<Vec<Reservation>> {
        let ended = self.context.store.release_reservations(offer, ids, reason, record).await?;
        self.publish_release(offer, &ended).await?;
        Ok(ended)
    }

    /// Publishes the offer with the units that came back, and notifies the buyers of the reservations that ended.
    pub async fn publish_release(&self, offer: OfferId, ended: &[Reservation]) -> Result<()> {
        let now = self.context.now();
        for hold in ended {
            self.context.counters.record_hold_end(hold, now);
            // A buyer who is connected here gets a frame, which is recorded where it arrives, if the whole order has ended.
            if hold.order.is_some() || !self.publisher.rooms.is_user_connected(&hold.buyer) {
                self.catalogue.lapses.record(&hold.buyer, &EndedHold::of(hold, now));
            }
        }
        if ended.is_empty() {
            return Ok(());
        }
        if let Some(offer) = self.context.store.offer(offer).await? {
            self.catalogue.publish_offer(&offer, false);
            for hold in ended.iter().filter(|hold| hold.order.is_none()) {
                let view = OrderView::of_purchase(hold, Some(&offer), now);
                self.publisher.send_order_to_buyer(&hold.buyer, &view);
            }
        }
        let mut orders: Vec<OrderId> = ended.iter().filter_map(|hold| hold.order).collect();
        orders.sort_unstable();
        orders.dedup();
        if !orders.is_empty() {
            for order in self.context.store.orders_by_id(&orders).await? {
                self.settle_coupon_of(&order).await;
                self.notify_order_changed(&order).await;
            }
        }
        Ok(())
    }

    /// An order with its quote, also while it is held, and with the place of its payment in the queue.
    pub async fn quoted_view(&self, order: &Order) -> Result<OrderView> {
        let quote = self.context.store.quote(order, self.context.profile().quote_rules()).await?;
        self.view_with_quote(order, quote).await
    }

    async fn view_with_quote(&self, order: &Order, quote: Option<OrderQuote>) -> Result<OrderView> {
        let payment_place = match &self.queue {
            Some(_) if order.status == OrderStatus::Held => self.context.store.payment_place(order.id).await?,
            _ => None,
        };
        let (manual_methods, paid_at_once) = self.manual_methods(order).await?;
        Ok(OrderView {
            quote: quote.map(Box::new),
            payment_place,
            manual_methods,
            paid_at_once,
            delivery_problem: self.delivery_problem(order).await?,
            ..self.catalogue.order_view(order).await
        })
    }

    /// Sends the changed order to its buyer on every connection.
    pub async fn notify_order_changed(&self, order: &Order) -> OrderView {
        let view = self.catalogue.order_view(order).await;
        self.publisher.send_order_to_buyer(&order.buyer, &view);
        view
    }
}

/// The lines of an order that have this status, by their offers, ascending.
pub fn lines_by_offer(order: &Order, status: ReservationStatus) -> BTreeMap<OfferId, Vec<ReservationId>> {
    let mut lines: BTreeMap<OfferId, Vec<ReservationId>> = BTreeMap::new();
    for line in order.lines.iter().filter(|line| line.status == status) {
        lines.entry(line.offer).or_default().push(line.id);
    }
    lines
}
