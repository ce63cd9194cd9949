//! One node among many: keeps what it remembers of a show like the others' and the store's, counts viewers with them, and
//! says so when it does not hear them.
//!
//! Whatever a node may have missed, it finds in the store. A show is read again when an event or a value of another node says
//! that it changed, when the room starts over, when the bus is heard again, and, for rooms that are open, within a second of
//! any change of its row: each second one question asks for the versions of all.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::cached_stream::CachedStream;
use super::chat_rules::{chat_rules_change, chat_rules_view};
use super::offer::pin_change;
use super::stream::stream_change;
use super::{App, Result};
use crate::domain::{SanctionKind, StreamId};
use crate::protocol::{Close, StateChange};
use crate::room::Room;

const VIEWER_COUNT_INTERVAL: Duration = Duration::from_secs(2);
const STREAM_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Shows read again at once.
pub const CONCURRENT_REFRESHES_MAX: usize = 4;

impl App {
    /// Reads a show again, beside whatever is going on. Asked for twice while it reads, it reads once more after.
    pub(super) fn refresh_stream(&self, stream: StreamId) {
        let Some(show) = self.cached_stream(stream) else { return };
        if !show.request_refresh() {
            return;
        }
        let app = self.clone();
        self.0.tasks.spawn(async move {
            while show.begin_refresh() {
                // A thousand shows at once would take the database from those who buy.
                let _turn = app.0.refresh_permits.acquire().await;
                if let Err(error) = app.reload_stream(stream, &show).await {
                    tracing::warn!(stream.id = %stream, error = %error, "a show could not be read again");
                }
            }
        });
    }

    pub(super) async fn reload_stream(&self, id: StreamId, show: &Arc<CachedStream>) -> Result<()> {
        let Some(stream) = self.store().stream(id).await? else { return Ok(()) };
        let changed = show.sanctions_revision();
        let sanctions = self.store().sanctions(id, self.now()).await?;
        for banned in sanctions.iter().filter(|sanction| sanction.kind == SanctionKind::Ban) {
            self.rooms().close_user(id, &banned.user, Close::Banned);
        }
        let words = self.newer_blocklist(&stream, show).await?;
        if !show.update_from_store(&stream, (changed, sanctions), words) {
            self.refresh_stream(id);
        }
        self.revoke_helpers(id, show, self.store().revoked_helpers(id, self.now()).await?);
        let epoch = self.epoch();
        self.set_local_state(id, pin_change(&stream, epoch), false);
        self.set_local_state(id, chat_rules_change(&chat_rules_view(&stream, epoch)), false);
        self.set_local_state(id, stream_change(&self.stream_view(&stream), &stream, epoch), false);
        self.set_local_state(id, StateChange::Likes(show.likes()), false);
        Ok(())
    }

    /// A value another node told: what this one remembers of the show may be older.
    pub(super) fn apply_remote_state(&self, stream: StreamId, change: &StateChange) {
        let Some(show) = self.cached_stream(stream).filter(|_| self.0.broker.is_shared()) else { return };
        match change {
            StateChange::Pin { v, .. } | StateChange::Chat { v, .. } | StateChange::Stream { v, .. } => {
                if show.version() < v[1] {
                    self.refresh_stream(stream);
                }
            }
            StateChange::Offer { id, v, .. } => self.0.selling_tasks.record_version(*id, v[1]),
            StateChange::Likes(likes) => {
                show.update_likes(*likes);
            }
            StateChange::Delayed(_) | StateChange::StockAlerts { .. } => {}
        }
    }

    /// A part of the bus was lost or is heard again: viewers are told what waits, and what was missed is read.
    pub(super) fn broker_link_changed(&self, shard: usize, up: bool) {
        if up {
            self.resend_orders();
        }
        for room in self.rooms().all().iter().filter(|room| self.0.broker.shard_of(room.stream) == shard) {
            self.update_delayed_state(room);
            if up {
                self.refresh_stream(room.stream);
            }
        }
    }

    pub(super) fn update_delayed_state(&self, room: &Room) {
        let since = (!self.0.broker.is_up(room.stream)).then(|| self.now());
        room.set_state(StateChange::Delayed(since), true);
    }

    /// Who watches a show, on all nodes as far as is known here.
    pub(super) fn viewer_count(&self, stream: StreamId) -> u64 {
        self.rooms().get(stream).map_or(0, |room| room.viewers_shown() as u64)
    }
}

/// Writes this node's number of viewers of each show and shows the sum; takes the numbers back at the end.
pub async fn run_viewer_count(app: App) {
    if !app.0.broker.is_shared() {
        return;
    }
    let mut counted = HashSet::new();
    loop {
        let last = app.0.stop.is_cancelled();
        count_viewers(&app, &mut counted, last).await;
        if last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(VIEWER_COUNT_INTERVAL) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

async fn count_viewers(app: &App, counted: &mut HashSet<StreamId>, last: bool) {
    let here = |room: &Arc<Room>| (room.stream, if last { 0 } else { room.viewers() as u64 });
    let mut numbers: Vec<(StreamId, u64)> = app.rooms().all().iter().map(here).collect();
    let open: HashSet<StreamId> = numbers.iter().map(|(stream, _)| *stream).collect();
    // A room that was closed since: its number goes too.
    numbers.extend(counted.difference(&open).map(|stream| (*stream, 0)));
    *counted = open;
    for (stream, elsewhere) in app.0.broker.sync_presence(numbers).await {
        if let Some(room) = app.rooms().get(stream) {
            room.set_remote_viewers(elsewhere);
        }
    }
}

/// Finds out within a second what no event told: changes of shows that are open here.
pub async fn run_stream_poll(app: App) {
    if !app.0.broker.is_shared() {
        return;
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(STREAM_POLL_INTERVAL) => {}
            () = app.0.stop.cancelled() => return,
        }
        let open: Vec<StreamId> = app.rooms().all().iter().map(|room| room.stream).collect();
        let Ok(versions) = app.store().stream_versions(&open).await else { continue };
        for (stream, version, likes) in versions {
            let Some(show) = app.cached_stream(stream) else { continue };
            if show.version() < version {
                app.refresh_stream(stream);
            }
            if show.update_likes(likes) {
                app.set_local_state(stream, StateChange::Likes(show.likes()), false);
            }
        }
    }
}
