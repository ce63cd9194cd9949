//! All rooms of this node, and where each person is connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::inbox::Inbox;
use super::{Load, Member, Room, Tally, lock};
use crate::clock::Clock;
use crate::domain::{Action, Role, StreamId, UserId};
use crate::protocol::{Close, Frame};

/// Every audience on this node. Map guards never leave these functions.
pub struct Rooms {
    rooms: DashMap<StreamId, Arc<Room>>,
    people: Arc<People>,
    clock: Clock,
    pub tally: Arc<Tally>,
}

impl Rooms {
    pub fn new(clock: Clock) -> Self {
        Self { rooms: DashMap::new(), people: Arc::default(), clock, tally: Arc::default() }
    }

    /// The stream's room; `true` when it is new, and whoever opened it must call [`Room::begin`].
    /// It stays for half a minute without anybody joining.
    pub fn open(&self, stream: StreamId) -> (Arc<Room>, bool) {
        let new = || Room::new(stream, self.clock.clone(), self.tally.clone(), self.people.clone());
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

    pub fn load(&self) -> Load {
        let mut load = Load::default();
        for room in self.all() {
            let (waiting, seats) = lock(&room.inbox).load();
            load.rooms += 1;
            load.viewers += room.viewers();
            load.seats += seats;
            load.waiting += waiting;
            load.waiting_most = load.waiting_most.max(waiting);
        }
        load
    }

    /// Drops a room that could not be filled; who waits in it is told to come back.
    pub fn forget(&self, stream: StreamId) {
        if let Some((_, room)) = self.rooms.remove(&stream) {
            room.with_inbox(Inbox::shut);
        }
    }

    /// Is this person connected to this node?
    pub fn has_person(&self, user: &UserId) -> bool {
        self.people.connections.contains_key(user)
    }

    /// To a person, wherever they are connected on this node; says to how many connections.
    pub fn to_user(&self, user: &UserId, frame: Frame) -> usize {
        let members = self.people.of(user);
        members.iter().for_each(|member| member.reply(frame.clone()));
        members.len()
    }

    /// Is anybody here who keeps order in this stream?
    pub fn has_team(&self, stream: StreamId) -> bool {
        self.people.team.contains_key(&stream)
    }

    /// To those on this node who keep order in a stream.
    pub fn to_team(&self, stream: StreamId, frame: &Frame) {
        let members = self.people.team.get(&stream).map(|members| members.clone()).unwrap_or_default();
        members.iter().for_each(|member| member.reply(frame.clone()));
    }

    /// Ends a viewer's or helper's connections to one stream; says how many. Who runs the show stays.
    pub fn close_user(&self, stream: StreamId, user: &UserId, close: Close) -> usize {
        let mut members = self.people.of(user);
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

fn keeps_order(member: &Member) -> bool {
    member.actor.may(Action::Moderate, Some(member.stream())).is_ok()
}

/// Which connections a person has. Guests are nobody in particular.
#[derive(Default)]
pub struct People {
    connections: DashMap<UserId, Vec<Arc<Member>>>,
    /// Those who keep order in a stream.
    team: DashMap<StreamId, Vec<Arc<Member>>>,
    arrivals: AtomicU64,
}

impl People {
    pub(super) fn next_arrival(&self) -> u64 {
        self.arrivals.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn add(&self, member: &Arc<Member>) {
        if member.actor.role != Role::Guest {
            self.connections.entry(member.actor.user.clone()).or_default().push(member.clone());
        }
        if keeps_order(member) {
            self.team.entry(member.stream()).or_default().push(member.clone());
        }
    }

    pub(super) fn remove(&self, member: &Arc<Member>) {
        self.connections.remove_if_mut(&member.actor.user, |_, members| {
            members.retain(|other| !Arc::ptr_eq(other, member));
            members.is_empty()
        });
        if keeps_order(member) {
            self.team.remove_if_mut(&member.stream(), |_, members| {
                members.retain(|other| !Arc::ptr_eq(other, member));
                members.is_empty()
            });
        }
    }

    fn of(&self, user: &UserId) -> Vec<Arc<Member>> {
        self.connections.get(user).map(|members| members.clone()).unwrap_or_default()
    }
}
