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

use super::member::{Wants, Who};
use super::{Member, Position};
use crate::domain::Millis;
use crate::protocol::state::StateKey;
use crate::protocol::{Logged, StateChange};

const EVENTS_MAX: usize = 2_048;
const EVENT_BYTES_MAX: usize = 256 * 1024;
const ARRIVALS_MAX: usize = 8_192;
const ANNOUNCED_MAX: usize = 1_024;
/// A room without seats lives this long, and the node hears of its stream.
pub const IDLE_MS: Millis = 30_000;

pub struct Inbox {
    ordered: VecDeque<Ordered>,
    events: usize,
    event_bytes: usize,
    urgent: bool,
    /// Since when the oldest event or value waits.
    since: Option<Instant>,
    begun: bool,
    changes: HashMap<StateKey, StateChange>,
    arrivals: Vec<Arrival>,
    announced: VecDeque<Arrivals>,
    poked: VecDeque<Arc<Member>>,
    pub elsewhere: Option<u64>,
    pub drain: Option<Drain>,
    /// Seats handed out and not dropped yet.
    seats: usize,
    /// When it last had a seat, or was opened.
    used_at: Millis,
    closed: bool,
}

/// What must reach the writer in the order it came.
pub enum Ordered {
    Begin { position: Position, recent: Vec<(u64, Logged)> },
    Log { epoch: Arc<str>, first_seq: u64, events: Vec<Logged> },
}

pub struct Arrival {
    pub member: Arc<Member>,
    pub wants: Wants,
}

/// Sessions that came in, by their digest and the number of their arrival on their node.
pub struct Arrivals {
    pub sessions: Vec<(Who, u64)>,
    pub own: bool,
}

pub enum Offered {
    Taken,
    Full,
}

/// How a room is emptied.
#[derive(Clone, Copy)]
pub struct Drain {
    pub over_ms: Millis,
    pub within_ms: Millis,
}

/// What the writer takes at once.
pub struct Turn {
    pub ordered: Vec<Ordered>,
    pub changes: Vec<StateChange>,
    pub urgent: bool,
    pub since: Option<Instant>,
    pub arrivals: Vec<Arrival>,
    pub announced: VecDeque<Arrivals>,
    pub elsewhere: Option<u64>,
    pub drain: Option<Drain>,
    pub closed: bool,
    pub freed: bool,
    /// Events stayed behind for want of space.
    pub more: bool,
}

impl Inbox {
    pub fn new(now: Millis) -> Self {
        Self {
            ordered: VecDeque::new(),
            events: 0,
            event_bytes: 0,
            urgent: false,
            since: None,
            begun: false,
            changes: HashMap::new(),
            arrivals: Vec::new(),
            announced: VecDeque::new(),
            poked: VecDeque::new(),
            elsewhere: None,
            drain: None,
            seats: 0,
            used_at: now,
            closed: false,
        }
    }

    pub fn begin(&mut self, position: Position, state: Vec<StateChange>, recent: Vec<(u64, Logged)>) {
        if self.closed {
            return;
        }
        for change in state {
            self.set(change, false);
        }
        let begin = Ordered::Begin { position, recent };
        // Events that came while the position was being looked up follow it; the writer drops what it covers.
        match self.begun {
            true => self.ordered.push_back(begin),
            false => self.ordered.push_front(begin),
        }
        self.begun = true;
    }

    /// Takes the events out of `events` when there is space.
    pub fn log(&mut self, epoch: &str, first_seq: u64, events: &mut Option<Vec<Logged>>) -> Offered {
        let Some(count) = events.as_ref().map(Vec::len).filter(|count| *count > 0 && !self.closed) else {
            return Offered::Taken;
        };
        while self.is_full(count) && !self.ordered.is_empty() {
            if self.begun || self.pop().is_none() {
                return Offered::Full;
            }
        }
        if let Some(events) = events.take() {
            self.events += count;
            self.event_bytes += bytes(&events);
            self.urgent |= events.iter().any(|event| event.urgent);
            self.since.get_or_insert_with(Instant::now);
            self.ordered.push_back(Ordered::Log { epoch: epoch.into(), first_seq, events });
        }
        Offered::Taken
    }

    pub fn set(&mut self, change: StateChange, urgent: bool) {
        if self.closed {
            return;
        }
        self.urgent |= urgent;
        self.since.get_or_insert_with(Instant::now);
        match self.changes.entry(change.key()) {
            std::collections::hash_map::Entry::Occupied(mut old) => {
                if change.replaces(old.get()) {
                    old.insert(change);
                }
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(change);
            }
        }
    }

    pub fn join(&mut self, arrival: Arrival) -> bool {
        if self.closed || ARRIVALS_MAX <= self.arrivals.len() {
            return false;
        }
        self.arrivals.push(arrival);
        self.seats += 1;
        true
    }

    pub fn announce(&mut self, arrivals: Arrivals) {
        if self.closed {
            return;
        }
        if self.announced.len() == ANNOUNCED_MAX {
            self.announced.pop_front();
        }
        self.announced.push_back(arrivals);
    }

    pub fn has_seats(&self) -> bool {
        self.seats > 0
    }

    /// Events that wait, and seats.
    pub fn load(&self) -> (usize, usize) {
        (self.events, self.seats)
    }

    pub fn leave(&mut self, now: Millis) {
        self.seats = self.seats.saturating_sub(1);
        self.used_at = now;
    }

    pub fn poke(&mut self, member: Arc<Member>) {
        if !self.closed {
            self.poked.push_back(member);
        }
    }

    /// Somebody is about to join; says no when it is too late for that.
    pub fn touch(&mut self, now: Millis) -> bool {
        self.used_at = now;
        !self.closed
    }

    /// Closes when nobody has been here for a while.
    pub fn close_if_idle(&mut self, now: Millis) -> bool {
        if self.seats == 0 && IDLE_MS <= now - self.used_at {
            self.close();
        }
        self.closed
    }

    /// Closes from outside: the writer lets everybody go.
    pub fn shut(&mut self) {
        self.closed = true;
    }

    /// Nothing goes in any more. What waits is freed here: it may hold the room itself.
    pub fn close(&mut self) -> Vec<Arrival> {
        self.closed = true;
        self.ordered.clear();
        self.changes.clear();
        self.poked.clear();
        (self.events, self.event_bytes) = (0, 0);
        std::mem::take(&mut self.arrivals)
    }

    /// `space`: how many bytes of events the next frame can still take; more stay here, unless something is urgent.
    pub fn take(&mut self, space: usize) -> Turn {
        let mut turn = Turn {
            ordered: Vec::new(),
            changes: Vec::new(),
            urgent: std::mem::take(&mut self.urgent),
            since: None,
            arrivals: std::mem::take(&mut self.arrivals),
            announced: std::mem::take(&mut self.announced),
            elsewhere: self.elsewhere.take(),
            drain: self.drain.take(),
            closed: self.closed,
            freed: self.closed,
            more: false,
        };
        if self.begun {
            turn.changes.extend(self.changes.drain().map(|(_, change)| change));
            let before = self.event_bytes;
            while turn.urgent || before - self.event_bytes < space {
                let Some(next) = self.pop() else { break };
                turn.ordered.push(next);
            }
            turn.freed |= !turn.ordered.is_empty();
            turn.more = !self.ordered.is_empty();
            // What stays behind has waited about as long.
            turn.since = if turn.more { self.since } else { self.since.take() };
        }
        turn
    }

    /// Members who want something, a few at a time so that the walk goes on.
    pub fn take_poked(&mut self, most: usize) -> Vec<Arc<Member>> {
        let taken = self.poked.drain(..most.min(self.poked.len())).collect();
        if self.poked.is_empty() {
            self.poked.shrink_to(64);
        }
        taken
    }

    fn is_full(&self, count: usize) -> bool {
        EVENTS_MAX < self.events + count || EVENT_BYTES_MAX < self.event_bytes
    }

    fn pop(&mut self) -> Option<Ordered> {
        let next = self.ordered.pop_front()?;
        if let Ordered::Log { events, .. } = &next {
            self.events -= events.len();
            self.event_bytes -= bytes(events);
        }
        Some(next)
    }
}

fn bytes(events: &[Logged]) -> usize {
    events.iter().map(|event| event.json.len()).sum()
}
