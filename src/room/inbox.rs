//! What waits for a room's writer. Every part has a bound and a plan for when it is reached:
//!
//! - events: 2,048 or 256 KiB, then [`super::Room::log`] waits (before the room has begun: the oldest are dropped)
//! - values: one per key, the newest
//! - arrivals: 8,192, then "overload, come back"
//! - sessions that came in anywhere: 1,024 batches, then the oldest are forgotten
//! - members who want something: each at most once

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::member::{HelloRequest, SessionDigest};
use super::{Member, StreamPosition};
use crate::domain::Millis;
use crate::protocol::state::StateKey;
use crate::protocol::{EncodedEvent, StateChange};

const EVENT_QUEUE_MAX: usize = 2_048;
const EVENT_QUEUE_BYTES_MAX: usize = 256 * 1024;
const JOIN_QUEUE_MAX: usize = 8_192;
const JOIN_NOTICE_QUEUE_MAX: usize = 1_024;
/// A room without seats lives this long, and the node hears of its stream.
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
    join_notices: VecDeque<JoinNotice>,
    notified: VecDeque<Arc<Member>>,
    pub remote_viewers: Option<u64>,
    pub drain: Option<DrainPlan>,
    /// Seats handed out and not dropped yet.
    connections: usize,
    /// When it last had a seat, or was opened.
    last_used_at: Millis,
    is_closed: bool,
}

/// What must reach the writer in the order it came.
pub enum OrderedInput {
    Sync { position: StreamPosition, recent: Vec<(u64, EncodedEvent)> },
    Events { epoch: Arc<str>, first_seq: u64, events: Vec<EncodedEvent> },
}

pub struct PendingJoin {
    pub member: Arc<Member>,
    pub hello_request: HelloRequest,
}

/// Sessions that came in, by their digest and the number of their arrival on their node.
pub struct JoinNotice {
    pub sessions: Vec<(SessionDigest, u64)>,
    pub is_local: bool,
}

pub enum EnqueueResult {
    Accepted,
    Full,
}

/// How a room is emptied.
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
    pub join_notices: VecDeque<JoinNotice>,
    pub remote_viewers: Option<u64>,
    pub drain: Option<DrainPlan>,
    pub is_closed: bool,
    pub has_freed_space: bool,
    /// Events stayed behind for want of space.
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
            join_notices: VecDeque::new(),
            notified: VecDeque::new(),
            remote_viewers: None,
            drain: None,
            connections: 0,
            last_used_at: now,
            is_closed: false,
        }
    }

    pub fn begin(&mut self, position: StreamPosition, state: Vec<StateChange>, recent: Vec<(u64, EncodedEvent)>) {
        if self.is_closed {
            return;
        }
        for change in state {
            self.set_state(change, false);
        }
        let begin = OrderedInput::Sync { position, recent };
        // Events that came while the position was being looked up follow it; the writer drops what it covers.
        match self.is_synced {
            true => self.ordered.push_back(begin),
            false => self.ordered.push_front(begin),
        }
        self.is_synced = true;
    }

    /// Takes the events out of `events` when there is space.
    pub fn append_events(
        &mut self,
        epoch: &str,
        first_seq: u64,
        events: &mut Option<Vec<EncodedEvent>>,
    ) -> EnqueueResult {
        let Some(count) = events.as_ref().map(Vec::len).filter(|count| *count > 0 && !self.is_closed) else {
            return EnqueueResult::Accepted;
        };
        while self.is_full(count) && !self.ordered.is_empty() {
            if self.is_synced || self.pop().is_none() {
                return EnqueueResult::Full;
            }
        }
        if let Some(events) = events.take() {
            self.events += count;
            self.event_bytes += json_bytes(&events);
            self.is_urgent |= events.iter().any(|event| event.is_urgent);
            self.oldest_since.get_or_insert_with(Instant::now);
            self.ordered.push_back(OrderedInput::Events { epoch: epoch.into(), first_seq, events });
        }
        EnqueueResult::Accepted
    }

    pub fn set_state(&mut self, change: StateChange, urgent: bool) {
        if self.is_closed {
            return;
        }
        self.is_urgent |= urgent;
        self.oldest_since.get_or_insert_with(Instant::now);
        match self.changes.entry(change.key()) {
            std::collections::hash_map::Entry::Occupied(mut old) => {
                if change.supersedes(old.get()) {
                    old.insert(change);
                }
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(change);
            }
        }
    }

    pub fn join(&mut self, arrival: PendingJoin) -> bool {
        if self.is_closed || JOIN_QUEUE_MAX <= self.pending_joins.len() {
            return false;
        }
        self.pending_joins.push(arrival);
        self.connections += 1;
        true
    }

    pub fn push_join_notice(&mut self, arrivals: JoinNotice) {
        if self.is_closed {
            return;
        }
        if self.join_notices.len() == JOIN_NOTICE_QUEUE_MAX {
            self.join_notices.pop_front();
        }
        self.join_notices.push_back(arrivals);
    }

    pub fn has_connections(&self) -> bool {
        self.connections > 0
    }

    /// Events that wait, and seats.
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

    /// Somebody is about to join; says no when it is too late for that.
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

    /// Closes from outside: the writer lets everybody go.
    pub fn shut(&mut self) {
        self.is_closed = true;
    }

    /// Nothing goes in any more. What waits is freed here: it may hold the room itself.
    pub fn close(&mut self) -> Vec<PendingJoin> {
        self.is_closed = true;
        self.ordered.clear();
        self.changes.clear();
        self.notified.clear();
        (self.events, self.event_bytes) = (0, 0);
        std::mem::take(&mut self.pending_joins)
    }

    /// `space`: how many bytes of events the next frame can still take; more stay here, unless something is urgent.
    pub fn take(&mut self, space: usize) -> InboxBatch {
        let mut turn = InboxBatch {
            ordered: Vec::new(),
            changes: Vec::new(),
            is_urgent: std::mem::take(&mut self.is_urgent),
            oldest_since: None,
            pending_joins: std::mem::take(&mut self.pending_joins),
            join_notices: std::mem::take(&mut self.join_notices),
            remote_viewers: self.remote_viewers.take(),
            drain: self.drain.take(),
            is_closed: self.is_closed,
            has_freed_space: self.is_closed,
            has_more: false,
        };
        if self.is_synced {
            turn.changes.extend(self.changes.drain().map(|(_, change)| change));
            let before = self.event_bytes;
            while turn.is_urgent || before - self.event_bytes < space {
                let Some(next) = self.pop() else { break };
                turn.ordered.push(next);
            }
            turn.has_freed_space |= !turn.ordered.is_empty();
            turn.has_more = !self.ordered.is_empty();
            // What stays behind has waited about as long.
            turn.oldest_since = if turn.has_more { self.oldest_since } else { self.oldest_since.take() };
        }
        turn
    }

    /// Members who want something, a few at a time so that the walk goes on.
    pub fn take_notified(&mut self, most: usize) -> Vec<Arc<Member>> {
        let taken = self.notified.drain(..most.min(self.notified.len())).collect();
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
