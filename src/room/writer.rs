//! The one task that owns a room: it orders what comes in, makes the frames, and walks them to the viewers.
//!
//! A turn: serve who wants something for themselves, take the inbox, flush if the pace allows or something is urgent,
//! greet who came in. Nothing here waits for a viewer; the walk yields every 64 sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::inbox::{Arrival, Ordered};
use super::line::Line;
use super::pace::{Pace, ViewerCount};
use super::ring::{Resume, Ring};
use super::{Member, Position, Room, count, lock, retry_ms};
use crate::clock::Clock;
use crate::domain::{Millis, Role, UserId};
use crate::protocol::{Close, Logged, State, Why, server};

const SENDS_PER_YIELD: usize = 64;
/// A frame takes about this many bytes of events; more wait for the next one.
const FRAME_BYTES: usize = 64 * 1024;
/// What is urgent takes all before it along, in several frames if it must.
const FRAME_BYTES_MAX: usize = 2 * FRAME_BYTES;
const SWEEP_MS: Millis = 500;
/// A client may be ahead of this node by what is still on its way here.
const AHEAD_MS: Millis = 1_000;
const TAILS_MAX: usize = 64;

/// Whose connection it is: newest wins. A guest is known by the session alone.
type SessionKey = (Option<UserId>, String);

pub struct Writer {
    room: Arc<Room>,
    clock: Clock,
    lines: Vec<Line>,
    sessions: HashMap<SessionKey, Arc<Member>>,
    /// Wait for hello.
    waiting: Vec<Arc<Member>>,
    /// Their lines are over.
    graves: Vec<Arc<Member>>,
    begun: bool,
    ring: Ring,
    state: State,
    /// The last event taken in, sent or pending.
    tail: Position,
    pending: Vec<(u64, Logged)>,
    pending_bytes: usize,
    urgent: bool,
    /// Continuity was lost: the next frame is a snapshot.
    broken: Option<Why>,
    pace: Pace,
    count: ViewerCount,
    watching: usize,
    elsewhere: u64,
    /// The shared parts of hello, by the position they go on from; valid until something changes.
    tails: HashMap<Option<u64>, Bytes>,
    /// The same for a viewer who is brought to the head.
    slow: Option<Bytes>,
    sweep_at: Millis,
    /// Everybody is to be elsewhere by then.
    drain_until: Option<Millis>,
}

impl Writer {
    pub fn new(room: Arc<Room>) -> Self {
        let nowhere = Position { epoch: "".into(), seq: 0 };
        Self {
            clock: room.clock.clone(),
            room,
            lines: Vec::new(),
            sessions: HashMap::new(),
            waiting: Vec::new(),
            graves: Vec::new(),
            begun: false,
            ring: Ring::new(nowhere.clone()),
            state: State::default(),
            tail: nowhere,
            pending: Vec::new(),
            pending_bytes: 0,
            urgent: false,
            broken: None,
            pace: Pace::default(),
            count: ViewerCount::default(),
            watching: 0,
            elsewhere: 0,
            tails: HashMap::new(),
            slow: None,
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
        for arrival in turn.arrivals {
            self.seat(arrival, now);
        }
        self.elsewhere = turn.elsewhere.unwrap_or(self.elsewhere);
        if let Some(over_ms) = turn.drain {
            self.drain(now, over_ms);
        }
        self.count_viewers(now);
        let news = self.begun && self.has_news();
        if news && (self.urgent || self.broken.is_some() || self.pace.next_at() <= now) {
            self.flush(now);
            self.walk().await;
            self.pace.walked(now, self.clock.now(), self.lines.len());
        }
        if !news {
            // What was urgent was known already.
            self.urgent = false;
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

    fn forget_shared(&mut self) {
        self.tails.clear();
        self.slow = None;
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
                self.ring.forget_recent();
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

    fn seat(&mut self, arrival: Arrival, now: Millis) {
        let member = arrival.member.clone();
        if member.is_gone() {
            return;
        }
        if let Some(key) = session_key(&member)
            && let Some(older) = self.sessions.insert(key, member.clone())
            && let Some(place) = self.place(&older)
        {
            self.close(place, Close::Replaced, now);
        }
        let mut line = Line::new(arrival, now);
        line.moving_at = self.drain_until.map(|until| moving_at(now, until));
        self.watching += usize::from(line.counted);
        member.slot.store(self.lines.len(), Ordering::Relaxed);
        self.lines.push(line);
        self.waiting.push(member.clone());
        // It may have been told to close before it had a line.
        self.serve(&member, now);
    }

    fn drain(&mut self, now: Millis, over_ms: Millis) {
        let until = now + over_ms;
        self.drain_until = Some(until);
        self.lines.iter_mut().for_each(|line| line.moving_at = Some(moving_at(now, until)));
    }

    fn shown_viewers(&self) -> u64 {
        self.watching as u64 + self.elsewhere
    }

    fn count_viewers(&mut self, now: Millis) {
        self.room.show_viewers(self.watching);
        let shown = self.shown_viewers();
        if let Some(viewers) = self.count.show(shown, now)
            && self.state.set_viewers(viewers)
        {
            self.forget_shared();
        }
    }

    // What goes out.

    /// Makes frames of all that is pending, in order.
    fn flush(&mut self, now: Millis) {
        self.urgent = false;
        self.pending_bytes = 0;
        self.forget_shared();
        let pending = std::mem::take(&mut self.pending);
        if let Some(why) = self.broken.take() {
            self.ring.restart(self.tail.clone(), &pending);
            let Position { epoch, seq } = &self.tail;
            let frame = server::snapshot(why, epoch, *seq, self.ring.recent(), &self.state);
            self.state.mark_sent();
            let cursor = self.ring.head();
            self.ring.push(now, frame, Vec::new());
            self.lines.iter_mut().for_each(|line| line.jump(cursor));
            count(&self.room.tally.broken, 1);
            count(&self.room.tally.frames, 1);
            return;
        }
        let mut pending = pending.into_iter().peekable();
        while pending.peek().is_some() || self.state.has_unsent() {
            let mut bytes = 0;
            let mut events = Vec::with_capacity(pending.len());
            while bytes < FRAME_BYTES_MAX
                && let Some(event) = pending.next()
            {
                bytes += event.1.json.len();
                events.push(event);
            }
            let seq = events.last().map_or(self.ring.position().seq, |(seq, _)| *seq);
            let frame = server::tick(seq, &events, &mut self.state);
            self.ring.push(now, frame, events);
            count(&self.room.tally.frames, 1);
        }
    }

    /// Brings the new frames to everybody whose socket takes them.
    async fn walk(&mut self) {
        let (now, head) = (self.clock.now(), self.ring.head());
        let mut sends = 0;
        // Lines are removed only after the walk, so places hold.
        for place in 0..self.lines.len() {
            if self.lines[place].wants(head) {
                self.write(place, now);
                sends += 1;
            } else if self.lines[place].is_too_far_behind(&self.ring) {
                self.close(place, Close::Slow { retry_ms: retry_ms() }, now);
            }
            if sends == SENDS_PER_YIELD {
                sends = 0;
                self.serve_some();
                tokio::task::yield_now().await;
            }
        }
    }

    fn write(&mut self, place: usize, now: Millis) {
        let snapshot = || {
            let Position { epoch, seq } = self.ring.position();
            let make = || server::snapshot(Why::Slow, epoch, *seq, self.ring.recent(), &self.state).into_bytes();
            self.slow.get_or_insert_with(make).clone()
        };
        let line = &mut self.lines[place];
        if let Some(close) = line.write(&self.ring, now, &self.room.tally, snapshot) {
            self.close(place, close, now);
        } else if line.over {
            self.graves.push(line.member.clone());
        }
    }

    fn close(&mut self, place: usize, close: Close, now: Millis) {
        let line = &mut self.lines[place];
        if line.is_closing() {
            return;
        }
        self.watching -= usize::from(std::mem::take(&mut line.counted));
        line.close(close, now);
        if matches!(close, Close::Slow { .. }) {
            count(&self.room.tally.closed_slow, 1);
        }
        if !line.is_blocked() {
            self.write(place, now);
        }
    }

    /// Serves those who want something for themselves: at most each once, so that they cannot hold up the room.
    async fn serve_poked(&mut self) {
        for _ in 0..=self.lines.len() / SENDS_PER_YIELD {
            if self.serve_some() < SENDS_PER_YIELD {
                return;
            }
            tokio::task::yield_now().await;
        }
        self.room.wake.notify_one();
    }

    fn serve_some(&mut self) -> usize {
        let now = self.clock.now();
        let poked = lock(&self.room.inbox).take_poked(SENDS_PER_YIELD);
        for member in &poked {
            self.serve(member, now);
        }
        poked.len()
    }

    fn serve(&mut self, member: &Arc<Member>, now: Millis) {
        member.take_poke();
        let Some(place) = self.place(member) else { return };
        let line = &mut self.lines[place];
        line.unblock();
        if member.is_gone() {
            line.end();
            self.graves.push(member.clone());
        } else if let Some(close) = member.asked_to_close()
            && !line.is_closing()
        {
            self.close(place, close, now);
        } else if !line.is_blocked() {
            self.write(place, now);
        }
    }

    fn place(&self, member: &Arc<Member>) -> Option<usize> {
        let place = member.slot.load(Ordering::Relaxed);
        self.lines.get(place).filter(|line| Arc::ptr_eq(&line.member, member)).map(|_| place)
    }

    // Those who came in.

    async fn greet(&mut self) {
        if !self.begun {
            return;
        }
        let mut sends = 0;
        for member in std::mem::take(&mut self.waiting) {
            let now = self.clock.now();
            let Some(place) = self.place(&member) else { continue };
            let line = &self.lines[place];
            let Some(hello) = line.hello.as_ref().filter(|_| !line.is_closing()) else { continue };
            let from = match self.ring.resume(hello.position.as_ref()) {
                Resume::After(seq) => Some(seq),
                Resume::Ahead if now < line.joined_at + AHEAD_MS => {
                    self.waiting.push(member);
                    continue;
                }
                Resume::Ahead | Resume::Fresh => None,
            };
            let tally = &self.room.tally;
            count(if from.is_some() { &tally.resumed } else { &tally.fresh }, 1);
            let you = hello.you.clone();
            let frame = server::hello(from.is_some(), now, &you, &self.tail_from(from));
            self.lines[place].greet(frame, self.ring.head());
            self.write(place, now);
            sends += 1;
            if sends == SENDS_PER_YIELD {
                sends = 0;
                self.serve_some();
                tokio::task::yield_now().await;
            }
        }
    }

    /// The part of hello that is the same for all who go on from the same position.
    fn tail_from(&mut self, from: Option<u64>) -> Bytes {
        if let Some(tail) = self.tails.get(&from) {
            return tail.clone();
        }
        if self.tails.len() == TAILS_MAX {
            self.tails.clear();
        }
        let Position { epoch, seq } = self.ring.position();
        let tail = match from {
            Some(from) => server::hello_tail(epoch, *seq, self.ring.events_after(from), &self.state),
            None => server::hello_tail(epoch, *seq, self.ring.recent(), &self.state),
        };
        let tail = Bytes::from(tail);
        self.tails.insert(from, tail.clone());
        tail
    }

    // What time does.

    async fn sweep(&mut self) {
        let now = self.clock.now();
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP_MS;
        self.ring.trim(now);
        let mut acts = 0;
        for place in 0..self.lines.len() {
            let line = &mut self.lines[place];
            match line.check(now) {
                (Some(close), _) => self.close(place, close, now),
                (None, true) if !line.is_blocked() => self.write(place, now),
                _ if line.over => self.graves.push(line.member.clone()),
                _ => continue,
            }
            acts += 1;
            if acts == SENDS_PER_YIELD {
                acts = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Removes the lines that are over.
    fn bury(&mut self) {
        for member in std::mem::take(&mut self.graves) {
            let Some(place) = self.place(&member) else { continue };
            let line = self.lines.swap_remove(place);
            self.watching -= usize::from(line.counted);
            member.slot.store(usize::MAX, Ordering::Relaxed);
            if let Some(moved) = self.lines.get(place) {
                moved.member.slot.store(place, Ordering::Relaxed);
            }
            if let Some(key) = session_key(&member)
                && self.sessions.get(&key).is_some_and(|newest| Arc::ptr_eq(newest, &member))
            {
                self.sessions.remove(&key);
            }
        }
        if self.lines.is_empty() {
            self.lines = Vec::new();
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
        self.room.show_viewers(0);
    }
}

fn session_key(member: &Member) -> Option<SessionKey> {
    let session = member.session.clone()?;
    Some(((member.actor.role != Role::Guest).then(|| member.actor.user.clone()), session))
}

fn moving_at(now: Millis, until: Millis) -> Millis {
    rand::random_range(now..=until.max(now))
}
