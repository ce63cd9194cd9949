//! All rooms of this node, and where each person is connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::inbox::Inbox;
use super::{Member, Room, RoomCounters, RoomLoad, lock};
use crate::clock::Clock;
use crate::domain::{Permission, Role, StreamId, UserId};
use crate::protocol::{Close, Frame};

/// Every audience on this node. Map guards never leave these functions.
pub struct Rooms {
    rooms: DashMap<StreamId, Arc<Room>>,
    users: Arc<ConnectedUsers>,
    clock: Clock,
    pub counters: Arc<RoomCounters>,
}

impl Rooms {
    pub fn new(clock: Clock) -> Self {
        Self { rooms: DashMap::new(), users: Arc::default(), clock, counters: Arc::default() }
    }

    /// The stream's room; `true` when it is new, and whoever opened it must call [`Room::begin`].
    /// It stays for half a minute without anybody joining.
    pub fn open(&self, stream: StreamId) -> (Arc<Room>, bool) {
        let new = || Room::new(stream, self.clock.clone(), self.counters.clone(), self.users.clone());
        match self.rooms.entry(stream) {
            Entry::Occupied(mut place) => {
                if lock(&place.get().inbox).touch(self.clock.now()) {
                    return (place.get().clone(), false);
                }
                let room = new();
                place.insert(room.clone());
                (room, true)
            }
            Entry::Vacant(place) => {
                let room = new();
                place.insert(room.clone());
                (room, true)
            }
        }
    }

    pub fn get(&self, stream: StreamId) -> Option<Arc<Room>> {
        self.rooms.get(&stream).map(|room| room.clone())
    }

    pub fn all(&self) -> Vec<Arc<Room>> {
        self.rooms.iter().map(|room| room.clone()).collect()
    }

    pub fn load(&self) -> RoomLoad {
        let mut load = RoomLoad::default();
        for room in self.all() {
            let (waiting, seats) = lock(&room.inbox).load();
            load.rooms += 1;
            load.viewers += room.viewers();
            load.connections += seats;
            load.queued_events += waiting;
            load.queued_events_max = load.queued_events_max.max(waiting);
        }
        load
    }

    /// Drops a room that could not be filled; who waits in it is told to come back.
    pub fn discard(&self, stream: StreamId) {
        if let Some((_, room)) = self.rooms.remove(&stream) {
            room.with_inbox(Inbox::shut);
        }
    }

    /// Is this person connected to this node?
    pub fn is_user_connected(&self, user: &UserId) -> bool {
        self.users.connections.contains_key(user)
    }

    /// Everybody with a name who is connected to this node.
    pub fn connected_users(&self) -> Vec<UserId> {
        self.users.connections.iter().map(|entry| entry.key().clone()).collect()
    }

    /// To a person, wherever they are connected on this node; says to how many connections.
    pub fn send_to_user(&self, user: &UserId, frame: Frame) -> usize {
        let members = self.users.connections_of(user);
        members.iter().for_each(|member| member.send(frame.clone()));
        members.len()
    }

    /// Is anybody here who keeps order in this stream?
    pub fn has_moderators(&self, stream: StreamId) -> bool {
        self.users.moderators.contains_key(&stream)
    }

    /// To those on this node who keep order in a stream.
    pub fn send_to_moderators(&self, stream: StreamId, frame: &Frame) {
        let members = self.users.moderators.get(&stream).map(|members| members.clone()).unwrap_or_default();
        members.iter().for_each(|member| member.send(frame.clone()));
    }

    /// Ends a viewer's or helper's connections to one stream; says how many. Who runs the show stays.
    pub fn close_user(&self, stream: StreamId, user: &UserId, close: Close) -> usize {
        let mut members = self.users.connections_of(user);
        members.retain(|member| member.stream() == stream && !matches!(member.actor.role, Role::Host | Role::Admin));
        members.iter().for_each(|member| member.close(close));
        members.len()
    }

    /// Drops the rooms nobody has been in for half a minute, and those whose writer is gone. Call it every few seconds.
    pub fn remove_idle(&self) -> Vec<StreamId> {
        let now = self.clock.now();
        let idle: Vec<_> = self.all().into_iter().filter(|room| room.with_inbox(|i| i.close_if_idle(now))).collect();
        idle.iter().for_each(|room| {
            self.rooms.remove_if(&room.stream, |_, current| Arc::ptr_eq(current, room));
        });
        idle.iter().map(|room| room.stream).collect()
    }
}

fn is_moderator(member: &Member) -> bool {
    member.actor.authorize(Permission::Moderate, Some(member.stream())).is_ok()
}

/// Which connections a person has. Guests are nobody in particular.
#[derive(Default)]
pub struct ConnectedUsers {
    connections: DashMap<UserId, Vec<Arc<Member>>>,
    /// Those who keep order in a stream.
    moderators: DashMap<StreamId, Vec<Arc<Member>>>,
    joins: AtomicU64,
}

impl ConnectedUsers {
    pub(super) fn next_join_number(&self) -> u64 {
        self.joins.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn add(&self, member: &Arc<Member>) {
        if member.actor.role != Role::Guest {
            self.connections.entry(member.actor.user.clone()).or_default().push(member.clone());
        }
        if is_moderator(member) {
            self.moderators.entry(member.stream()).or_default().push(member.clone());
        }
    }

    pub(super) fn remove(&self, member: &Arc<Member>) {
        self.connections.remove_if_mut(&member.actor.user, |_, members| {
            members.retain(|other| !Arc::ptr_eq(other, member));
            members.is_empty()
        });
        if is_moderator(member) {
            self.moderators.remove_if_mut(&member.stream(), |_, members| {
                members.retain(|other| !Arc::ptr_eq(other, member));
                members.is_empty()
            });
        }
    }

    fn connections_of(&self, user: &UserId) -> Vec<Arc<Member>> {
        self.connections.get(user).map(|members| members.clone()).unwrap_or_default()
    }
}
