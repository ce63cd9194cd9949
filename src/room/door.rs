//! Coming and going: seats, hello, what time does to a viewer, and leaving.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::inbox::{Arrival, Arrivals, Drain};
use super::line::Line;
use super::receipts::SAMPLE_MAX;
use super::ring::Resume;
use super::writer::{SENDS_PER_YIELD, Writer};
use super::{Position, count};
use crate::domain::Millis;
use crate::protocol::{Close, Greeting, Tail, deflate, server};

const SWEEP_MS: Millis = 500;
/// A client may be ahead of this node by what is still on its way here.
const AHEAD_MS: Millis = 1_000;
const TAILS_MAX: usize = 64;
/// After this the bus must have told that one came in; if it did not, it was away.
const UNANNOUNCED_MS: Millis = 5_000;
/// Some milliseconds of work each.
const GREETINGS_PER_TURN: usize = 4 * SENDS_PER_YIELD;
const BURIALS_PER_TURN: usize = 4 * SENDS_PER_YIELD;

/// How one goes on who comes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// With what the ring has after this.
    From(u64),
    /// The same, after so many events of history.
    Bridge(usize),
    Fresh,
}

impl Writer {
    pub(super) fn seat(&mut self, arrival: Arrival, now: Millis) {
        let member = arrival.member.clone();
        if member.is_gone() {
            return;
        }
        if let Some(who) = member.who
            && let Some(older) = self.sessions.insert(who, member.clone())
            && let Some(place) = self.place(&older)
        {
            self.close(place, Close::Replaced, now);
        }
        let mut line = Line::new(arrival, now);
        self.deflating += usize::from(member.deflate);
        line.moving = self.drain_until.map(|(until, drain)| (moving_at(now, until), drain.within_ms));
        self.watching += usize::from(line.counted);
        member.slot.store(self.lines.len(), Ordering::Relaxed);
        self.lines.push(line);
        self.waiting.push_back(member.clone());
        // It may have been told to close before it had a line.
        self.serve(&member, now);
    }

    /// Sessions that came in somewhere, in the order in which all nodes hear of them. Ours that was heard of before is the
    /// older one; ours that was not yet is heard of later, and then the other node lets its own go.
    pub(super) fn hear_arrivals(&mut self, arrivals: &Arrivals, now: Millis) {
        for (who, number) in &arrivals.sessions {
            let Some(member) = self.sessions.get(who).cloned() else { continue };
            if arrivals.own {
                if member.arrival == *number {
                    member.announced.store(true, Ordering::Relaxed);
                }
            } else if let Some(place) = self.place(&member)
                && (member.announced.load(Ordering::Relaxed) || self.lines[place].joined_at + UNANNOUNCED_MS < now)
            {
                self.close(place, Close::Replaced, now);
            }
        }
    }

    pub(super) fn drain(&mut self, now: Millis, drain: Drain) {
        let until = now + drain.over_ms;
        self.drain_until = Some((until, drain));
        self.lines.iter_mut().for_each(|line| line.moving = Some((moving_at(now, until), drain.within_ms)));
    }

    /// Says hello to those who came in, some each turn: a crowd coming in does not hold up what the room says.
    pub(super) async fn greet(&mut self) {
        if !self.begun || self.waiting.is_empty() {
            return;
        }
        let mut ahead = Vec::new();
        for turn in 1..=GREETINGS_PER_TURN {
            let Some(member) = self.waiting.pop_front() else { break };
            let now = self.clock.now();
            let Some(place) = self.place(&member) else { continue };
            let line = &self.lines[place];
            let Some(wants) = line.hello.as_ref().filter(|_| !line.is_closing()) else { continue };
            let way = match self.ring.resume(wants.position.as_ref()) {
                Resume::After(seq) => Way::From(seq),
                Resume::Ahead if now < line.joined_at + AHEAD_MS => {
                    ahead.push(member);
                    continue;
                }
                Resume::Ahead | Resume::Fresh => {
                    let asked = wants.position.as_ref().filter(|asked| asked.epoch == self.ring.position().epoch);
                    asked.and_then(|asked| self.ring.bridge(asked, &wants.missed)).map_or(Way::Fresh, Way::Bridge)
                }
            };
            self.say_hello(place, way, now);
            if turn % SENDS_PER_YIELD == 0 {
                self.serve_some();
                tokio::task::yield_now().await;
            }
        }
        if !self.waiting.is_empty() {
            self.room.wake.notify_one();
        }
        self.waiting.extend(ahead);
    }

    fn say_hello(&mut self, place: usize, way: Way, now: Millis) {
        let tally = &self.room.tally;
        let asked = self.lines[place].hello.as_ref().is_some_and(|wants| wants.position.is_some());
        let greeted = match way {
            Way::Fresh if asked => &tally.unrecovered,
            Way::Fresh => &tally.fresh,
            Way::From(_) | Way::Bridge(_) => &tally.resumed,
        };
        count(greeted, 1);
        let tail = match way {
            Way::Bridge(length) => {
                count(&tally.bridged, 1);
                let missed = self.lines[place].hello.as_ref().map_or(&[][..], |wants| &wants.missed[..length]);
                let reached = missed.last().map_or(0, |(seq, _)| *seq);
                let Position { epoch, seq } = self.ring.position();
                let events = missed.iter().chain(self.ring.events_after(reached));
                Tail { plain: server::hello_tail(epoch, *seq, events, &self.state).into(), packed: None }
            }
            Way::From(seq) => self.tail_from(Some(seq)),
            Way::Fresh => self.tail_from(None),
        };
        let line = &mut self.lines[place];
        line.sampled = line.counted && self.sampled < SAMPLE_MAX;
        if line.sampled {
            self.sampled += 1;
            self.room.ask(&line.member, now);
        }
        let you = line.hello.as_ref().map_or(&[][..], |wants| &wants.you);
        let greeting = Greeting { recovered: way != Way::Fresh, now, you, receipts: line.sampled };
        let hello = server::hello(&greeting, &tail, line.member.deflate);
        line.greet(hello, self.ring.head());
        self.write(place, now);
    }

    /// The part of hello that is the same for all who go on from the same position.
    fn tail_from(&mut self, from: Option<u64>) -> Tail {
        if let Some(tail) = self.tails.get(&from) {
            return tail.clone();
        }
        if self.tails.len() == TAILS_MAX {
            self.tails.clear();
        }
        let Position { epoch, seq } = self.ring.position();
        let plain = match from {
            Some(from) => server::hello_tail(epoch, *seq, self.ring.events_after(from), &self.state),
            None => server::hello_tail(epoch, *seq, self.ring.recent(), &self.state),
        };
        let packed = if self.deflating > 0 { deflate::pack(&plain).map(Bytes::from) } else { None };
        let tail = Tail { plain: plain.into(), packed };
        self.tails.insert(from, tail.clone());
        tail
    }

    pub(super) async fn sweep(&mut self) {
        let now = self.clock.now();
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP_MS;
        self.ring.trim(now);
        self.room.show_oldest(&self.ring.position().epoch, self.ring.oldest());
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

    /// Removes lines that are over, some each turn: closing a socket takes longer than writing to one.
    pub(super) fn bury(&mut self) {
        for member in self.graves.split_off(self.graves.len().saturating_sub(BURIALS_PER_TURN)) {
            let Some(place) = self.place(&member) else { continue };
            self.uncount(place);
            if !self.lines.swap_remove(place).was_closed() {
                self.room.tally.closes.count_gone();
            }
            self.deflating -= usize::from(member.deflate);
            member.slot.store(usize::MAX, Ordering::Relaxed);
            if let Some(moved) = self.lines.get(place) {
                moved.member.slot.store(place, Ordering::Relaxed);
            }
            if let Some(who) = member.who
                && self.sessions.get(&who).is_some_and(|newest| Arc::ptr_eq(newest, &member))
            {
                self.sessions.remove(&who);
            }
        }
        if !self.graves.is_empty() {
            self.room.wake.notify_one();
        }
        if self.lines.is_empty() {
            self.lines = Vec::new();
            self.waiting = VecDeque::new();
        }
    }
}

fn moving_at(now: Millis, until: Millis) -> Millis {
    rand::random_range(now..=until.max(now))
}
