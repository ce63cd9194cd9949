//! One node among many: keeps what it remembers of a show like the others' and the store's, counts viewers with them, and
//! says so when it does not hear them.
//!
//! Whatever a node may have missed, it finds in the store. A show is read again when an event or a value of another node says
//! that it changed, when the room starts over, when the bus is heard again, and, for rooms that are open, within a second of
//! any change of its row: each second one question asks for the versions of all.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::offer::pin_change;
use super::rules::{rules_change, rules_view};
use super::show::Show;
use super::stream::stream_change;
use super::{App, Result};
use crate::domain::{SanctionKind, StreamId};
use crate::protocol::{Close, StateChange};
use crate::room::Room;

const COUNT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_secs(1);
/// Shows read again at once.
pub const REFRESHES_MAX: usize = 4;

impl App {
    /// Reads a show again, beside whatever is going on. Asked for twice while it reads, it reads once more after.
    pub(super) fn refresh(&self, stream: StreamId) {
        let Some(show) = self.known_show(stream) else { return };
        if !show.wants_refresh() {
            return;
        }
        let app = self.clone();
        self.0.tasks.spawn(async move {
            while show.begin_refresh() {
                // A thousand shows at once would take the database from those who buy.
                let _turn = app.0.refreshing.acquire().await;
                if let Err(error) = app.read_again(stream, &show).await {
                    tracing::warn!(stream.id = %stream, error = %error, "a show could not be read again");
                }
            }
        });
    }

    pub(super) async fn read_again(&self, id: StreamId, show: &Arc<Show>) -> Result<()> {
        let Some(stream) = self.store().stream(id).await? else { return Ok(()) };
        let changed = show.sanctions_changed();
        let sanctions = self.store().sanctions(id, self.now()).await?;
        for banned in sanctions.iter().filter(|sanction| sanction.kind == SanctionKind::Ban) {
            self.rooms().close_user(id, &banned.user, Close::Banned);
        }
        let words = self.newer_words(&stream, show).await?;
        if !show.read(&stream, (changed, sanctions), words) {
            self.refresh(id);
        }
        self.send_out(id, show, self.store().revoked_helpers(id, self.now()).await?);
        let epoch = self.epoch();
        self.show_here(id, pin_change(&stream, epoch), false);
        self.show_here(id, rules_change(&rules_view(&stream, epoch)), false);
        self.show_here(id, stream_change(&self.stream_view(&stream), &stream, epoch), false);
        self.show_here(id, StateChange::Likes(show.likes()), false);
        Ok(())
    }

    /// A value another node told: what this one remembers of the show may be older.
    pub(super) fn heed_change(&self, stream: StreamId, change: &StateChange) {
        let Some(show) = self.known_show(stream).filter(|_| self.0.broker.is_shared()) else { return };
        match change {
            StateChange::Pin { v, .. } | StateChange::Chat { v, .. } | StateChange::Stream { v, .. } => {
                if show.version() < v[1] {
                    self.refresh(stream);
                }
            }
            StateChange::Offer { id, v, .. } => self.0.sellers.heed(*id, v[1]),
            StateChange::Likes(likes) => {
                show.heed_likes(*likes);
            }
            StateChange::Delayed(_) | StateChange::Waiting { .. } => {}
        }
    }

    /// A part of the bus was lost or is heard again: viewers are told what waits, and what was missed is read.
    pub(super) fn link_changed(&self, shard: usize, up: bool) {
        if up {
            self.tell_orders_again();
        }
        for room in self.rooms().all().iter().filter(|room| self.0.broker.shard_of(room.stream) == shard) {
            self.show_delay(room);
            if up {
                self.refresh(room.stream);
            }
        }
    }

    pub(super) fn show_delay(&self, room: &Room) {
        let since = (!self.0.broker.is_up(room.stream)).then(|| self.now());
        room.set(StateChange::Delayed(since), true);
    }

    /// Who watches a show, on all nodes as far as is known here.
    pub(super) fn viewers(&self, stream: StreamId) -> u64 {
        self.rooms().get(stream).map_or(0, |room| room.viewers_shown() as u64)
    }
}

/// Writes this node's number of viewers of each show and shows the sum; takes the numbers back at the end.
pub async fn viewers(app: App) {
    if !app.0.broker.is_shared() {
        return;
    }
    let mut counted = HashSet::new();
    loop {
        let last = app.0.stop.is_cancelled();
        count_once(&app, &mut counted, last).await;
        if last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(COUNT) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

async fn count_once(app: &App, counted: &mut HashSet<StreamId>, last: bool) {
    let here = |room: &Arc<Room>| (room.stream, if last { 0 } else { room.viewers() as u64 });
    let mut numbers: Vec<(StreamId, u64)> = app.rooms().all().iter().map(here).collect();
    let open: HashSet<StreamId> = numbers.iter().map(|(stream, _)| *stream).collect();
    // A room that was closed since: its number goes too.
    numbers.extend(counted.difference(&open).map(|stream| (*stream, 0)));
    *counted = open;
    for (stream, elsewhere) in app.0.broker.count_viewers(numbers).await {
        if let Some(room) = app.rooms().get(stream) {
            room.set_elsewhere(elsewhere);
        }
    }
}

/// Finds out within a second what no event told: changes of shows that are open here.
pub async fn shows(app: App) {
    if !app.0.broker.is_shared() {
        return;
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = app.0.stop.cancelled() => return,
        }
        let open: Vec<StreamId> = app.rooms().all().iter().map(|room| room.stream).collect();
        let Ok(versions) = app.store().stream_versions(&open).await else { continue };
        for (stream, version, likes) in versions {
            let Some(show) = app.known_show(stream) else { continue };
            if show.version() < version {
                app.refresh(stream);
            }
            if show.heed_likes(likes) {
                app.show_here(stream, StateChange::Likes(show.likes()), false);
            }
        }
    }
}
