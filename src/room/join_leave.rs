//! Coming and going: seats, hello, what time does to a viewer, and leaving.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::connection_writer::ConnectionWriter;
use super::inbox::{DrainPlan, JoinNotice, PendingJoin};
use super::receipts::SAMPLE_MAX;
use super::ring_buffer::Resume;
use super::writer::{RoomWriter, SENDS_PER_YIELD};
use super::{StreamPosition, count};
use crate::domain::Millis;
use crate::protocol::{Close, HelloHead, HelloTail, deflate, server};

const CHECK_INTERVAL_MS: Millis = 500;
/// A client may be ahead of this node by what is still on its way here.
const AHEAD_WAIT_MS: Millis = 1_000;
const HELLO_TAILS_MAX: usize = 64;
/// After this the bus must have told that one came in; if it did not, it was away.
const JOIN_CONFIRM_TIMEOUT_MS: Millis = 5_000;
/// Some milliseconds of work each.
const HELLOS_PER_TURN: usize = 4 * SENDS_PER_YIELD;
const REMOVALS_PER_TURN: usize = 4 * SENDS_PER_YIELD;

/// How one goes on who comes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResumePath {
    /// With what the ring has after this.
    Ring(u64),
    /// The same, after so many events of history.
    History(usize),
    Snapshot,
}

impl RoomWriter {
    pub(super) fn add_connection(&mut self, arrival: PendingJoin, now: Millis) {
        let member = arrival.member.clone();
        if member.has_left() {
            return;
        }
        if let Some(who) = member.session_digest
            && let Some(older) = self.sessions.insert(who, member.clone())
            && let Some(place) = self.index_of(&older)
        {
            self.close_connection(place, Close::Replaced, now);
        }
        let mut line = ConnectionWriter::new(arrival, now);
        self.deflate_connections += usize::from(member.deflate);
        line.moving = self.drain_until.map(|(until, drain)| (moving_at(now, until), drain.close_after_ms));
        self.audience += usize::from(line.is_counted);
        member.writer_index.store(self.connections.len(), Ordering::Relaxed);
        self.connections.push(line);
        self.awaiting_hello.push_back(member.clone());
        // It may have been told to close before it had a line.
        self.serve(&member, now);
    }

    /// Sessions that came in somewhere, in the order in which all nodes hear of them. Ours that was heard of before is the
    /// older one; ours that was not yet is heard of later, and then the other node lets its own go.
    pub(super) fn receive_joins(&mut self, arrivals: &JoinNotice, now: Millis) {
        for (who, number) in &arrivals.sessions {
            let Some(member) = self.sessions.get(who).cloned() else { continue };
            if arrivals.is_local {
                if member.join_number == *number {
                    member.is_join_confirmed.store(true, Ordering::Relaxed);
                }
            } else if let Some(place) = self.index_of(&member)
                && (member.is_join_confirmed.load(Ordering::Relaxed)
                    || self.connections[place].joined_at + JOIN_CONFIRM_TIMEOUT_MS < now)
            {
                self.close_connection(place, Close::Replaced, now);
            }
        }
    }

    pub(super) fn drain(&mut self, now: Millis, drain: DrainPlan) {
        let until = now + drain.spread_ms;
        self.drain_until = Some((until, drain));
        self.connections.iter_mut().for_each(|line| line.moving = Some((moving_at(now, until), drain.close_after_ms)));
    }

    /// Says hello to those who came in, some each turn: a crowd coming in does not hold up what the room says.
    pub(super) async fn send_hellos(&mut self) {
        if !self.is_synced || self.awaiting_hello.is_empty() {
            return;
        }
        let mut ahead = Vec::new();
        for turn in 1..=HELLOS_PER_TURN {
            let Some(member) = self.awaiting_hello.pop_front() else { break };
            let now = self.clock.now();
            let Some(place) = self.index_of(&member) else { continue };
            let line = &self.connections[place];
            let Some(wants) = line.pending_hello.as_ref().filter(|_| !line.is_closing()) else { continue };
            let way = match self.ring_buffer.resume(wants.position.as_ref()) {
                Resume::After(seq) => ResumePath::Ring(seq),
                Resume::Ahead if now < line.joined_at + AHEAD_WAIT_MS => {
                    ahead.push(member);
                    continue;
                }
                Resume::Ahead | Resume::Unrecoverable => {
                    let asked =
                        wants.position.as_ref().filter(|asked| asked.epoch == self.ring_buffer.position().epoch);
                    asked
                        .and_then(|asked| self.ring_buffer.history_bridge(asked, &wants.missed))
                        .map_or(ResumePath::Snapshot, ResumePath::History)
                }
            };
            self.send_hello(place, way, now);
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

    fn send_hello(&mut self, place: usize, way: ResumePath, now: Millis) {
        let tally = &self.room.counters;
        let asked = self.connections[place].pending_hello.as_ref().is_some_and(|wants| wants.position.is_some());
        let greeted = match way {
            ResumePath::Snapshot if asked => &tally.unrecovered,
            ResumePath::Snapshot => &tally.first_joins,
            ResumePath::Ring(_) | ResumePath::History(_) => &tally.resumed,
        };
        count(greeted, 1);
        let tail = match way {
            ResumePath::History(length) => {
                count(&tally.resumed_from_history, 1);
                let missed =
                    self.connections[place].pending_hello.as_ref().map_or(&[][..], |wants| &wants.missed[..length]);
                let reached = missed.last().map_or(0, |(seq, _)| *seq);
                let StreamPosition { epoch, seq } = self.ring_buffer.position();
                let events = missed.iter().chain(self.ring_buffer.events_after(reached));
                HelloTail { plain: server::hello_tail(epoch, *seq, events, &self.state).into(), compressed: None }
            }
            ResumePath::Ring(seq) => self.hello_tail(Some(seq)),
            ResumePath::Snapshot => self.hello_tail(None),
        };
        let line = &mut self.connections[place];
        line.is_sampled = line.is_counted && self.sample_size < SAMPLE_MAX;
        if line.is_sampled {
            self.sample_size += 1;
            self.room.request_receipt(&line.member, now);
        }
        let you = line.pending_hello.as_ref().map_or(&[][..], |wants| &wants.you);
        let greeting = HelloHead { recovered: way != ResumePath::Snapshot, now, you, receipts: line.is_sampled };
        let hello = server::hello(&greeting, &tail, line.member.deflate);
        line.start(hello, self.ring_buffer.head());
        self.write_to(place, now);
    }

    /// The part of hello that is the same for all who go on from the same position.
    fn hello_tail(&mut self, from: Option<u64>) -> HelloTail {
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
        let packed = if self.deflate_connections > 0 { deflate::compress(&plain).map(Bytes::from) } else { None };
        let tail = HelloTail { plain: plain.into(), compressed: packed };
        self.hello_tails.insert(from, tail.clone());
        tail
    }

    pub(super) async fn check_connections(&mut self) {
        let now = self.clock.now();
        if now < self.next_check_at {
            return;
        }
        self.next_check_at = now + CHECK_INTERVAL_MS;
        self.ring_buffer.trim(now);
        self.room.set_oldest_position(&self.ring_buffer.position().epoch, self.ring_buffer.oldest());
        let mut acts = 0;
        for place in 0..self.connections.len() {
            let line = &mut self.connections[place];
            match line.check_deadlines(now) {
                (Some(close), _) => self.close_connection(place, close, now),
                (None, true) if !line.is_blocked() => self.write_to(place, now),
                _ if line.over => self.closed.push(line.member.clone()),
                _ => continue,
            }
            acts += 1;
            if acts == SENDS_PER_YIELD {
                acts = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Removes lines that are over, some each turn: closing a socket takes longer than writing to one.
    pub(super) fn remove_closed(&mut self) {
        for member in self.closed.split_off(self.closed.len().saturating_sub(REMOVALS_PER_TURN)) {
            let Some(place) = self.index_of(&member) else { continue };
            self.uncount(place);
            if !self.connections.swap_remove(place).was_closed() {
                self.room.counters.closes.count_gone();
            }
            self.deflate_connections -= usize::from(member.deflate);
            member.writer_index.store(usize::MAX, Ordering::Relaxed);
            if let Some(moved) = self.connections.get(place) {
                moved.member.writer_index.store(place, Ordering::Relaxed);
            }
            if let Some(who) = member.session_digest
                && self.sessions.get(&who).is_some_and(|newest| Arc::ptr_eq(newest, &member))
            {
                self.sessions.remove(&who);
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

fn moving_at(now: Millis, until: Millis) -> Millis {
    rand::random_range(now..=until.max(now))
}
