//! Opening a room: its first events and state come from the broker's history and the store, once per room and node.
//! Viewers who join or resume after that cost neither.

use std::sync::Arc;
use std::time::Duration;

use super::Streams;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::app::state_changes::{
    chat_rules_change, chat_rules_view, coupon_change, offer_change, pin_change, stream_change,
};
use crate::broker::{SessionJoined, StreamHistory, StreamPosition};
use crate::domain::{Actor, OfferStatus, Permission, Place, Refusal, StreamId};
use crate::protocol::{Close, EncodedEvent, StateChange, ViewerIdentity};
use crate::room::{Member, Room};

/// How many past events a viewer sees on the first join.
const RECENT_EVENTS_MAX: i64 = 30;

impl Streams {
    /// The stream's room on this node, opened if needed. Refused if there is no such stream or the visitor is banned.
    pub async fn open_room(self: &Arc<Self>, actor: &Actor, stream: StreamId) -> Result<(Arc<Room>, ViewerIdentity)> {
        let cached = self.stream_cache.authorize(actor, Permission::Watch, stream).await?;
        let standing = cached.standing(actor, self.context.now());
        let muted_until = standing.muted_until(actor.role_in(Place::Stream(stream)));
        let muted_reason = muted_until.and_then(|_| cached.mute_reason(&actor.user));
        let (room, created) = self.publisher.rooms.open(stream);
        if created {
            let this = self.clone();
            let new_room = room.clone();
            self.context
                .spawn_write(async move {
                    let initialized = this.initialize_room(&new_room).await;
                    if initialized.is_err() {
                        this.publisher.rooms.discard(stream);
                        this.publisher.broker.unsubscribe(stream);
                    }
                    initialized
                })
                .await?;
        }
        let (id, name, role) = (actor.user.clone(), actor.name.as_str().to_owned(), actor.role);
        Ok((room, ViewerIdentity { id, name, role, muted_until, muted_reason }))
    }

    /// The events of a stream after `position`, where the room's buffer does not reach back that far but the broker's
    /// history does. Asked only once per connection and only in that case, so a short absence costs nothing.
    pub async fn missed_events(&self, room: &Room, position: &StreamPosition) -> Vec<(u64, EncodedEvent)> {
        // A client from another epoch cannot resume. A room that has not begun reads the newest history itself.
        if room.can_resume(position) || room.is_in_epoch(&position.epoch) != Some(true) {
            return Vec::new();
        }
        let history = self.history_reads.read(&self.publisher.broker, room.stream, position).await;
        history.iter().cloned().map_while(|(seq, body)| Some((seq, EncodedEvent::from_bytes(body)?))).collect()
    }

    /// A session joined here: its older connections end, on whichever node they are.
    pub fn publish_join(&self, member: &Member) {
        if let Some(session_digest) = member.session_digest {
            let joined = SessionJoined { session_digest, join_number: member.join_number, joined_at: member.joined_at };
            self.publisher.broker.publish_join(member.stream(), joined);
        }
    }

    /// Why this member's connection must be closed: banned since joining, or the invite was revoked.
    pub fn close_reason(&self, member: &Member) -> Option<Close> {
        if self.context.revoked_tokens.contains(&member.actor) {
            return Some(Close::Token);
        }
        let own = member.actor.stream.and_then(|own| self.stream_cache.cached_stream(own));
        if own.is_some_and(|own| own.is_revoked(&member.actor.user)) {
            return Some(Close::Token);
        }
        let cached = self.stream_cache.cached_stream(member.stream())?;
        match cached.authorize(&member.actor, Permission::Watch, self.context.now()) {
            Ok(()) => None,
            Err(Refusal::TokenInvalid) => Some(Close::Token),
            Err(_) => Some(Close::Banned),
        }
    }

    /// The position and history are read first, the store after them: what happens in between is in the room's inbox
    /// already.
    async fn initialize_room(&self, room: &Room) -> Result<()> {
        let id = room.stream;
        self.chat.flush().await;
        // Without the broker the room opens anyway, in an epoch of its own; it starts over once the broker link
        // is up.
        let own_epoch = || StreamPosition { epoch: format!("alone-{}", uuid::Uuid::now_v7().simple()).into(), seq: 0 };
        let history = self.publisher.broker.subscribe(id).await;
        let StreamHistory { position, events } =
            history.unwrap_or_else(|_| StreamHistory { position: own_epoch(), events: Vec::new() });
        let stream = self.context.store.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        let offers = self.context.store.offers_of_stream(id).await?;
        let messages = self.context.store.messages(id, None, RECENT_EVENTS_MAX, false).await?;

        if self.publisher.broker.is_shared() {
            // The first viewer sees the viewers of the other nodes too. From then on the number is synced every two
            // seconds; this node has none yet.
            for (_, viewers) in self.publisher.broker.sync_presence(vec![(id, 0)]).await {
                room.set_remote_viewers(viewers);
            }
        }
        let cached = self.stream_cache.find_stream(id).await?;
        self.stream_cache.update_cached_stream(&stream, &cached).await?;
        let mut state = vec![
            stream_change(&self.stream_cache.stream_view(&stream), &stream, self.context.epoch()),
            pin_change(&stream, self.context.epoch()),
            coupon_change(&stream, self.context.epoch()),
            chat_rules_change(&chat_rules_view(&stream, self.context.epoch())),
            StateChange::Likes(cached.likes()),
        ];
        let pinned = stream.pin.map(|pin| pin.offer);
        let views = offers.iter().map(|offer| self.catalogue.offer_view(offer));
        let shown = views.filter(|view| match view.status {
            OfferStatus::Draft => false,
            OfferStatus::Closed => Some(view.id) == pinned,
            _ => true,
        });
        state.extend(shown.map(|view| offer_change(&view)));
        state.iter().for_each(|change| self.publisher.track_displayed_offer(change));

        let live: Vec<(u64, EncodedEvent)> =
            events.into_iter().filter_map(|(seq, body)| Some((seq, EncodedEvent::from_bytes(body)?))).collect();
        let mut recent: Vec<(u64, EncodedEvent)> = Vec::new();
        // A message posted before this epoch began has no number in it. Showing a message twice would be worse than not
        // showing it, so messages that are in the history are taken from there.
        for message in messages.iter().rev() {
            let is_live = live.iter().any(|(_, event)| event.message == Some(message.id));
            if !is_live {
                recent.push((0, EncodedEvent::new(message.at, &message.event())));
            }
        }
        recent.extend(live);
        room.begin(position, state, recent);
        self.publisher.update_delayed_state(room);
        Ok(())
    }
}

/// Removes rooms without viewers.
pub struct IdleRoomJob(pub Arc<Streams>);

impl BackgroundJob for IdleRoomJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("idle_rooms", Duration::from_secs(1), Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let publisher = &self.0.publisher;
        publisher.rooms.remove_idle().into_iter().for_each(|stream| publisher.broker.unsubscribe(stream));
        Ok(NextRun::AfterInterval)
    }
}
