//! The one task that owns a room: it orders what comes in, makes the frames, and walks them to the viewers.
//!
//! A turn: serve who wants something for themselves, take the inbox, flush if the pace allows or something is urgent,
//! greet who came in. `door.rs` and `walk.rs` are its other two parts. Nothing waits for a viewer.
//!
//! One writer a room: on two cores shared with the crowd, two rooms of 4,000 were no faster than one of 8,000 at the
//! same rate (p50 134–235 ms against 110–147). Rooms spread over the workers by themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::inbox::{Drain, Ordered};
use super::line::Line;
use super::member::Who;
use super::pace::{Pace, ViewerCount};
use super::ring::{Encoded, Ring};
use super::{Member, Position, Room, lock};
use crate::clock::Clock;
use crate::domain::{Millis, OfferId};
use crate::protocol::{Logged, State, Tail, Why};

pub const SENDS_PER_YIELD: usize = 64;
/// A frame takes about this many bytes of events; more wait for the next one.
const FRAME_BYTES: usize = 64 * 1024;

pub struct Writer {
    pub(super) room: Arc<Room>,
    pub(super) clock: Clock,
    pub(super) lines: Vec<Line>,
    pub(super) sessions: HashMap<Who, Arc<Member>>,
    /// Wait for hello.
    pub(super) waiting: VecDeque<Arc<Member>>,
    /// Their lines are over.
    pub(super) graves: Vec<Arc<Member>>,
    pub(super) begun: bool,
    pub(super) ring: Ring,
    pub(super) state: State,
    /// The last event taken in, sent or pending.
    pub(super) tail: Position,
    pub(super) pending: Vec<(u64, Logged)>,
    pub(super) pending_bytes: usize,
    pub(super) urgent: bool,
    /// Since when the oldest of what is pending waits.
    pub(super) since: Option<Instant>,
    /// Continuity was lost: the next frame is a snapshot.
    pub(super) broken: Option<Why>,
    pub(super) pace: Pace,
    pub(super) count: ViewerCount,
    pub(super) watching: usize,
    /// How many read deflated frames, and how many are asked what they have seen.
    pub(super) deflating: usize,
    pub(super) sampled: usize,
    pub(super) asked_about: Option<OfferId>,
    pub(super) elsewhere: u64,
    /// The shared parts of hello, by the position they go on from; valid until something changes.
    pub(super) tails: HashMap<Option<u64>, Tail>,
    /// The same for a viewer who is brought to the head, and the values for those who get nothing else.
    pub(super) slow: Option<Encoded>,
    pub(super) values: Option<Bytes>,
    pub(super) sweep_at: Millis,
    /// Everybody is to be elsewhere by then.
    pub(super) drain_until: Option<(Millis, Drain)>,
}

impl Writer {
    pub fn new(room: Arc<Room>) -> Self {
        let nowhere = Position { epoch: "".into(), seq: 0 };
        Self {
            clock: room.clock.clone(),
            room,
            lines: Vec::new(),
            sessions: HashMap::new(),
            waiting: VecDeque::new(),
            graves: Vec::new(),
            begun: false,
            ring: Ring::new(nowhere.clone()),
            state: State::default(),
            tail: nowhere,
            pending: Vec::new(),
            pending_bytes: 0,
            urgent: false,
            since: None,
            broken: None,
            pace: Pace::default(),
            count: ViewerCount::default(),
            watching: 0,
            deflating: 0,
            sampled: 0,
            asked_about: None,
            elsewhere: 0,
            tails: HashMap::new(),
            slow: None,
            values: None,
            sweep_at: 0,
            drain_until: None,
        }
    }

    pub async fn run(mut self) {
        let room = self.room.clone();
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                () = room.wake.notified() => {}
                () = self.clock.sleep_until(wake_at.unwrap_or(0)), if wake_at.is_some() => {}
            }
            if !self.turn().await {
                return;
            }
        }
    }

    fn wake_at(&self) -> Option<Millis> {
        let sweep = (!self.lines.is_empty()).then_some(self.sweep_at);
        let frame = (self.begun && self.has_news()).then_some(self.pace.next_at());
        let number = self.count.due(self.shown_viewers()).filter(|_| self.begun);
        [sweep, frame, number].into_iter().flatten().min()
    }

    /// `false` when the room is closed.
    async fn turn(&mut self) -> bool {
        self.serve_poked().await;
        let turn = self.room.take(FRAME_BYTES.saturating_sub(self.pending_bytes));
        if turn.closed {
            return false;
        }
        let now = self.clock.now();
        for ordered in turn.ordered {
            self.take_in(ordered, now);
        }
        for change in turn.changes {
            if self.state.set(change) {
                self.forget_shared();
            }
        }
        self.urgent |= turn.urgent;
        self.since = self.since.or(turn.since);
        for arrival in turn.arrivals {
            self.seat(arrival, now);
        }
        for arrivals in turn.announced {
            self.hear_arrivals(&arrivals, now);
        }
        self.elsewhere = turn.elsewhere.unwrap_or(self.elsewhere);
        if let Some(drain) = turn.drain {
            self.drain(now, drain);
        }
        self.count_viewers(now);
        let news = self.begun && self.has_news();
        if news && (self.urgent || self.broken.is_some() || self.pace.next_at() <= now) {
            let (began, since) = (Instant::now(), self.since.take());
            self.flush(now);
            self.walk().await;
            let ended = self.clock.now();
            self.pace.walked(now, ended, self.lines.len());
            self.room.tally.walks.add(began.elapsed());
            if let Some(since) = since {
                self.room.tally.to_sockets.add(since.elapsed());
            }
        }
        if !news {
            // What was urgent was known already.
            (self.urgent, self.since) = (false, None);
        }
        if turn.more && self.pending.is_empty() {
            self.room.wake.notify_one();
        }
        self.greet().await;
        self.sweep().await;
        self.bury();
        true
    }

    fn has_news(&self) -> bool {
        !self.pending.is_empty() || self.broken.is_some() || self.state.has_unsent()
    }

    pub(super) fn forget_shared(&mut self) {
        self.tails.clear();
        self.slow = None;
        self.values = None;
    }

    // What comes in.

    fn take_in(&mut self, ordered: Ordered, now: Millis) {
        match ordered {
            Ordered::Begin { position, recent } if !self.begun => {
                self.begun = true;
                self.tail = position.clone();
                self.ring = Ring::new(position);
                self.ring.seed(now, recent);
            }
            Ordered::Begin { position, recent } if position.epoch != self.tail.epoch => {
                self.ring.forget_told(&recent);
                self.pending = recent;
                self.lose_continuity(Why::Epoch, position);
            }
            Ordered::Begin { position, recent } => {
                for (seq, event) in recent {
                    self.add(seq, event);
                }
                if self.tail.seq < position.seq {
                    self.lose_continuity(Why::Hole, position);
                }
            }
            Ordered::Log { epoch, first_seq, events } => {
                if epoch != self.tail.epoch {
                    self.pending.iter_mut().for_each(|(seq, _)| *seq = 0);
                    self.lose_continuity(Why::Epoch, Position { epoch, seq: first_seq.saturating_sub(1) });
                }
                for (seq, event) in (first_seq..).zip(events) {
                    self.add(seq, event);
                }
            }
        }
    }

    fn add(&mut self, seq: u64, event: Logged) {
        if seq <= self.tail.seq {
            return;
        }
        if seq != self.tail.seq + 1 {
            let epoch = self.tail.epoch.clone();
            self.lose_continuity(Why::Hole, Position { epoch, seq: seq - 1 });
        }
        self.tail.seq = seq;
        self.pending_bytes += event.json.len();
        self.pending.push((seq, event));
    }

    /// Never continue over a hole: everybody gets a snapshot of where we are then, and nobody resumes from before.
    fn lose_continuity(&mut self, why: Why, position: Position) {
        self.tail = position;
        if self.broken != Some(Why::Epoch) {
            self.broken = Some(why);
        }
    }

    fn shown_viewers(&self) -> u64 {
        self.watching as u64 + self.elsewhere
    }

    fn count_viewers(&mut self, now: Millis) {
        let shown = self.shown_viewers();
        self.room.show_viewers(self.watching, shown as usize);
        if let Some(viewers) = self.count.show(shown, now)
            && self.state.set_viewers(viewers)
        {
            self.forget_shared();
        }
    }
}

/// Closed or broken: nobody waits for this room any more.
impl Drop for Writer {
    fn drop(&mut self) {
        let arrivals = lock(&self.room.inbox).close();
        arrivals.iter().for_each(|arrival| arrival.member.end());
        self.lines.iter().for_each(|line| line.member.end());
        self.room.space.notify_waiters();
        self.room.show_viewers(0, 0);
    }
}
