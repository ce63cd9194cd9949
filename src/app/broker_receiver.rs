//! The one loop that hears: from the broker to the rooms of this node. It never waits for the store: what a delivery makes
//! necessary to look up is looked up beside it.

use tokio::sync::mpsc;

use super::{App, audit};
use crate::broker::{BrokerEvent, SessionJoined};
use crate::domain::StreamId;
use crate::protocol::{EncodedEvent, Frame, StateChange};
use crate::room::{Member, StreamPosition};

pub async fn run_broker_receiver(app: App, mut deliveries: mpsc::Receiver<BrokerEvent>) {
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.recv() => delivery,
            () = app.0.all_tasks_done.cancelled() => None,
        };
        match delivery {
            Some(delivery) => handle_delivery(&app, delivery).await,
            None => return,
        }
    }
}

impl App {
    /// The sweeper follows what is on screens until it is shown closed.
    pub(super) fn track_displayed_offer(&self, change: &StateChange) {
        match change {
            StateChange::Offer { id, closed: true, .. } => drop(self.0.displayed_offers.remove(id)),
            StateChange::Offer { id, .. } => drop(self.0.displayed_offers.insert(*id)),
            _ => {}
        }
    }

    /// Somebody took a seat here: their older connections end, wherever they are.
    pub fn publish_join(&self, member: &Member) {
        if let Some(who) = member.session_digest {
            self.0
                .broker
                .publish_join(member.stream(), SessionJoined { session_digest: who, join_number: member.join_number });
        }
    }
}

async fn handle_delivery(app: &App, delivery: BrokerEvent) {
    match delivery {
        BrokerEvent::Events { stream, epoch, first_seq, bodies } => {
            let Some(room) = app.rooms().get(stream) else { return };
            let count = bodies.len();
            let events: Vec<EncodedEvent> = bodies.into_iter().filter_map(EncodedEvent::from_bytes).collect();
            if events.len() == count {
                apply_remote_events(app, stream, &events);
                room.append_events(&epoch, first_seq, events).await;
            } else {
                // Skipping one would be a silent hole; the room sees the gap at the next event and says so.
                tracing::error!(stream.id = %stream, first_seq, "an event of the log cannot be read");
            }
        }
        BrokerEvent::Restart { stream, position: place, recent } => {
            let Some(room) = app.rooms().get(stream) else { return };
            tracing::info!(stream.id = %stream, epoch = %place.epoch, seq = place.seq, "a room starts over");
            app.republish_deletions(stream, &place);
            let StreamPosition { epoch, seq } = place;
            let recent =
                recent.into_iter().filter_map(|(seq, body)| Some((seq, EncodedEvent::from_bytes(body)?))).collect();
            room.sync(StreamPosition { epoch, seq }, Vec::new(), recent);
            app.refresh_stream(stream);
        }
        BrokerEvent::State { stream, body } => {
            let Some((change, urgent)) = StateChange::from_bytes(&body) else { return };
            app.apply_remote_state(stream, &change);
            if let Some(room) = app.rooms().get(stream) {
                app.track_displayed_offer(&change);
                room.set_state(change, urgent);
            }
        }
        BrokerEvent::User { user, body } => match audit::parse_team_frame(&user, &body) {
            Some((stream, frame)) => app.rooms().send_to_moderators(stream, &frame),
            None => drop(app.rooms().send_to_user(&user, Frame::from_encoded(body))),
        },
        BrokerEvent::Joined { stream, sessions, is_local: own } => {
            if let Some(room) = app.rooms().get(stream) {
                room.receive_joins(
                    sessions.iter().map(|joined| (joined.session_digest, joined.join_number)).collect(),
                    own,
                );
            }
        }
        BrokerEvent::UserFramesLost => app.resend_orders(),
        BrokerEvent::Link { shard, is_up: up } => app.broker_link_changed(shard, up),
    }
}

/// What another node's events mean for what this one remembers of the show.
fn apply_remote_events(app: &App, stream: StreamId, events: &[EncodedEvent]) {
    if !app.0.broker.is_shared() {
        return;
    }
    if events.iter().any(|event| event.changes_sanctions) {
        app.refresh_stream(stream);
    }
    if let Some(show) = app.cached_stream(stream).filter(|show| show.is_slow_mode()) {
        events
            .iter()
            .filter_map(EncodedEvent::author_and_time)
            .for_each(|(user, at)| show.record_remote_message(&user, at));
    }
}
