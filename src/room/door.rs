//! Coming and going: seats, hello, what time does to a viewer, and leaving.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::inbox::{Arrival, Drain};
use super::line::Line;
use super::ring::Resume;
use super::writer::{SENDS_PER_YIELD, Writer};
use super::{Member, Position, count};
use crate::domain::{Millis, Role, UserId};
use crate::protocol::{Close, server};

const SWEEP_MS: Millis = 500;
/// A client may be ahead of this node by what is still on its way here.
const AHEAD_MS: Millis = 1_000;
const TAILS_MAX: usize = 64;

/// Whose connection it is: newest wins. A guest is known by the session alone.
pub type SessionKey = (Option<UserId>, String);

impl Writer {
    pub(super) fn seat(&mut self, arrival: Arrival, now: Millis) {
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
        line.moving = self.drain_until.map(|(until, drain)| (moving_at(now, until), drain.within_ms));
        self.watching += usize::from(line.counted);
        member.slot.store(self.lines.len(), Ordering::Relaxed);
        self.lines.push(line);
        self.waiting.push(member.clone());
        // It may have been told to close before it had a line.
        self.serve(&member, now);
    }

    pub(super) fn drain(&mut self, now: Millis, drain: Drain) {
        let until = now + drain.over_ms;
        self.drain_until = Some((until, drain));
        self.lines.iter_mut().for_each(|line| line.moving = Some((moving_at(now, until), drain.within_ms)));
    }

    pub(super) async fn greet(&mut self) {
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
    pub(super) fn tail_from(&mut self, from: Option<u64>) -> Bytes {
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

    pub(super) async fn sweep(&mut self) {
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
    pub(super) fn bury(&mut self) {
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

fn session_key(member: &Member) -> Option<SessionKey> {
    let session = member.session.clone()?;
    Some(((member.actor.role != Role::Guest).then(|| member.actor.user.clone()), session))
}

fn moving_at(now: Millis, until: Millis) -> Millis {
    rand::random_range(now..=until.max(now))
}
