//! What was not told because the bus was away, and must not stay untold: what moderators took from the screens, and what
//! became of people's orders.
//!
//! The store knows both. What a node could not tell itself it tells again each second, for two minutes. What it did not hear
//! it looks up when the bus is heard again, or when a room has to start over without the events that said so.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::{App, Result};
use crate::broker::StreamPosition;
use crate::domain::{Event, Millis, SanctionKind, StreamId, UserId};
use crate::protocol::{EncodedEvent, Frame, server};

const RETRY_INTERVAL: Duration = Duration::from_secs(1);
const RETRY_FOR_MS: Millis = 120_000;
/// Full means hundreds of acts of moderation in one outage. Then the newest is only in the store: who comes in later, or
/// whose room starts over, finds it there.
const PENDING_EVENTS_MAX: usize = 1_024;
/// How far back the talk of a room that starts over is looked through: its viewers are shown the last thirty.
const MESSAGES_CHECKED_MAX: i64 = 100;
/// Buyers asked about at once, and how long ago their orders may have changed: nobody knows how long the bus was not whole.
const BUYERS_BATCH_MAX: usize = 500;
const ORDERS_LOOKBACK_MS: Millis = 3_600_000;
/// Of one buyer, so that one who buys all day is not told more than they can take.
const ORDERS_PER_BUYER_MAX: usize = 20;

/// Events that wait to be told again, the oldest first.
#[derive(Default)]
pub struct PendingDeliveries {
    events: Mutex<VecDeque<PendingEvent>>,
    /// Somebody is about to look for orders.
    is_order_resend_scheduled: AtomicBool,
}

struct PendingEvent {
    stream: StreamId,
    at: Millis,
    event: Event,
}

impl PendingDeliveries {
    fn events(&self) -> MutexGuard<'_, VecDeque<PendingEvent>> {
        self.events.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// `false`: there are too many.
    fn push(&self, waiting: PendingEvent) -> bool {
        let mut events = self.events();
        let fits = events.len() < PENDING_EVENTS_MAX;
        if fits {
            events.push_back(waiting);
        }
        fits
    }

    fn requeue(&self, mut older: VecDeque<PendingEvent>) {
        let mut events = self.events();
        older.append(&mut events);
        older.truncate(PENDING_EVENTS_MAX);
        *events = older;
    }
}

impl App {
    pub(super) fn deliver_later(&self, stream: StreamId, at: Millis, event: &Event) {
        if !self.0.pending_deliveries.push(PendingEvent { stream, at, event: event.clone() }) {
            tracing::warn!(stream.id = %stream, event = event.name(), "too much waits to be told again");
        }
    }

    /// One try at everything that waits. The first failure ends it for that part of the bus, so that order is kept.
    async fn retry_pending_events(&self) {
        let waiting = std::mem::take(&mut *self.0.pending_deliveries.events());
        let (mut away, mut left) = (HashSet::new(), VecDeque::new());
        for untold in waiting {
            let PendingEvent { stream, at, event } = &untold;
            if *at + RETRY_FOR_MS < self.now() || !self.still_applies(*stream, event) {
                continue;
            }
            let shard = self.0.broker.shard_of(*stream);
            if !away.contains(&shard)
                && self.0.broker.publish(*stream, vec![EncodedEvent::new(*at, event).json]).await.is_ok()
            {
                tracing::info!(stream.id = %stream, event = event.name(), what = event.subject(), "told late");
                continue;
            }
            away.insert(shard);
            left.push_back(untold);
        }
        self.0.pending_deliveries.requeue(left);
    }

    /// A sanction may have been lifted or set again while it waited.
    fn still_applies(&self, stream: StreamId, event: &Event) -> bool {
        let Some(show) = self.cached_stream(stream) else { return true };
        let sanctions = show.sanctions(self.now());
        let holds =
            |user: &UserId, kind| sanctions.iter().any(|sanction| sanction.user == *user && sanction.kind == kind);
        match event {
            Event::Muted { user, .. } => holds(user, SanctionKind::Mute),
            Event::Unmuted { user } => !holds(user, SanctionKind::Mute),
            Event::Banned { user, .. } => holds(user, SanctionKind::Ban),
            _ => true,
        }
    }

    /// A room starts over at `place`: among what its viewers are shown may be talk that was taken away by an event that nobody
    /// has any more. It is told to be gone once more, by whichever node finds out first.
    pub(super) fn republish_deletions(&self, stream: StreamId, place: &StreamPosition) {
        let (app, since) = (self.clone(), format!("gone {} {}", place.epoch, place.seq));
        self.0.tasks.spawn(async move {
            let _turn = app.0.refresh_permits.acquire().await;
            if let Err(error) = app.publish_deletions(stream, &since).await {
                tracing::warn!(stream.id = %stream, error = %error, "what is gone from the talk was not looked up");
            }
        });
    }

    async fn publish_deletions(&self, stream: StreamId, since: &str) -> Result<()> {
        // What was said here a moment ago is not in the store yet.
        self.flush_chat().await;
        let now = self.now();
        let banned: HashSet<_> = self
            .store()
            .sanctions(stream, now)
            .await?
            .into_iter()
            .filter(|sanction| sanction.kind == SanctionKind::Ban)
            .map(|sanction| sanction.user)
            .collect();
        let talk = self.store().messages(stream, None, MESSAGES_CHECKED_MAX, true).await?;
        for message in talk.iter().filter(|message| message.deleted || banned.contains(&message.from.id)) {
            let event = Event::Deleted { id: message.id };
            if self.publish_event_once(stream, format!("{since} {}", message.id), &event).await.is_err() {
                self.deliver_later(stream, now, &event);
            }
        }
        Ok(())
    }

    /// Tells those who are connected here how their orders stand: frames about them may have been lost. One who knows it
    /// already sees a version that is not newer. However often it is asked for meanwhile, it is done once more.
    pub(super) fn resend_orders(&self) {
        if self.0.pending_deliveries.is_order_resend_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let app = self.clone();
        self.0.tasks.spawn(async move {
            let _turn = app.0.refresh_permits.acquire().await;
            app.0.pending_deliveries.is_order_resend_scheduled.store(false, Ordering::Release);
            if let Err(error) = app.resend_local_orders().await {
                tracing::warn!(error = %error, "buyers were not told how their orders stand");
            }
        });
    }

    async fn resend_local_orders(&self) -> Result<()> {
        let since = self.now() - ORDERS_LOOKBACK_MS;
        for buyers in self.rooms().connected_users().chunks(BUYERS_BATCH_MAX) {
            let mut told = std::collections::HashMap::new();
            for order in self.store().recent_orders_of(buyers, since).await? {
                let number: &mut usize = told.entry(order.buyer.clone()).or_default();
                *number += 1;
                if *number <= ORDERS_PER_BUYER_MAX {
                    let view = self.order_view(&order).await;
                    self.rooms().send_to_user(&order.buyer, Frame::from_encoded(server::order(&view).into_bytes()));
                }
            }
        }
        Ok(())
    }
}

pub async fn run_pending_deliveries(app: App) {
    loop {
        let last = app.0.stop.is_cancelled();
        if !app.0.pending_deliveries.events().is_empty() {
            app.retry_pending_events().await;
        }
        if last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_INTERVAL) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MessageId;

    fn deleted(at: Millis) -> PendingEvent {
        PendingEvent { stream: StreamId::new(), at, event: Event::Deleted { id: MessageId::new() } }
    }

    #[test]
    fn what_waits_to_be_told_again_is_bounded_and_stays_in_order() {
        let untold = PendingDeliveries::default();
        let taken = (0..2_000).filter(|at| untold.push(deleted(*at))).count();
        assert_eq!(taken, PENDING_EVENTS_MAX);
        let older = std::mem::take(&mut *untold.events());
        assert!(untold.push(deleted(5_000)));
        untold.requeue(older.into_iter().skip(1).collect());
        let ats: Vec<Millis> = untold.events().iter().map(|waiting| waiting.at).collect();
        assert_eq!(
            (ats.len(), ats[0], ats[PENDING_EVENTS_MAX - 2], ats[PENDING_EVENTS_MAX - 1]),
            (PENDING_EVENTS_MAX, 1, 1_023, 5_000)
        );
        untold.requeue((0..10).map(deleted).collect());
        assert_eq!(untold.events().len(), PENDING_EVENTS_MAX, "the newest gives way");
    }

    #[tokio::test]
    async fn what_waits_is_told_while_it_is_true_and_worth_it() {
        let (app, _folder) = super::super::testing::app().await;
        let (stream, user) = (StreamId::new(), UserId::parse("ann").unwrap());
        app.deliver_later(stream, app.now(), &Event::Unmuted { user });
        app.deliver_later(stream, app.now() - RETRY_FOR_MS - 1, &Event::Deleted { id: MessageId::new() });
        app.retry_pending_events().await;
        assert!(app.0.pending_deliveries.events().is_empty());
        let place = app.0.broker.publish(stream, vec!["{}".into()]).await.unwrap();
        assert_eq!(place.seq, 2, "one was told, the other is too old");
    }
}
