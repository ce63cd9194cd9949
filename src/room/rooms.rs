//! All rooms of this node, and the connections of each user.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::inbox::Inbox;
use super::{Member, Room, RoomCounters, RoomLoad, lock};
use crate::clock::Clock;
use crate::domain::{Actor, Permission, Place, Role, SignInSessionId, StreamId, UserId, authorize_by_role};
use crate::protocol::{Close, Frame};

/// All rooms on this node. Map guards never leave these functions.
pub struct Rooms {
    rooms: DashMap<StreamId, Arc<Room>>,
    users: Arc<ConnectedUsers>,
    clock: Clock,
    pub counters: Arc<RoomCounters>,
}

impl Rooms {
    pub fn new(clock: Clock) -> Self {
        Self::with_sockets_per_user(clock, usize::MAX)
    }

    /// `sockets_per_user` is the largest number of connections that a signed-in user can have to this node, in all rooms together.
    pub fn with_sockets_per_user(clock: Clock, sockets_per_user: usize) -> Self {
        let users = Arc::new(ConnectedUsers { sockets_per_user, ..ConnectedUsers::default() });
        Self { rooms: DashMap::new(), users, clock, counters: Arc::default() }
    }

    /// The stream's room; `true` when it is new, and the caller must call [`Room::sync`]. It stays for half a minute
    /// without anybody joining.
    pub fn open(&self, stream: StreamId) -> (Arc<Room>, bool) {
        let new = || Room::new(stream, self.clock.clone(), self.counters.clone(), self.users.clone());
        match self.rooms.entry(stream) {
            Entry::Occupied(mut entry) => {
                if lock(&entry.get().inbox).touch(self.clock.now()) {
                    return (entry.get().clone(), false);
                }
                let room = new();
                entry.insert(room.clone());
                (room, true)
            }
            Entry::Vacant(entry) => {
                let room = new();
                entry.insert(room.clone());
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
            let (queued, connections) = lock(&room.inbox).load();
            load.rooms += 1;
            load.viewers += room.viewers();
            load.connections += connections;
            load.queued_events += queued;
            load.queued_events_max = load.queued_events_max.max(queued);
        }
        load
    }

    /// Drops a room that could not be loaded; viewers who wait in it are asked to reconnect.
    pub fn discard(&self, stream: StreamId) {
        if let Some((_, room)) = self.rooms.remove(&stream) {
            room.with_inbox(Inbox::request_close);
        }
    }

    /// Whether this user is connected to this node.
    pub fn is_user_connected(&self, user: &UserId) -> bool {
        self.users.connections.contains_key(user)
    }

    /// All users except anonymous users that are connected to this node.
    pub fn connected_users(&self) -> Vec<UserId> {
        self.users.connections.iter().map(|entry| entry.key().clone()).collect()
    }

    /// Sends a frame to all connections of a user on this node. Returns the number of connections.
    pub fn send_to_user(&self, user: &UserId, frame: Frame) -> usize {
        let members = self.users.connections_of(user);
        members.iter().for_each(|member| member.send(frame.clone()));
        members.len()
    }

    /// Whether a moderator of this stream is connected to this node.
    pub fn has_moderators(&self, stream: StreamId) -> bool {
        self.users.moderators.contains_key(&stream)
    }

    /// Sends a frame to the moderators of a stream on this node.
    pub fn send_to_moderators(&self, stream: StreamId, frame: &Frame) {
        let members = self.users.moderators.get(&stream).map(|members| members.clone()).unwrap_or_default();
        members.iter().for_each(|member| member.send(frame.clone()));
    }

    /// Closes the connections to one stream of a user who is banned from it, where the user ranks below the role that banned
    /// them. Returns how many.
    pub fn close_banned(&self, stream: StreamId, user: &UserId, banned_by: Role) -> usize {
        let mut members = self.users.connections_of(user);
        members.retain(|member| member.stream() == stream && banned_by.outranks(member.actor.role));
        members.iter().for_each(|member| member.close(Close::Banned));
        members.len()
    }

    /// Closes all connections of a user to this node. Returns how many.
    pub fn close_user(&self, user: &UserId, close: Close) -> usize {
        let members = self.users.connections_of(user);
        members.iter().for_each(|member| member.close(close));
        members.len()
    }

    /// Closes the connections of all actors that `is_concerned` selects, with any role and in any show. Returns how many.
    pub fn close_all(&self, close: Close, is_concerned: impl Fn(&Actor) -> bool) -> usize {
        let concerned: Vec<Arc<Member>> = self.users.connections.iter().fold(Vec::new(), |mut found, members| {
            found.extend(members.iter().filter(|member| is_concerned(&member.actor)).cloned());
            found
        });
        concerned.iter().for_each(|member| member.close(close));
        concerned.len()
    }

    /// The highest role with which this user is connected to a stream on this node.
    pub fn connected_role(&self, stream: StreamId, user: &UserId) -> Option<Role> {
        let members = self.users.connections_of(user).into_iter().filter(|member| member.stream() == stream);
        members.map(|member| member.actor.role).reduce(|a, b| if b.outranks(a) { b } else { a })
    }

    /// The sign-in sessions that are connected to this node with a role of the staff.
    pub fn staff_sessions(&self) -> HashSet<SignInSessionId> {
        self.users.staff.iter().filter_map(|member| member.actor.session.as_ref().map(|session| session.id)).collect()
    }

    /// Closes the connections of the staff that `is_concerned` selects, so that they reconnect with the roles that they have now.
    /// Gives their users.
    pub fn close_staff(&self, close: Close, is_concerned: impl Fn(&Actor, StreamId) -> bool) -> Vec<UserId> {
        let staff: Vec<Arc<Member>> = self.users.staff.iter().map(|member| member.clone()).collect();
        let concerned = staff.into_iter().filter(|member| is_concerned(&member.actor, member.stream()));
        concerned.inspect(|member| member.close(close)).map(|member| member.actor.user.clone()).collect()
    }

    /// The streams whose tokens are used on this node to watch other streams.
    pub fn streams_of_visitors(&self) -> Vec<StreamId> {
        self.users.visitors.iter().map(|entry| *entry.key()).collect()
    }

    /// Closes the connections to other streams of those users of `own` whose token was revoked there.
    pub fn close_revoked_visitors(&self, own: StreamId, is_revoked: impl Fn(&UserId) -> bool) {
        let visitors: Vec<_> =
            self.users.visitors.get(&own).map(|members| members.values().cloned().collect()).unwrap_or_default();
        let revoked = visitors.iter().filter(|member| is_revoked(&member.actor.user));
        revoked.for_each(|member| member.close(Close::Token));
    }

    /// Drops the rooms that nobody has been in for half a minute, and those whose writer has ended. Call it every few
    /// seconds.
    pub fn remove_idle(&self) -> Vec<StreamId> {
        let now = self.clock.now();
        let idle: Vec<_> =
            self.all().into_iter().filter(|room| room.with_inbox(|inbox| inbox.close_if_idle(now))).collect();
        idle.iter().for_each(|room| {
            self.rooms.remove_if(&room.stream, |_, current| Arc::ptr_eq(current, room));
        });
        idle.iter().map(|room| room.stream).collect()
    }
}

fn is_moderator(member: &Member) -> bool {
    authorize_by_role(&member.actor, Permission::Moderate, Place::Stream(member.stream())).is_ok()
}

/// Whether the user signed in on our own pages and has a role of the staff, in whatever place.
fn is_staff(member: &Member) -> bool {
    member.actor.session.as_ref().is_some_and(|session| !session.roles.is_empty())
}

/// The stream in which the token of a member is valid, if that is another stream.
fn own_stream_elsewhere(member: &Member) -> Option<StreamId> {
    member.actor.stream.filter(|own| *own != member.stream())
}

/// The connections of each user. Anonymous users are not listed.
#[derive(Default)]
pub struct ConnectedUsers {
    connections: DashMap<UserId, Vec<Arc<Member>>>,
    /// Connections whose user may moderate the stream.
    moderators: DashMap<StreamId, Vec<Arc<Member>>>,
    /// Connections to other streams of users whose token is valid in this one, by their join numbers.
    visitors: DashMap<StreamId, HashMap<u64, Arc<Member>>>,
    /// Connections of the staff, by their join numbers.
    staff: DashMap<u64, Arc<Member>>,
    joins: AtomicU64,
    sockets_per_user: usize,
}

impl ConnectedUsers {
    pub(super) fn next_join_number(&self) -> u64 {
        self.joins.fetch_add(1, Ordering::Relaxed)
    }

    /// `false`: the user has as many connections as one user can have.
    pub(super) fn add(&self, member: &Arc<Member>) -> bool {
        if member.actor.role != Role::Anonymous {
            let mut members = self.connections.entry(member.actor.user.clone()).or_default();
            if members.len() >= self.sockets_per_user {
                return false;
            }
            members.push(member.clone());
        }
        if is_moderator(member) {
            self.moderators.entry(member.stream()).or_default().push(member.clone());
        }
        if is_staff(member) {
            self.staff.insert(member.join_number, member.clone());
        }
        if let Some(own) = own_stream_elsewhere(member) {
            self.visitors.entry(own).or_default().insert(member.join_number, member.clone());
        }
        true
    }

    /// The other connections of this member's user to the same stream. An anonymous user has none: each of them is a user of
    /// their own.
    pub(super) fn siblings_of(&self, member: &Arc<Member>) -> Vec<Arc<Member>> {
        let mut members = self.connections_of(&member.actor.user);
        members.retain(|other| other.stream() == member.stream() && !Arc::ptr_eq(other, member));
        members
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
        if is_staff(member) {
            self.staff.remove(&member.join_number);
        }
        if let Some(own) = own_stream_elsewhere(member) {
            self.visitors.remove_if_mut(&own, |_, members| {
                members.remove(&member.join_number);
                members.is_empty()
            });
        }
    }

    fn connections_of(&self, user: &UserId) -> Vec<Arc<Member>> {
        self.connections.get(user).map(|members| members.clone()).unwrap_or_default()
    }
}
