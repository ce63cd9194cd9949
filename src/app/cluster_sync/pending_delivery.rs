//! Pending deliveries: events that could not be published because the broker was unavailable, but must reach the
//! viewers: moderation, and changes of buyers' orders.
//!
//! The store knows both. Events of this node that could not be published are retried every second for two minutes. What
//! this node did not receive from others is looked up when the broker link is up again, or when a room has to start
//! over without those events.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ClusterSync;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::app::publisher::PendingEvent;
use crate::broker::StreamPosition;
use crate::domain::{Event, Millis, SanctionKind, StreamId, UserId};
use crate::protocol::{EncodedEvent, Frame, server};

const RETRY_INTERVAL: Duration = Duration::from_secs(1);
const RETRY_FOR_MS: Millis = 120_000;
/// How many messages of a room that starts over are checked; its viewers are shown the last thirty.
const MESSAGES_CHECKED_MAX: i64 = 100;
/// How many buyers are looked up at once, and how long ago their orders may have changed: we do not know how long
/// messages were lost.
const BUYERS_BATCH_MAX: usize = 500;
const ORDERS_LOOKBACK_MS: Millis = 3_600_000;
/// Orders per buyer, so that a frequent buyer does not get more than a connection can take.
const ORDERS_PER_BUYER_MAX: usize = 20;

impl ClusterSync {
    /// Tries once to publish everything that is pending. The first failure stops the retry for that part of the broker,
    /// so that the order is kept.
    async fn retry_pending_events(&self) {
        let events = self.publisher.pending.take_all();
        let (mut unavailable_shards, mut left) = (HashSet::new(), VecDeque::new());
        for pending in events {
            let PendingEvent { stream, at, event } = &pending;
            if *at + RETRY_FOR_MS < self.context.now() || !self.still_applies(*stream, event) {
                continue;
            }
            let shard = self.publisher.broker.shard_of(*stream);
            if !unavailable_shards.contains(&shard)
                && self.publisher.broker.publish(*stream, vec![EncodedEvent::new(*at, event).json]).await.is_ok()
            {
                tracing::info!(stream.id = %stream, event = event.name(), what = event.subject(), "an event was broadcast late");
                continue;
            }
            unavailable_shards.insert(shard);
            left.push_back(pending);
        }
        self.publisher.pending.requeue(left);
    }

    /// A sanction may have been lifted or set again in the meantime.
    fn still_applies(&self, stream: StreamId, event: &Event) -> bool {
        let Some(cached) = self.stream_cache.cached_stream(stream) else { return true };
        let now = self.context.now();
        let has_sanction = |user: &UserId, kind| cached.has_sanction(user, kind, now);
        match event {
            Event::Muted { user, .. } => has_sanction(user, SanctionKind::Mute),
            Event::Unmuted { user } => !has_sanction(user, SanctionKind::Mute),
            Event::Banned { user, .. } => has_sanction(user, SanctionKind::Ban),
            _ => true,
        }
    }

    /// A room starts over at `position`. The messages its viewers see may include some that were deleted by an event
    /// which is lost. The deletions are published again, by whichever node notices first.
    pub fn republish_deletions(self: &Arc<Self>, stream: StreamId, position: &StreamPosition) {
        let (this, since) = (self.clone(), format!("gone {} {}", position.epoch, position.seq));
        self.context.spawn(async move {
            let _permit = this.stream_cache.refresh_permits.acquire().await;
            if let Err(error) = this.publish_deletions(stream, &since).await {
                tracing::warn!(stream.id = %stream, error = %error, "deleted messages could not be published again");
            }
        });
    }

    async fn publish_deletions(&self, stream: StreamId, since: &str) -> Result<()> {
        // Messages posted on this node a moment ago are not in the store yet.
        self.chat.flush().await;
        let now = self.context.now();
        let banned: HashSet<_> = self
            .context
            .store
            .sanctions(stream, now)
            .await?
            .into_iter()
            .filter(|sanction| sanction.kind == SanctionKind::Ban)
            .map(|sanction| sanction.user)
            .collect();
        let messages = self.context.store.messages(stream, None, MESSAGES_CHECKED_MAX, true).await?;
        for message in messages.iter().filter(|message| message.deleted || banned.contains(&message.from.id)) {
            let event = Event::Deleted { id: message.id };
            if self.publisher.publish_event_once(stream, format!("{since} {}", message.id), &event).await.is_err() {
                self.publisher.deliver_later(stream, now, &event);
            }
        }
        Ok(())
    }

    /// Sends the orders of buyers connected here again, because frames about them may have been lost. A client that
    /// knows an order already ignores a version that is not newer. Requests that arrive before the lookup starts are
    /// answered by the same lookup.
    pub fn resend_orders(self: &Arc<Self>) {
        if self.is_order_resend_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        self.context.spawn(async move {
            let _permit = this.stream_cache.refresh_permits.acquire().await;
            this.is_order_resend_scheduled.store(false, Ordering::Release);
            if let Err(error) = this.resend_local_orders().await {
                tracing::warn!(error = %error, "orders could not be sent again to their buyers");
            }
        });
    }

    async fn resend_local_orders(&self) -> Result<()> {
        let since = self.context.now() - ORDERS_LOOKBACK_MS;
        for buyers in self.publisher.rooms.connected_users().chunks(BUYERS_BATCH_MAX) {
            let mut sent = HashMap::new();
            for order in self.context.store.recent_orders_of(buyers, since).await? {
                let orders: &mut usize = sent.entry(order.buyer.clone()).or_default();
                *orders += 1;
                if *orders <= ORDERS_PER_BUYER_MAX {
                    let view = self.catalogue.order_view(&order).await;
                    let frame = Frame::from_encoded(server::order(&view).into_bytes());
                    self.publisher.rooms.send_to_user(&order.buyer, frame);
                }
            }
        }
        Ok(())
    }
}

/// Retries pending events, once more at shutdown.
pub struct PendingDeliveryJob(pub Arc<ClusterSync>);

impl BackgroundJob for PendingDeliveryJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("pending_deliveries", RETRY_INTERVAL, Duration::from_secs(60)).with_run_at_stop()
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.retry_pending_events().await;
        Ok(NextRun::AfterInterval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::domain::MessageId;

    #[tokio::test]
    async fn pending_event_is_published_while_true_and_recent() {
        let (app, _folder) = testing::app().await;
        let (stream, user) = (StreamId::new(), UserId::parse("ann").unwrap());
        let ClusterSync { context, publisher, .. } = &*app.cluster_sync;
        publisher.deliver_later(stream, context.now(), &Event::Unmuted { user });
        let too_old = context.now() - RETRY_FOR_MS - 1;
        publisher.deliver_later(stream, too_old, &Event::Deleted { id: MessageId::new() });
        app.cluster_sync.retry_pending_events().await;
        assert!(publisher.pending.take_all().is_empty());
        let position = publisher.broker.publish(stream, vec!["{}".into()]).await.unwrap();
        assert_eq!(position.seq, 2, "one event was published, the other is too old");
    }
}
