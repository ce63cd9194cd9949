//! Joining and leaving: new connections, hello, checks of each connection's deadlines, and removal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::connection_writer::ConnectionWriter;
use super::inbox::{DrainPlan, JoinBatch, PendingJoin};
use super::member::SessionDigest;
use super::receipts::SAMPLE_MAX;
use super::ring_buffer::Resume;
use super::timing::NextCheck;
use super::writer::{RoomWriter, SENDS_PER_YIELD};
use super::{StreamPosition, count};
use crate::domain::Millis;
use crate::protocol::{Close, HelloHead, SharedTail, deflate, server};

/// A client may be ahead of this node by the events that are still on their way here.
const AHEAD_WAIT_MS: Millis = 1_000;
const HELLO_TAILS_MAX: usize = 64;
/// The broker must have published a join after this time; if it has not, it was unavailable.
const JOIN_CONFIRM_TIMEOUT_MS: Millis = 5_000;
/// Each is some milliseconds of work.
const HELLOS_PER_TURN: usize = 4 * SENDS_PER_YIELD;
const REMOVALS_PER_TURN: usize = 4 * SENDS_PER_YIELD;

/// Joins that were published further apart than this are in the order of the joins. It also bounds how far a wrong clock
/// of a node can be believed.
const CROSSING_MAX_MS: Millis = 2_000;

/// A join that the broker published to all nodes: the session, the number of the join on its node, and its time by the
/// wall clock of that node.
pub struct PublishedJoin {
    pub session: SessionDigest,
    pub number: u64,
    pub joined_at: Millis,
}

impl PublishedJoin {
    /// Whether this join, on another node, is newer than one of the same session on this node. The one that was published later is,
    /// unless the two crossed: on a busy node a join may wait to be published, and the clocks say so.
    fn replaces(&self, local_joined_at: Millis, local_was_published_before: bool) -> bool {
        let older_by = local_joined_at.saturating_sub(self.joined_at);
        if local_was_published_before {
            !(1..=CROSSING_MAX_MS).contains(&older_by)
        } else {
            (1..=CROSSING_MAX_MS).contains(&older_by.saturating_neg())
        }
    }
}

/// How a client that joins catches up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResumePath {
    /// With the events in the ring buffer after this number.
    Ring(u64),
    /// The same, after this many events of history.
    History(usize),
    Snapshot,
}

impl RoomWriter {
    pub(super) fn add_connection(&mut self, join: PendingJoin, now: Millis) {
        let member = join.member.clone();
        if member.has_left() {
            return;
        }
        if let Some(session) = member.session_digest
            && let Some(older) = self.sessions.insert(session, member.clone())
            && let Some(index) = self.index_of(&older)
        {
            self.replace_connection(index, now);
        }
        let mut connection = ConnectionWriter::new(join, now, self.room.clock.time_of_day());
        self.deflate_connections += usize::from(member.deflate);
        connection.moving = self.drain_until.map(|(until, drain)| (moving_at(now, until), drain.close_after_ms));
        // A user with several connections is one viewer.
        connection.is_counted &= !self.room.users.siblings_of(&member).iter().any(|other| self.is_counted(other));
        self.audience += usize::from(connection.is_counted);
        member.writer_index.store(self.connections.len(), Ordering::Relaxed);
        self.connections.push(connection);
        self.awaiting_hello.push_back(member.clone());
        // Its close may have been requested before it had a connection writer.
        self.serve(&member, now);
    }

    /// Handles sessions that joined anywhere, in the order that is the same on all nodes. Both nodes of a pair decide from
    /// the same two published joins, so exactly one connection of the pair stays.
    pub(super) fn receive_joins(&mut self, batch: &JoinBatch, now: Millis) {
        for join in &batch.joins {
            let Some(member) = self.sessions.get(&join.session).cloned() else { continue };
            if batch.is_local {
                if member.join_number == join.number {
                    member.is_join_confirmed.store(true, Ordering::Relaxed);
                }
            } else if let Some(index) = self.index_of(&member) {
                // A join that was never published happened while the broker was unavailable: the published one is newer.
                let is_published = member.is_join_confirmed.load(Ordering::Relaxed)
                    || self.connections[index].joined_at + JOIN_CONFIRM_TIMEOUT_MS < now;
                if join.replaces(member.joined_at, is_published) {
                    self.replace_connection(index, now);
                }
            }
        }
    }

    /// Closes a connection that a newer one replaces: at once, or as soon as its last running verb is answered.
    fn replace_connection(&mut self, index: usize, now: Millis) {
        if !self.connections[index].wait_for_replies(now) {
            return self.close_connection(index, Close::Replaced, now);
        }
        self.uncount(index);
    }

    pub(super) fn drain(&mut self, now: Millis, drain: DrainPlan) {
        let until = now + drain.spread_ms;
        self.drain_until = Some((until, drain));
        self.connections
            .iter_mut()
            .for_each(|connection| connection.moving = Some((moving_at(now, until), drain.close_after_ms)));
    }

    /// Sends hello to new connections, a limited number per turn: a join storm does not delay the broadcast.
    pub(super) async fn send_hellos(&mut self) {
        if !self.is_synced || self.awaiting_hello.is_empty() {
            return;
        }
        let mut ahead = Vec::new();
        for turn in 1..=HELLOS_PER_TURN {
            let Some(member) = self.awaiting_hello.pop_front() else { break };
            let now = self.clock.now();
            let Some(index) = self.index_of(&member) else { continue };
            let connection = &self.connections[index];
            let Some(hello_request) = connection.pending_hello.as_ref().filter(|_| !connection.is_closing()) else {
                continue;
            };
            let path = match self.ring_buffer.resume(hello_request.position.as_ref()) {
                Resume::After(seq) => ResumePath::Ring(seq),
                Resume::Ahead if now < connection.joined_at + AHEAD_WAIT_MS => {
                    ahead.push(member);
                    continue;
                }
                Resume::Ahead | Resume::Unrecoverable => {
                    let asked = hello_request
                        .position
                        .as_ref()
                        .filter(|asked| asked.epoch == self.ring_buffer.position().epoch);
                    asked
                        .and_then(|asked| self.ring_buffer.history_bridge(asked, &hello_request.missed))
                        .map_or(ResumePath::Snapshot, ResumePath::History)
                }
            };
            self.send_hello(index, path, now);
            if turn % SENDS_PER_YIELD == 0 {
                self.serve_notified_batch();
                tokio::task::yield_now().await;
            }
        }
        if !self.awaiting_hello.is_empty() {
            self.room.wake.notify_one();
        }
        self.awaiting_hello.extend(ahead);
    }

    fn send_hello(&mut self, index: usize, path: ResumePath, now: Millis) {
        let counters = &self.room.counters;
        let asked = self.connections[index]
            .pending_hello
            .as_ref()
            .is_some_and(|hello_request| hello_request.position.is_some());
        let counter = match path {
            ResumePath::Snapshot if asked => &counters.unrecovered,
            ResumePath::Snapshot => &counters.first_joins,
            ResumePath::Ring(_) | ResumePath::History(_) => &counters.resumed,
        };
        count(counter, 1);
        let tail = match path {
            ResumePath::History(length) => {
                count(&counters.resumed_from_history, 1);
                let missed = self.connections[index]
                    .pending_hello
                    .as_ref()
                    .map_or(&[][..], |hello_request| &hello_request.missed[..length]);
                let reached = missed.last().map_or(0, |(seq, _)| *seq);
                let StreamPosition { epoch, seq } = self.ring_buffer.position();
                let events = missed.iter().chain(self.ring_buffer.events_after(reached));
                SharedTail { plain: server::hello_tail(epoch, *seq, events, &self.state).into(), compressed: None }
            }
            ResumePath::Ring(seq) => self.hello_tail(Some(seq)),
            ResumePath::Snapshot => self.hello_tail(None),
        };
        let connection = &mut self.connections[index];
        connection.is_sampled = connection.is_counted && self.sample_size < SAMPLE_MAX;
        if connection.is_sampled {
            self.sample_size += 1;
            self.room.request_receipt(&connection.member, now);
        }
        let you = connection.pending_hello.as_ref().map_or(&[][..], |hello_request| &hello_request.you);
        let head = HelloHead { recovered: path != ResumePath::Snapshot, now, you, receipts: connection.is_sampled };
        let hello = server::hello(&head, &tail, connection.member.deflate);
        connection.start(hello, self.ring_buffer.head());
        self.write_to(index, now);
    }

    /// The part of hello that all clients that resume from the same position share.
    fn hello_tail(&mut self, from: Option<u64>) -> SharedTail {
        if let Some(tail) = self.hello_tails.get(&from) {
            return tail.clone();
        }
        if self.hello_tails.len() == HELLO_TAILS_MAX {
            self.hello_tails.clear();
        }
        let StreamPosition { epoch, seq } = self.ring_buffer.position();
        let plain = match from {
            Some(from) => server::hello_tail(epoch, *seq, self.ring_buffer.events_after(from), &self.state),
            None => server::hello_tail(epoch, *seq, self.ring_buffer.recent(), &self.state),
        };
        let tail = shared_tail(plain, self.deflate_connections > 0);
        self.hello_tails.insert(from, tail.clone());
        tail
    }

    pub(super) async fn check_connections(&mut self) {
        let now = self.clock.now();
        if now < self.next_check_at {
            return;
        }
        self.ring_buffer.trim(now);
        self.room.set_oldest_position(&self.ring_buffer.position().epoch, self.ring_buffer.oldest());
        let (mut served, time_of_day) = (0, self.room.clock.time_of_day());
        let mut next = NextCheck::after(now);
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let action = connection.check_deadlines(now, time_of_day);
            let is_blocked = connection.is_blocked();
            let was_served = match action {
                (Some(close), _) => {
                    self.close_connection(index, close, now);
                    true
                }
                (None, true) if !is_blocked => {
                    self.write_to(index, now);
                    true
                }
                _ if connection.is_finished => {
                    self.closed.push(connection.member.clone());
                    true
                }
                _ => false,
            };
            next.add(self.connections[index].idle_deadlines(now, time_of_day));
            served += usize::from(was_served);
            if served == SENDS_PER_YIELD {
                served = 0;
                tokio::task::yield_now().await;
            }
        }
        if self.has_pending() {
            next.add(None);
        }
        self.next_check_at = next.at();
        if next.is_idle() {
            // The next viewer who joins makes them again.
            self.free_shared();
        }
    }

    /// Something happened in the room: its deadlines are looked at soon again.
    pub(super) fn check_soon(&mut self, now: Millis) {
        self.next_check_at = self.next_check_at.min(NextCheck::soon(now));
    }

    /// Removes finished connections, a limited number per turn: closing a socket takes longer than writing to one.
    pub(super) fn remove_closed(&mut self) {
        for member in self.closed.split_off(self.closed.len().saturating_sub(REMOVALS_PER_TURN)) {
            let Some(index) = self.index_of(&member) else { continue };
            self.uncount(index);
            if !self.connections.swap_remove(index).was_closed() {
                self.room.counters.closes.count_gone();
            }
            self.deflate_connections -= usize::from(member.deflate);
            member.writer_index.store(usize::MAX, Ordering::Relaxed);
            if let Some(moved) = self.connections.get(index) {
                moved.member.writer_index.store(index, Ordering::Relaxed);
            }
            if let Some(session) = member.session_digest
                && self.sessions.get(&session).is_some_and(|newest| Arc::ptr_eq(newest, &member))
            {
                self.sessions.remove(&session);
            }
        }
        if !self.closed.is_empty() {
            self.room.wake.notify_one();
        }
        if self.connections.is_empty() {
            self.connections = Vec::new();
            self.awaiting_hello = VecDeque::new();
        }
    }
}

/// Compressed once for all who share it, if one of them has negotiated compression.
pub(super) fn shared_tail(plain: Vec<u8>, is_compressed: bool) -> SharedTail {
    let compressed = if is_compressed { deflate::compress(&plain).map(Bytes::from) } else { None };
    SharedTail { plain: plain.into(), compressed }
}

fn moving_at(now: Millis, until: Millis) -> Millis {
    rand::random_range(now..=until.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the first of two published joins stays, as its own node decides, and whether the second does.
    fn stay(first: Millis, second: Millis) -> (bool, bool) {
        let join = |joined_at| PublishedJoin { session: [0; 16], number: 1, joined_at };
        (!join(second).replaces(first, true), !join(first).replaces(second, false))
    }

    #[test]
    fn one_of_two_crossing_joins_stays_and_it_is_the_newer() {
        for (first, second, newer_is_first) in
            [(5, 5, false), (5, 6, false), (6, 5, true), (1_900, 0, true), (0, 1_900, false), (0, 60_000, false)]
        {
            assert_eq!(stay(first, second), (newer_is_first, !newer_is_first), "{first} {second}");
        }
    }

    #[test]
    fn clock_that_is_far_wrong_does_not_decide() {
        for (first, second) in [(60_000, 0), (Millis::MAX, Millis::MIN), (Millis::MIN, Millis::MAX)] {
            assert_eq!(stay(first, second), (false, true), "the one that was published later stays");
        }
    }
}
