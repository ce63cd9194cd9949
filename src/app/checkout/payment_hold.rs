//! The job that makes holds longer while their payment is under way, and sends the new time to their buyers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Checkout;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::payment::{QUEUE_HOLD_MS, REQUEST_MARGIN_MS};
use crate::domain::{Millis, OrderId};
use crate::protocol::OrderView;

const INTERVAL: Duration = Duration::from_secs(2);
/// A hold is made longer when it ends within this time: several runs of the job may fail before it ends.
const EXTENDED_BEFORE_END_MS: Millis = 20_000;

/// Makes holds longer whose payment waits for its turn, or for the answer of the provider. Every node runs it; a hold that one of them has
/// made longer is not due for the others.
pub struct PaymentHoldJob(pub Arc<Checkout>);

impl BackgroundJob for PaymentHoldJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("payment_holds", INTERVAL, Duration::from_secs(5))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let checkout = self.0.clone();
        // In a task of its own: a transaction must not be cancelled with the job.
        self.0.context.spawn_write(async move { checkout.extend_holds_under_way().await }).await?;
        Ok(NextRun::AfterInterval)
    }
}

impl Checkout {
    /// The most time that a request to authorise a payment takes, and a margin to record its outcome.
    pub fn payment_request_ms(&self) -> Millis {
        let deadline = self.provider.deadline(self.context.settings.provider_deadline);
        // A payment that saves its card may have to wait for its customer first.
        let deadline = deadline + self.provider.customer_deadline();
        deadline.as_millis() as Millis + REQUEST_MARGIN_MS
    }

    /// Makes holds longer that end soon and whose payment is under way.
    pub async fn extend_holds_under_way(&self) -> Result<()> {
        self.extend_holds_in_queue().await?;
        let store = &self.context.store;
        let now = store.now().await?;
        let until = now + self.payment_request_ms().max(EXTENDED_BEFORE_END_MS);
        let called = store.extend_called_holds(now + EXTENDED_BEFORE_END_MS, until).await?;
        self.notify_extended(&called, &HashMap::new()).await
    }

    /// Makes holds longer that end soon, or that have ended and are not released yet, and whose payment waits for its turn.
    pub async fn extend_holds_in_queue(&self) -> Result<()> {
        // Only a node that sends payments keeps their holds: otherwise one that nobody sends would be held forever.
        if self.queue.is_none() || !self.provider.takes_payments() {
            return Ok(());
        }
        let store = &self.context.store;
        let now = store.now().await?;
        let before = now + EXTENDED_BEFORE_END_MS;
        let queued = store.extend_queued_holds(self.provider.name(), before, now + QUEUE_HOLD_MS).await?;
        let places = if queued.is_empty() { HashMap::new() } else { store.payment_places().await? };
        self.notify_extended(&queued, &places).await
    }

    /// Makes the holds of orders longer about which the provider is asked now.
    pub async fn extend_holds_of_sent(&self, orders: Vec<OrderId>) -> Result<()> {
        let store = &self.context.store;
        let until = store.now().await? + self.payment_request_ms();
        let extended = store.extend_holds_of_orders(&orders, until).await?;
        self.notify_extended(&extended, &HashMap::new()).await
    }

    /// Sends the buyers the new ends of their holds, and the places of their payments.
    async fn notify_extended(&self, orders: &[OrderId], places: &HashMap<OrderId, i64>) -> Result<()> {
        // In parts: the orders of a part are in memory at once.
        for part in orders.chunks(500) {
            for order in self.context.store.orders_by_id(part).await? {
                let view = self.catalogue.order_view(&order).await;
                let view = OrderView { payment_place: places.get(&order.id).copied(), ..view };
                self.publisher.send_order_to_buyer(&order.buyer, &view);
            }
        }
        Ok(())
    }
}
