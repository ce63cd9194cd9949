//! The inbox of a room's writer. Every part has a limit and a rule for when it is reached:
//!
//! - events: 4,096 or 512 KiB, then the oldest messages are dropped: the writer notices the hole and sends a snapshot.
//!   Nobody waits for a room, because the node has one delivery loop for all of them. Events that are not messages (a
//!   deletion, a ban) are dropped only when they alone fill the inbox
//! - state values: one per key, the newest
//! - joins: 8,192, then they are refused with "overload, come back"
//! - published joins of all nodes: 1,024 batches, then the oldest are dropped
//! - notified members: each at most once

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::join_leave::PublishedJoin;
use super::member::HelloRequest;
use super::{Member, StreamPosition};
use crate::domain::Millis;
use crate::protocol::state::StateKey;
use crate::protocol::{EncodedEvent, StateChange};

const EVENT_QUEUE_MAX: usize = 4_096;
const EVENT_QUEUE_BYTES_MAX: usize = 512 * 1024;
const JOIN_QUEUE_MAX: usize = 8_192;
const JOIN_BATCH_QUEUE_MAX: usize = 1_024;
/// A room without connections lives this long; until then the node stays subscribed to its stream.
pub const IDLE_TIMEOUT_MS: Millis = 30_000;

pub struct Inbox {
    ordered: VecDeque<OrderedInput>,
    events: usize,
    event_bytes: usize,
    is_urgent: bool,
    /// Since when the oldest event or value waits.
    oldest_since: Option<Instant>,
    is_synced: bool,
    changes: HashMap<StateKey, StateChange>,
    pending_joins: Vec<PendingJoin>,
    join_batches: VecDeque<JoinBatch>,
    notified: VecDeque<Arc<Member>>,
    pub remote_viewers: Option<u64>,
    pub drain: Option<DrainPlan>,
    /// Subscriptions that were handed out and not dropped yet.
    connections: usize,
    /// When it last had a connection, or was opened.
    last_used_at: Millis,
    is_closed: bool,
}

/// Input that must reach the writer in the order in which it arrived.
pub enum OrderedInput {
    Sync { position: StreamPosition, recent: Vec<(u64, EncodedEvent)> },
    Events { epoch: Arc<str>, first_seq: u64, events: Vec<EncodedEvent> },
}

pub struct PendingJoin {
    pub member: Arc<Member>,
    pub hello_request: HelloRequest,
}

/// Published joins, on this node (`is_local`) or on another.
pub struct JoinBatch {
    pub joins: Vec<PublishedJoin>,
    pub is_local: bool,
}

/// How a room is drained.
#[derive(Clone, Copy)]
pub struct DrainPlan {
    pub spread_ms: Millis,
    pub close_after_ms: Millis,
}

/// What the writer takes at once.
pub struct InboxBatch {
    pub ordered: Vec<OrderedInput>,
    pub changes: Vec<StateChange>,
    pub is_urgent: bool,
    pub oldest_since: Option<Instant>,
    pub pending_joins: Vec<PendingJoin>,
    pub join_batches: VecDeque<JoinBatch>,
    pub remote_viewers: Option<u64>,
    pub drain: Option<DrainPlan>,
    pub is_closed: bool,
    /// Events stayed in the inbox because the frame has no space for them.
    pub has_more: bool,
}

impl Inbox {
    pub fn new(now: Millis) -> Self {
        Self {
            ordered: VecDeque::new(),
            events: 0,
            event_bytes: 0,
            is_urgent: false,
            oldest_since: None,
            is_synced: false,
            changes: HashMap::new(),
            pending_joins: Vec::new(),
            join_batches: VecDeque::new(),
            notified: VecDeque::new(),
            remote_viewers: None,
            drain: None,
            connections: 0,
            last_used_at: now,
            is_closed: false,
        }
    }

    pub fn sync(&mut self, position: StreamPosition, state: Vec<StateChange>, recent: Vec<(u64, EncodedEvent)>) {
        if self.is_closed {
            return;
        }
        self.set_states(state);
        let input = OrderedInput::Sync { position, recent };
        // Events that arrived while the position was read come after it; the writer drops those that it covers.
        match self.is_synced {
            true => self.ordered.push_back(input),
            false => self.ordered.push_front(input),
        }
        self.is_synced = true;
    }

    /// The room has a position.
    pub fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Sets several values of the state lane.
    pub fn set_states(&mut self, state: Vec<StateChange>) {
        state.into_iter().for_each(|change| self.set_state(change, false));
    }

    /// Returns how many older events were dropped because the inbox was full.
    pub fn append_events(&mut self, epoch: Arc<str>, first_seq: u64, events: Vec<EncodedEvent>) -> usize {
        if events.is_empty() || self.is_closed {
            return 0;
        }
        let mut dropped = 0;
        if self.is_full(events.len()) {
            dropped += self.drop_oldest(events.len(), |event| event.message.is_none());
            dropped += self.drop_oldest(events.len(), |_| false);
        }
        self.events += events.len();
        self.event_bytes += json_bytes(&events);
        self.is_urgent |= events.iter().any(|event| event.is_urgent);
        self.oldest_since.get_or_insert_with(Instant::now);
        self.ordered.push_back(OrderedInput::Events { epoch, first_seq, events });
        dropped
    }

    /// Drops the oldest events, except those to keep, until there is space for `count` more. Positions stay.
    fn drop_oldest(&mut self, count: usize, is_kept: fn(&EncodedEvent) -> bool) -> usize {
        let (mut passed, mut dropped) = (Vec::new(), 0);
        while self.is_full(count)
            && let Some(input) = self.pop()
        {
            let OrderedInput::Events { epoch, first_seq, events } = input else {
                passed.push(input);
                continue;
            };
            for (seq, event) in (first_seq..).zip(events) {
                if is_kept(&event) {
                    self.events += 1;
                    self.event_bytes += event.json.len();
                    passed.push(OrderedInput::Events { epoch: epoch.clone(), first_seq: seq, events: vec![event] });
                } else {
                    dropped += 1;
                }
            }
        }
        passed.into_iter().rev().for_each(|input| self.ordered.push_front(input));
        dropped
    }

    pub fn set_state(&mut self, change: StateChange, is_urgent: bool) {
        if self.is_closed {
            return;
        }
        self.is_urgent |= is_urgent;
        self.oldest_since.get_or_insert_with(Instant::now);
        match self.changes.entry(change.key()) {
            std::collections::hash_map::Entry::Occupied(mut old) => {
                if change.supersedes(old.get()) {
                    old.insert(change);
                }
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(change);
            }
        }
    }

    pub fn join(&mut self, join: PendingJoin) -> bool {
        if self.is_closed || JOIN_QUEUE_MAX <= self.pending_joins.len() {
            return false;
        }
        self.pending_joins.push(join);
        self.connections += 1;
        true
    }

    pub fn push_join_batch(&mut self, batch: JoinBatch) {
        if self.is_closed {
            return;
        }
        if self.join_batches.len() == JOIN_BATCH_QUEUE_MAX {
            self.join_batches.pop_front();
        }
        self.join_batches.push_back(batch);
    }

    pub fn has_connections(&self) -> bool {
        self.connections > 0
    }

    /// Waiting events, and connections.
    pub fn load(&self) -> (usize, usize) {
        (self.events, self.connections)
    }

    pub fn leave(&mut self, now: Millis) {
        self.connections = self.connections.saturating_sub(1);
        self.last_used_at = now;
    }

    pub fn push_notified(&mut self, member: Arc<Member>) {
        if !self.is_closed {
            self.notified.push_back(member);
        }
    }

    /// Marks the room as used because a client is about to join. Returns `false` when it is closed already.
    pub fn touch(&mut self, now: Millis) -> bool {
        self.last_used_at = now;
        !self.is_closed
    }

    /// Closes when nobody has been here for a while.
    pub fn close_if_idle(&mut self, now: Millis) -> bool {
        if self.connections == 0 && IDLE_TIMEOUT_MS <= now - self.last_used_at {
            self.close();
        }
        self.is_closed
    }

    /// Closes from outside: the writer disconnects all viewers.
    pub fn request_close(&mut self) {
        self.is_closed = true;
    }

    /// Nothing is accepted any more. What waits is freed here, because it may hold a reference to the room itself.
    pub fn close(&mut self) -> Vec<PendingJoin> {
        self.is_closed = true;
        self.ordered.clear();
        self.changes.clear();
        self.notified.clear();
        (self.events, self.event_bytes) = (0, 0);
        std::mem::take(&mut self.pending_joins)
    }

    /// `space`: how many bytes of events the next frame can still take; the rest stays here, unless something is
    /// urgent.
    pub fn take(&mut self, space: usize) -> InboxBatch {
        let mut batch = InboxBatch {
            ordered: Vec::new(),
            changes: Vec::new(),
            is_urgent: std::mem::take(&mut self.is_urgent),
            oldest_since: None,
            pending_joins: std::mem::take(&mut self.pending_joins),
            join_batches: std::mem::take(&mut self.join_batches),
            remote_viewers: self.remote_viewers.take(),
            drain: self.drain.take(),
            is_closed: self.is_closed,
            has_more: false,
        };
        if self.is_synced {
            batch.changes.extend(self.changes.drain().map(|(_, change)| change));
            let before = self.event_bytes;
            while batch.is_urgent || before - self.event_bytes < space {
                let Some(next) = self.pop() else { break };
                batch.ordered.push(next);
            }
            batch.has_more = !self.ordered.is_empty();
            // What stays behind has waited about as long.
            batch.oldest_since = if batch.has_more { self.oldest_since } else { self.oldest_since.take() };
        }
        batch
    }

    /// Takes notified members, a few at a time so that the broadcast continues.
    pub fn take_notified(&mut self, max: usize) -> Vec<Arc<Member>> {
        let taken = self.notified.drain(..max.min(self.notified.len())).collect();
        if self.notified.is_empty() {
            self.notified.shrink_to(64);
        }
        taken
    }

    fn is_full(&self, count: usize) -> bool {
        EVENT_QUEUE_MAX < self.events + count || EVENT_QUEUE_BYTES_MAX < self.event_bytes
    }

    fn pop(&mut self) -> Option<OrderedInput> {
        let next = self.ordered.pop_front()?;
        if let OrderedInput::Events { events, .. } = &next {
            self.events -= events.len();
            self.event_bytes -= json_bytes(events);
        }
        Some(next)
    }
}

fn json_bytes(events: &[EncodedEvent]) -> usize {
    events.iter().map(|event| event.json.len()).sum()
}
