//! The outbox: delivers the events that were written together with an order: the purchase note, under the name the buyer
//! chose. The note obeys the blocklist of the show: a name that the chat would not show is left out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;

use super::Checkout;
use crate::app::error::{Error, Result};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{Event, Order, OrderId, Reservation, ReservationStatus};
use crate::metrics::increment;
use crate::store::OutboxEvent;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Outbox events delivered in one run.
const OUTBOX_BATCH_MAX: i64 = 100;

pub struct OutboxJob(pub Arc<Checkout>);

impl BackgroundJob for OutboxJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("outbox", POLL_INTERVAL, Duration::from_secs(10))
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.0.outbox_changed.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.deliver_outbox_batch().await
    }
}

impl Checkout {
    /// The order that an event is about. `None`: there is none, or it cannot be read, today or later; the other events must not wait
    /// for that one.
    async fn order_of_outbox_event(&self, event: &OutboxEvent) -> Result<Option<Order>> {
        let Some(id) = order_id_of(event) else { return Ok(None) };
        match self.context.store.order(id).await {
            Err(fault) if !fault.is_transient() => {
                increment(&self.context.counters.outbox_unreadable);
                tracing::error!(order.id = %id, event.id = %event.id, error = %fault, "an event of the outbox is dropped: its order cannot be read");
                Ok(None)
            }
            read => Ok(read?),
        }
    }

    /// The orders that events are about, read at once. If one of them cannot be read, each is read on its own.
    async fn orders_of_outbox_events(&self, events: &[OutboxEvent]) -> Result<HashMap<OrderId, Order>> {
        let ids: Vec<OrderId> = events.iter().filter_map(order_id_of).collect();
        // The job looks each second, and mostly finds nothing.
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let orders = match self.context.store.orders_by_id(&ids).await {
            Err(fault) if !fault.is_transient() => {
                let mut readable = Vec::new();
                for event in events {
                    readable.extend(self.order_of_outbox_event(event).await?);
                }
                readable
            }
            read => read?,
        };
        Ok(orders.into_iter().map(|order| (order.id, order)).collect())
    }

    async fn deliver_outbox_batch(&self) -> Result<NextRun> {
        let (store, counters) = (&self.context.store, &self.context.counters);
        let events = store.outbox_events(OUTBOX_BATCH_MAX).await?;
        let is_full = events.len() as i64 == OUTBOX_BATCH_MAX;
        let pending = if is_full { store.count_outbox_events().await? } else { events.len() as u64 };
        counters.outbox_pending.store(pending, Ordering::Relaxed);
        counters.outbox_oldest_at.store(events.first().map_or(0, |oldest| oldest.created_at), Ordering::Relaxed);
        let has_more = pending > events.len() as u64;
        let orders = self.orders_of_outbox_events(&events).await?;
        let (mut delivered, mut fault) = (Vec::with_capacity(events.len()), None);
        for event in &events {
            let order = order_id_of(event).and_then(|id| orders.get(&id));
            if let Some(order) = order
                && let Err(error) = self.publish_purchase(order).await
            {
                fault = Some(error);
                break;
            }
            delivered.push(event.id);
        }
        // A fault of one event undoes nothing: those before it are published.
        let deleted = store.delete_outbox_events(&delivered).await?;
        let now = self.context.now();
        for event in events.iter().filter(|event| deleted.contains(&event.id)) {
            counters.outbox_delay.observe_ms(now - event.created_at);
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        if has_more {
            return Ok(NextRun::Immediately);
        }
        counters.outbox_pending.store(0, Ordering::Relaxed);
        counters.outbox_oldest_at.store(0, Ordering::Relaxed);
        Ok(NextRun::AfterInterval)
    }

    /// Publishes to the viewers of the show who bought what.
    async fn publish_purchase(&self, order: &Order) -> Result<()> {
        let context = &self.context;
        let may_show_name = match self.stream_cache.find_stream(order.stream).await {
            Ok(cached) => {
                cached.charge_sale_event(context.now(), context.settings.chat);
                cached.may_show_name(&order.buyer_name)
            }
            Err(Error::Refused(_)) => false,
            Err(fault) => return Err(fault),
        };
        let is_of_staff = context.staff_names().would_confuse(&order.buyer, &order.buyer_name);
        let names = context.settings.purchase_names;
        let name = if may_show_name && !is_of_staff { names.shown(&order.buyer_name) } else { String::new() };
        // Another node may have read the same event, or this node may have published it without marking it as delivered.
        let is_bought =
            |line: &&Reservation| matches!(line.status, ReservationStatus::Placed | ReservationStatus::Sold);
        for line in order.lines.iter().filter(is_bought) {
            let purchased = Event::Purchased { name: name.clone(), qty: line.qty, offer: line.offer };
            self.publisher.publish_event_once(order.stream, format!("paid:{}", line.id), &purchased).await?;
        }
        Ok(())
    }
}

fn order_id_of(event: &OutboxEvent) -> Option<OrderId> {
    matches!(event.topic.as_str(), "order.paid" | "order.placed").then(|| event.body.parse().ok())?
}
