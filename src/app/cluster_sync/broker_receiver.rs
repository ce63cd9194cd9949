//! The loop that receives messages from the broker and passes them to the rooms of this node. There is one for the whole
//! node, so it waits for nothing but the next message: not for a room, not for a viewer, and lookups in the store that a
//! message makes necessary run in the background.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ClusterSync;
use crate::app::catalogue::ended_hold;
use crate::app::publisher::parse_moderator_frame;
use crate::broker::{BrokerEvent, SessionJoined};
use crate::domain::StreamId;
use crate::protocol::{EncodedEvent, Frame, StateChange};
use crate::room::PublishedJoin;

impl ClusterSync {
    /// Receives until `done`.
    pub async fn receive_broker_events(
        self: Arc<Self>,
        mut broker_events: mpsc::Receiver<BrokerEvent>,
        done: CancellationToken,
    ) {
        loop {
            let event = tokio::select! {
                event = broker_events.recv() => event,
                () = done.cancelled() => None,
            };
            match event {
                Some(event) => self.receive(event),
                None => return,
            }
        }
    }

    fn receive(self: &Arc<Self>, event: BrokerEvent) {
        let rooms = &self.publisher.rooms;
        match event {
            BrokerEvent::Events { stream, epoch, first_seq, bodies } => {
                let Some(room) = rooms.get(stream) else { return };
                let count = bodies.len();
                let events: Vec<EncodedEvent> = bodies.into_iter().filter_map(EncodedEvent::from_bytes).collect();
                if events.len() == count {
                    self.apply_remote_events(stream, &events);
                    room.append_events(epoch, first_seq, events);
                } else {
                    // Skipping an event would be a silent gap; the room notices the gap at the next event and resyncs
                    // its viewers.
                    tracing::error!(stream.id = %stream, first_seq, "an event of the log could not be decoded");
                }
            }
            BrokerEvent::Restart { stream, position, recent } => {
                let Some(room) = rooms.get(stream) else { return };
                tracing::info!(
                    stream.id = %stream, epoch = %position.epoch, seq = position.seq, "a room was restarted at a new position"
                );
                self.republish_deletions(stream, &position);
                let recent =
                    recent.into_iter().filter_map(|(seq, body)| Some((seq, EncodedEvent::from_bytes(body)?))).collect();
                room.sync(position, Vec::new(), recent);
                self.stream_cache.refresh_stream(stream);
            }
            BrokerEvent::State { stream, body } => {
                let Some((change, urgent)) = StateChange::from_bytes(&body) else { return };
                self.apply_remote_state(stream, &change);
                self.publisher.set_local_state(stream, change, urgent);
            }
            BrokerEvent::User { user, body } => match parse_moderator_frame(&user, &body) {
                Some((stream, frame)) => rooms.send_to_moderators(stream, &frame),
                None => {
                    if let Some(hold) = ended_hold(&body) {
                        self.catalogue.lapses.record(&user, &hold);
                    }
                    rooms.send_to_user(&user, Frame::from_encoded(body));
                }
            },
            BrokerEvent::Joined { stream, sessions, is_local } => {
                if let Some(room) = rooms.get(stream) {
                    let join = |joined: &SessionJoined| PublishedJoin {
                        session: joined.session_digest,
                        number: joined.join_number,
                        joined_at: joined.joined_at,
                    };
                    room.receive_joins(sessions.iter().map(join).collect(), is_local);
                }
            }
            BrokerEvent::UserFramesLost => self.resend_orders(),
            BrokerEvent::Link { shard, is_up } => self.broker_link_changed(shard, is_up),
        }
    }

    /// Applies other nodes' events to this node's cached copy of the stream.
    fn apply_remote_events(&self, stream: StreamId, events: &[EncodedEvent]) {
        if !self.publisher.broker.is_shared() {
            return;
        }
        if events.iter().any(|event| event.changes_sanctions) {
            self.stream_cache.refresh_stream(stream);
        }
        if let Some(cached) = self.stream_cache.cached_stream(stream).filter(|cached| cached.is_slow_mode()) {
            let authors = events.iter().filter_map(EncodedEvent::author_and_time);
            authors.for_each(|(user, at)| cached.record_remote_message(&user, at));
        }
    }

    /// Applies a state value from another node: our cached copy of the stream may be older.
    fn apply_remote_state(&self, stream: StreamId, change: &StateChange) {
        let cached = self.stream_cache.cached_stream(stream);
        let Some(cached) = cached.filter(|_| self.publisher.broker.is_shared()) else { return };
        match change {
            StateChange::Pin { v, .. }
            | StateChange::Coupon { v, .. }
            | StateChange::Chat { v, .. }
            | StateChange::Stream { v, .. } => {
                if cached.version() < v[1] {
                    self.stream_cache.refresh_stream(stream);
                }
            }
            StateChange::Offer { id, v, .. } => self.catalogue.sold_out_caches.record_version(*id, v[1]),
            StateChange::Likes(likes) => {
                cached.update_likes(*likes);
            }
            StateChange::Reactions { .. } | StateChange::Delayed(_) | StateChange::StockAlerts { .. } => {}
        }
    }

    /// A part of the broker link went down or came up: viewers see that messages are delayed, and what was missed is
    /// read from the store.
    fn broker_link_changed(self: &Arc<Self>, shard: usize, is_up: bool) {
        if is_up {
            self.resend_orders();
        }
        let Self { publisher, stream_cache, .. } = &**self;
        for room in publisher.rooms.all().iter().filter(|room| publisher.broker.shard_of(room.stream) == shard) {
            publisher.update_delayed_state(room);
            if is_up {
                stream_cache.refresh_stream(room.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::broker::StreamPosition;
    use crate::domain::{Event, MessageId};

    /// The room's writer never runs in between, as if it could not keep up.
    #[tokio::test]
    async fn delivery_loop_does_not_wait_for_a_full_room() {
        let (app, _folder) = testing::app().await;
        let (hot, calm) = (StreamId::new(), StreamId::new());
        let rooms = &app.cluster_sync.publisher.rooms;
        for stream in [hot, calm] {
            let position = StreamPosition { epoch: "e1".into(), seq: 0 };
            rooms.open(stream).0.sync(position, Vec::new(), Vec::new());
        }
        let body = EncodedEvent::new(1, &Event::Deleted { id: MessageId::new() }).json;
        let deliver = |stream, first_seq, count: usize| {
            let bodies = vec![body.clone(); count];
            app.cluster_sync.receive(BrokerEvent::Events { stream, epoch: "e1".into(), first_seq, bodies });
        };
        (0..1_000).for_each(|batch| deliver(hot, 1 + batch * 32, 32));
        deliver(calm, 1, 1);
        let dropped = rooms.counters.dropped_events.load(std::sync::atomic::Ordering::Relaxed);
        let load = rooms.load();
        assert_eq!(load.queued_events as u64 + dropped, 32_001, "{dropped} were dropped and counted");
        assert!(load.queued_events_max <= 4_096, "{load:?}");
        assert!(load.queued_events > load.queued_events_max, "the calm room has its event");
    }
}
