//! Opening a room: what it starts from comes from the broker's history and the store, once per room and node.
//! Those who join and resume after that cost neither.

use std::sync::Arc;

use super::chat_rules::{chat_rules_change, chat_rules_view};
use super::offer::{offer_change, pin_change};
use super::stream::stream_change;
use super::{App, Result};
use crate::broker::StreamHistory;
use crate::domain::{Actor, OfferStatus, Refusal, StreamId};
use crate::protocol::{Close, EncodedEvent, StateChange, ViewerIdentity};
use crate::room::{Member, Room, StreamPosition};

/// What a first joiner sees of the talk before.
const RECENT_EVENTS_MAX: i64 = 30;

impl App {
    /// The stream's room on this node, opened if it was not. Refused: no such stream, or the visitor is banned.
    pub async fn open_room(&self, actor: &Actor, stream: StreamId) -> Result<(Arc<Room>, ViewerIdentity)> {
        let show = self.find_stream(stream).await?;
        if show.is_revoked(&actor.user) {
            return Err(Refusal::TokenInvalid.into());
        }
        let now = self.now();
        let (muted_until, muted_reason) = match show.refusal_for(actor, now) {
            Some(Refusal::Muted { until, .. }) => (Some(until), show.mute_reason(&actor.user)),
            Some(refusal) => return Err(refusal.into()),
            None => (None, None),
        };
        let (room, created) = self.rooms().open(stream);
        if created {
            let app = self.clone();
            let fresh = room.clone();
            self.spawn_write(async move {
                let filled = app.initialize_room(&fresh).await;
                if filled.is_err() {
                    app.rooms().discard(stream);
                    app.0.broker.unsubscribe(stream);
                }
                filled
            })
            .await?;
        }
        let (id, name, role) = (actor.user.clone(), actor.name.as_str().to_owned(), actor.role);
        Ok((room, ViewerIdentity { id, name, role, muted_until, muted_reason }))
    }

    /// What happened in a stream after `position`, where its room does not reach back so far and the broker's history
    /// does. Asked once a connection, and only then: who was away briefly costs nothing.
    pub async fn missed_events(&self, room: &Room, position: &StreamPosition) -> Vec<(u64, EncodedEvent)> {
        if room.can_resume(position) {
            return Vec::new();
        }
        let history = self.0.broker.history_after(room.stream, &position.epoch, position.seq).await;
        history.into_iter().map_while(|(seq, body)| Some((seq, EncodedEvent::from_bytes(body)?))).collect()
    }

    /// Was this member banned since they were let in, or their invite taken back?
    pub fn close_reason(&self, member: &Member) -> Option<Close> {
        let show = self.cached_stream(member.stream())?;
        if show.is_revoked(&member.actor.user) {
            return Some(Close::Token);
        }
        (show.refusal_for(&member.actor, self.now()) == Some(Refusal::Banned)).then_some(Close::Banned)
    }

    /// Position and history first, the store after: what happens in between is in the room's inbox already.
    async fn initialize_room(&self, room: &Room) -> Result<()> {
        let id = room.stream;
        self.flush_chat().await;
        // Without the bus the room opens all the same, in an epoch of its own; it starts over once the bus is heard.
        let nowhere = || StreamPosition { epoch: format!("alone-{}", uuid::Uuid::now_v7().simple()).into(), seq: 0 };
        let opening = self.0.broker.subscribe(id).await;
        let opening = opening.unwrap_or_else(|_| StreamHistory { position: nowhere(), events: Vec::new() });
        let StreamHistory { position: place, events: history } = opening;
        let stream = self.store().stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        let offers = self.store().offers_of_stream(id).await?;
        let messages = self.store().messages(id, None, RECENT_EVENTS_MAX, false).await?;

        let show = self.find_stream(id).await?;
        let words = self.newer_blocklist(&stream, &show).await?;
        let changed = show.sanctions_revision();
        if !show.update_from_store(&stream, (changed, self.store().sanctions(id, self.now()).await?), words) {
            self.refresh_stream(id);
        }
        self.revoke_helpers(id, &show, self.store().revoked_helpers(id, self.now()).await?);
        let mut state = vec![
            stream_change(&self.stream_view(&stream), &stream, self.epoch()),
            pin_change(&stream, self.epoch()),
            chat_rules_change(&chat_rules_view(&stream, self.epoch())),
            StateChange::Likes(show.likes()),
        ];
        let pinned = stream.pin.map(|pin| pin.offer);
        let views = offers.iter().map(|offer| self.offer_view(offer));
        let shown = views.filter(|view| match view.status {
            OfferStatus::Draft => false,
            OfferStatus::Closed => Some(view.id) == pinned,
            _ => true,
        });
        state.extend(shown.map(|view| offer_change(&view)));
        state.iter().for_each(|change| self.track_displayed_offer(change));

        let live: Vec<(u64, EncodedEvent)> =
            history.into_iter().filter_map(|(seq, body)| Some((seq, EncodedEvent::from_bytes(body)?))).collect();
        let mut recent: Vec<(u64, EncodedEvent)> = Vec::new();
        // What was said before this epoch began has no number in it. Told twice is worse than not told: messages
        // that the history has are left to it.
        for message in messages.iter().rev() {
            let is_live = live.iter().any(|(_, logged)| logged.message == Some(message.id));
            if !is_live {
                recent.push((0, EncodedEvent::new(message.at, &message.event())));
            }
        }
        recent.extend(live);
        room.sync(StreamPosition { epoch: place.epoch, seq: place.seq }, state, recent);
        self.update_delayed_state(room);
        Ok(())
    }
}
