//! The one loop that hears: from the broker to the rooms of this node. It never waits for the store: what a delivery makes
//! necessary to look up is looked up beside it.

use tokio::sync::mpsc;

use super::{App, deed};
use crate::broker::{Delivery, Joined, Place};
use crate::domain::StreamId;
use crate::protocol::{Frame, Logged, StateChange};
use crate::room::{Member, Position};

pub async fn run(app: App, mut deliveries: mpsc::Receiver<Delivery>) {
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.recv() => delivery,
            () = app.0.silent.cancelled() => None,
        };
        match delivery {
            Some(delivery) => deliver(&app, delivery).await,
            None => return,
        }
    }
}

impl App {
    /// The sweeper follows what is on screens until it is shown closed.
    pub(super) fn note_on_screen(&self, change: &StateChange) {
        match change {
            StateChange::Offer { id, closed: true, .. } => drop(self.0.on_screen.remove(id)),
            StateChange::Offer { id, .. } => drop(self.0.on_screen.insert(*id)),
            _ => {}
        }
    }

    /// Somebody took a seat here: their older connections end, wherever they are.
    pub fn joined(&self, member: &Member) {
        if let Some(who) = member.who {
            self.0.broker.joined(member.stream(), Joined { who, number: member.arrival });
        }
    }
}

async fn deliver(app: &App, delivery: Delivery) {
    match delivery {
        Delivery::Log { stream, epoch, first, bodies } => {
            let Some(room) = app.rooms().get(stream) else { return };
            let count = bodies.len();
            let events: Vec<Logged> = bodies.into_iter().filter_map(Logged::from_bytes).collect();
            if events.len() == count {
                heed(app, stream, &events);
                room.log(&epoch, first, events).await;
            } else {
                // Skipping one would be a silent hole; the room sees the gap at the next event and says so.
                tracing::error!(stream.id = %stream, first, "an event of the log cannot be read");
            }
        }
        Delivery::Restart { stream, place, recent } => {
            let Some(room) = app.rooms().get(stream) else { return };
            tracing::info!(stream.id = %stream, epoch = %place.epoch, seq = place.seq, "a room starts over");
            let Place { epoch, seq } = place;
            let recent = recent.into_iter().filter_map(|(seq, body)| Some((seq, Logged::from_bytes(body)?))).collect();
            room.begin(Position { epoch, seq }, Vec::new(), recent);
            app.refresh(stream);
        }
        Delivery::State { stream, body } => {
            let Some((change, urgent)) = StateChange::from_bytes(&body) else { return };
            app.heed_change(stream, &change);
            if let Some(room) = app.rooms().get(stream) {
                app.note_on_screen(&change);
                room.set(change, urgent);
            }
        }
        Delivery::Person { user, body } => match deed::for_team(&user, &body) {
            Some((stream, frame)) => app.rooms().to_team(stream, &frame),
            None => drop(app.rooms().to_user(&user, Frame::from_encoded(body))),
        },
        Delivery::Joined { stream, sessions, own } => {
            if let Some(room) = app.rooms().get(stream) {
                room.hear_arrivals(sessions.iter().map(|joined| (joined.who, joined.number)).collect(), own);
            }
        }
        Delivery::Link { shard, up } => app.link_changed(shard, up),
    }
}

/// What another node's events mean for what this one remembers of the show.
fn heed(app: &App, stream: StreamId, events: &[Logged]) {
    if !app.0.broker.is_shared() {
        return;
    }
    if events.iter().any(|event| event.sanctions) {
        app.refresh(stream);
    }
    if let Some(show) = app.known_show(stream).filter(|show| show.is_slow()) {
        events.iter().filter_map(Logged::said).for_each(|(user, at)| show.heard(&user, at));
    }
}
