//! Placed orders: the buyer pays in cash on delivery or by bank transfer. The team notes the payment or cancels the order; one that is
//! neither paid nor sent by its date is cancelled by a background job. Which of them is first is decided under the lock of the lines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Checkout;
use super::order::OrderResult;
use crate::app::counters::count_outcome;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::manual_payment::check_buyer;
use crate::domain::order::request_hash;
use crate::domain::{
    Actor, AuditAction, IdempotencyKey, ManualMethod, Millis, Minor, OfferId, Order, OrderId, OrderStatus, Permission,
    Place, Refusal, Reservation, ReservationStatus, authorize_by_role,
};
use crate::protocol::{ManualMethodView, OrderView};
use crate::store::{NewPlacement, OrderEnd, ReceivedPayment};

const INTERVAL: Duration = Duration::from_secs(60);
/// Orders that one run of the job looks at.
const DUE_BATCH_MAX: i64 = 200;
/// The maximum number that the metric counts.
const OVERDUE_COUNTED_MAX: i64 = 10_000;

/// Cancels placed orders that are past their date.
pub struct PlacedOrderJob(pub Arc<Checkout>);

impl BackgroundJob for PlacedOrderJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("placed_orders", INTERVAL, Duration::from_secs(60))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let checkout = self.0.clone();
        // In a task of its own: a transaction must not be cancelled with the job.
        self.0.context.spawn_write(async move { checkout.cancel_overdue_orders().await }).await
    }
}

impl Checkout {
    /// Places a held order that its buyer pays later. The same key again gives the same order, as it is now.
    pub async fn place(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        method: ManualMethod,
        quote_version: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        let outcome = self.place_order(actor, id, method, quote_version, key).await;
        self.excuse_fault(actor, &outcome);
        count_outcome(&self.context.counters.pay_outcomes, &outcome, |result| {
            if result.is_replay { "replayed" } else { "placed" }
        });
        outcome
    }

    async fn place_order(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        method: ManualMethod,
        quote_version: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        self.limits.take_pay(&actor.person(), self.context.clock.now())?;
        let order = self.own_order(actor, id).await?;
        check_buyer(actor)?;
        let order_text = id.to_string();
        let mut said = vec!["place", &order_text, method.name()];
        said.extend(quote_version.as_deref());
        let hash = request_hash(&said);
        let profile = self.context.profile();
        let new = NewPlacement {
            order: order.id,
            buyer: actor.user.clone(),
            person: actor.person(),
            key,
            hash,
            method,
            quote_version,
            rules: profile.quote_rules(),
            market: profile.market.clone(),
            settings: profile.manual_payments.clone(),
        };
        let this = self.clone();
        let run = Box::pin(async move {
            let (order, is_new) = this.context.store.place_order(&new).await?;
            if is_new {
                this.outbox_changed.notify_one();
                this.context.mail_queued.notify_one();
                let now = this.context.now();
                // The hold of a line that expired ended before.
                let placed = order.lines.iter().filter(|line| line.status == ReservationStatus::Placed);
                placed.for_each(|line| this.context.counters.record_hold_end(line, now));
                this.notify_order_changed(&order).await;
            }
            Ok::<_, Error>(OrderResult { order: this.catalogue.order_view(&order).await, is_replay: !is_new })
        });
        self.context.spawn_write(run).await.map_err(as_outcome_unknown)
    }

    /// Notes that the shop has received the payment of a placed order, for those who refund in its show. To say it again changes nothing.
    pub async fn receive_payment(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        amount: Minor,
        paid_at: Option<Millis>,
    ) -> Result<OrderView> {
        let order = self.order_to_settle(actor, id).await?;
        let received = ReceivedPayment { order: order.id, amount, paid_at };
        let (this, actor) = (self.clone(), actor.clone());
        self.context
            .spawn_write(async move {
                let (paid, is_new) = this.context.store.receive_payment(&received).await?;
                if is_new {
                    this.context.mail_queued.notify_one();
                    this.billing_due.notify_one();
                    let detail = Some(format!("amount {amount}"));
                    this.record_order_action(&actor, &paid, AuditAction::MarkPaid, detail);
                    this.notify_order_changed(&paid).await;
                }
                Ok(this.catalogue.order_view(&paid).await)
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Cancels a placed order, for those who refund in its show. With `restock` its units are on sale again (or in the stock, when the
    /// offer is closed); without it they are written off. To cancel it again changes nothing.
    pub async fn cancel_placed(self: &Arc<Self>, actor: &Actor, id: OrderId, restock: bool) -> Result<OrderView> {
        let order = self.order_to_settle(actor, id).await?;
        if order.placement.is_none() {
            return Err(Refusal::WrongStatus("The order is not placed.").into());
        }
        let (this, actor, id) = (self.clone(), actor.clone(), order.id);
        self.context
            .spawn_write(async move {
                let ended = this.context.store.end_order(id, OrderEnd::ShopCancel { restock }).await?;
                let now = this.context.store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                if !ended.is_empty() {
                    this.context.mail_queued.notify_one();
                    let detail = Some(if restock { "restock" } else { "written_off" }.to_owned());
                    this.record_order_action(&actor, &now, AuditAction::CancelOrder, detail);
                    this.publish_ended_order(&ended).await?;
                    return Ok(this.catalogue.order_view(&now).await);
                }
                match now.status {
                    OrderStatus::Cancelled => Ok(this.catalogue.order_view(&now).await),
                    OrderStatus::Paid | OrderStatus::Refunded => {
                        Err(Refusal::WrongStatus("The order is paid. Refund it instead.").into())
                    }
                    _ => Err(Error::OutcomeUnknown),
                }
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// An order whose payment the actor may note.
    async fn order_to_settle(&self, actor: &Actor, id: OrderId) -> Result<Order> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        self.stream_cache.authorize(actor, Permission::ManageStreams, order.stream).await?;
        Ok(order)
    }

    /// Cancels the placed orders that are past their date and were not sent. Several nodes may run it at once: each order ends once.
    pub async fn cancel_overdue_orders(&self) -> Result<NextRun> {
        let store = &self.context.store;
        let now = store.now().await?;
        let due = store.placed_orders_due(now, DUE_BATCH_MAX).await?;
        let mut done = 0;
        for id in &due {
            match store.end_order(*id, OrderEnd::NotPaidInTime).await {
                Ok(ended) if ended.is_empty() => {}
                Ok(ended) => {
                    done += 1;
                    self.context.mail_queued.notify_one();
                    // The order has ended all the same: every node reads it again sooner or later.
                    if let Err(fault) = self.publish_ended_order(&ended).await {
                        tracing::warn!(order.id = %id, error = %fault, "the end of a placed order could not be published");
                    }
                }
                // The others must not wait for this one.
                Err(fault) => {
                    tracing::warn!(order.id = %id, error = %fault, "a placed order past its date could not be cancelled yet");
                }
            }
        }
        let overdue = store.count_placed_orders_due(now, OVERDUE_COUNTED_MAX).await?;
        self.context.counters.placed_orders_overdue.store(overdue.unsigned_abs(), Ordering::Relaxed);
        let is_full = due.len() as i64 >= DUE_BATCH_MAX;
        Ok(if is_full && done > 0 { NextRun::Immediately } else { NextRun::AfterInterval })
    }

    /// Publishes the offers whose units came back, and notifies the buyer.
    pub(super) async fn publish_ended_order(&self, ended: &[Reservation]) -> Result<()> {
        let mut offers: Vec<_> = ended.iter().map(|line| line.offer).collect();
        offers.sort_unstable();
        offers.dedup();
        for offer in offers {
            let of_offer: Vec<Reservation> = ended.iter().filter(|line| line.offer == offer).cloned().collect();
            self.publish_release(offer, &of_offer).await?;
        }
        Ok(())
    }

    /// The ways to pay a held order later, and the offers because of which there are none.
    pub(super) async fn manual_methods(&self, order: &Order) -> Result<(Vec<ManualMethodView>, Vec<OfferId>)> {
        let profile = self.context.profile();
        let settings = &profile.manual_payments;
        // Most shops have none, and need not ask.
        if order.status != OrderStatus::Held || settings.methods(&[]).next().is_none() {
            return Ok((Vec::new(), Vec::new()));
        }
        let offers = self.context.store.pay_later_of_offers(order.id).await?;
        let view = |method| ManualMethodView { method, days: settings.days(method) };
        Ok((settings.methods(&offers).map(view).collect(), settings.paid_at_once(&offers)))
    }
}
