//! The one loop that hears: from the broker to the rooms of this node.

use tokio::sync::mpsc;

use super::App;
use crate::broker::Delivery;
use crate::protocol::{Frame, Logged, StateChange};

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
}

async fn deliver(app: &App, delivery: Delivery) {
    match delivery {
        Delivery::Log { stream, epoch, first, bodies } => {
            let Some(room) = app.rooms().get(stream) else { return };
            let count = bodies.len();
            let events: Vec<Logged> = bodies.into_iter().filter_map(Logged::from_bytes).collect();
            if events.len() == count {
                room.log(&epoch, first, events).await;
            } else {
                // Skipping one would be a silent hole; the room sees the gap at the next event and says so.
                tracing::error!(stream.id = %stream, first, "an event of the log cannot be read");
            }
        }
        Delivery::State { stream, body } => {
            if let (Some(room), Some((change, urgent))) = (app.rooms().get(stream), StateChange::from_bytes(&body)) {
                app.note_on_screen(&change);
                room.set(change, urgent);
            }
        }
        Delivery::Person { user, body } => {
            app.rooms().to_user(&user, Frame::from_encoded(body));
        }
    }
}
