//! Publishes what changed: events and state values to the broker, from where they reach the viewers of every node, and
//! frames to single users.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use dashmap::DashSet;

use super::context::Context;
use super::error::Result;
use crate::broker::{self, Broker};
use crate::domain::{Event, Millis, OfferId, StreamId, UserId};
use crate::protocol::{EncodedEvent, Frame, OrderView, StateChange, server};
use crate::room::{Room, Rooms};

/// A full queue means hundreds of moderation actions in one outage. Then the newest are only in the store: viewers who
/// join later, or whose room starts over, see them from there.
const PENDING_EVENTS_MAX: usize = 1_024;

/// Connections of one signed-in user to this node. A person has a few tabs and devices, and a phone that changes its network
/// may leave one behind each time until it is noticed.
const SOCKETS_PER_USER_MAX: usize = 64;

/// First byte of a frame that goes to a stream's moderators and not to one user. No JSON frame begins with it.
const MODERATOR_FRAME_PREFIX: u8 = b'T';

pub struct Publisher {
    context: Arc<Context>,
    pub broker: Broker,
    pub rooms: Rooms,
    /// The offers that this node's viewers see and that were not shown as closed since.
    pub displayed_offers: DashSet<OfferId>,
    pub pending: PendingEvents,
}

impl Publisher {
    pub fn new(context: &Arc<Context>, broker: Broker) -> Arc<Self> {
        let context = context.clone();
        let sockets_per_user = if context.settings.are_requests_limited { SOCKETS_PER_USER_MAX } else { usize::MAX };
        let rooms = Rooms::with_sockets_per_user(context.clock.clone(), sockets_per_user);
        Arc::new(Self { context, broker, rooms, displayed_offers: DashSet::new(), pending: PendingEvents::default() })
    }

    /// Publishes an event to the stream's log: every viewer gets it, in order.
    pub async fn publish_event(&self, stream: StreamId, event: &Event) -> Result<()> {
        let encoded = EncodedEvent::new(self.context.now(), event);
        self.broker.publish(stream, vec![encoded.json]).await?;
        Ok(())
    }

    /// Publishes an event that several nodes discover independently. It is published once per `idempotency_key`.
    pub async fn publish_event_once(&self, stream: StreamId, idempotency_key: String, event: &Event) -> Result<()> {
        let encoded = EncodedEvent::new(self.context.now(), event);
        self.broker.publish_once(stream, idempotency_key, encoded.json).await?;
        Ok(())
    }

    /// Publishes an event about a change that is committed already, so a failure to publish must not fail the request.
    /// A moderation event that could not be published is kept and retried.
    pub async fn publish_committed_event(&self, stream: StreamId, event: &Event) {
        let Err(error) = self.publish_event(stream, event).await else {
            return tracing::info!(
                stream.id = %stream, event = event.name(), what = event.subject(), "an event was broadcast"
            );
        };
        tracing::warn!(stream.id = %stream, event = event.name(), error = %error, "an event could not be published");
        if event.is_moderation() {
            self.deliver_later(stream, self.context.now(), event);
        }
    }

    /// Keeps an event that could not be published, to be retried.
    pub fn deliver_later(&self, stream: StreamId, at: Millis, event: &Event) {
        if !self.pending.push(PendingEvent { stream, at, event: event.clone() }) {
            tracing::warn!(
                stream.id = %stream, event = event.name(), "the queue of pending events is full; an event was dropped"
            );
        }
    }

    /// Publishes a value of the state lane. A lost value is repaired by the next poll.
    pub fn publish_state(&self, stream: StreamId, change: &StateChange, urgent: bool) {
        let value =
            broker::StateValue { key: change.key_hash(), version: change.version(), body: change.to_bytes(urgent) };
        if let Err(error) = self.broker.publish_state(stream, value) {
            tracing::warn!(stream.id = %stream, error = %error, "a state change could not be published");
        }
    }

    /// Sets a state value for this node's viewers only. Other nodes discover the change on their own.
    pub fn set_local_state(&self, stream: StreamId, change: StateChange, urgent: bool) {
        if let Some(room) = self.rooms.get(stream) {
            self.track_displayed_offer(&change);
            room.set_state(change, urgent);
        }
    }

    /// The offer job follows the offers that viewers see until they are shown as closed.
    pub fn track_displayed_offer(&self, change: &StateChange) {
        match change {
            StateChange::Offer { id, closed: true, .. } => drop(self.displayed_offers.remove(id)),
            StateChange::Offer { id, .. } => drop(self.displayed_offers.insert(*id)),
            _ => {}
        }
    }

    /// Sends a changed order to the buyer on every connection.
    pub fn send_order_to_buyer(&self, buyer: &UserId, view: &OrderView) {
        if let Err(error) = self.send_to_user(buyer.clone(), server::order(view)) {
            tracing::warn!(order.id = %view.id, error = %error, "an order frame could not be sent to its buyer");
        }
    }

    /// Sends a frame to a user on every connection, on every node.
    pub fn send_to_user(&self, user: UserId, frame: Frame) -> Result<()> {
        let is_connected_here = self.rooms.is_user_connected(&user);
        Ok(self.broker.publish_to_user(user, frame.into_bytes(), is_connected_here)?)
    }

    /// Sends a frame to all moderators of a stream, on every node. A moderator who misses one finds the message in the
    /// review queue.
    pub fn send_to_moderators(&self, stream: StreamId, frame: Frame) {
        let frame: Bytes = frame.into_bytes();
        let body = [&[MODERATOR_FRAME_PREFIX][..], &frame].concat();
        let Ok(address) = UserId::parse(&stream.to_string()) else { return };
        if let Err(error) = self.broker.publish_to_user(address, body.into(), self.rooms.has_moderators(stream)) {
            tracing::warn!(
                stream.id = %stream, error = %error, "the moderators were not notified about the review queue"
            );
        }
    }

    /// Viewers of a stream on all nodes, as far as this node knows.
    pub fn viewer_count(&self, stream: StreamId) -> u64 {
        self.rooms.get(stream).map_or(0, |room| room.viewers_shown() as u64)
    }

    /// Shows the room's viewers since when messages are delayed, if the broker link is down.
    pub fn update_delayed_state(&self, room: &Room) {
        let since = (!self.broker.is_up(room.stream)).then(|| self.context.now());
        room.set_state(StateChange::Delayed(since), true);
    }
}

/// The stream and the frame, if this message is for its moderators: then the stream's id replaces the user's id.
pub fn parse_moderator_frame(user: &UserId, body: &Bytes) -> Option<(StreamId, Frame)> {
    let stream = (body.first() == Some(&MODERATOR_FRAME_PREFIX)).then(|| user.as_str().parse().ok())??;
    Some((stream, Frame::from_encoded(body.slice(1..))))
}

/// Moderation events that could not be published because the broker was unavailable, oldest first. They are retried by
/// the cluster sync.
#[derive(Default)]
pub struct PendingEvents(Mutex<VecDeque<PendingEvent>>);

pub struct PendingEvent {
    pub stream: StreamId,
    pub at: Millis,
    pub event: Event,
}

impl PendingEvents {
    fn lock(&self) -> MutexGuard<'_, VecDeque<PendingEvent>> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    pub fn take_all(&self) -> VecDeque<PendingEvent> {
        std::mem::take(&mut *self.lock())
    }

    /// `false` if the queue is full.
    fn push(&self, event: PendingEvent) -> bool {
        let mut events = self.lock();
        let fits = events.len() < PENDING_EVENTS_MAX;
        if fits {
            events.push_back(event);
        }
        fits
    }

    /// Puts events back that still could not be published, in front of the newer ones.
    pub fn requeue(&self, mut older: VecDeque<PendingEvent>) {
        let mut events = self.lock();
        older.append(&mut events);
        older.truncate(PENDING_EVENTS_MAX);
        *events = older;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MessageId;

    fn deletion(at: Millis) -> PendingEvent {
        PendingEvent { stream: StreamId::new(), at, event: Event::Deleted { id: MessageId::new() } }
    }

    #[test]
    fn pending_events_are_bounded_and_stay_in_order() {
        let pending = PendingEvents::default();
        let accepted = (0..2_000).filter(|at| pending.push(deletion(*at))).count();
        assert_eq!(accepted, PENDING_EVENTS_MAX);
        let older = pending.take_all();
        assert!(pending.push(deletion(5_000)));
        pending.requeue(older.into_iter().skip(1).collect());
        let times: Vec<Millis> = pending.lock().iter().map(|pending| pending.at).collect();
        let last = PENDING_EVENTS_MAX - 1;
        assert_eq!((times.len(), times[0], times[last - 1], times[last]), (PENDING_EVENTS_MAX, 1, 1_023, 5_000));
        pending.requeue((0..10).map(deletion).collect());
        assert_eq!(pending.lock().len(), PENDING_EVENTS_MAX, "the newest events are dropped");
    }
}
