//! What goes out: pending events and changed values become frames, and a walk brings them to every socket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::writer::{SENDS_PER_YIELD, Writer};
use super::{Member, Position, count, lock, retry_ms};
use crate::domain::Millis;
use crate::protocol::{Close, Why, server};

/// What is urgent takes all before it along, in several frames if it must.
const FRAME_BYTES_MAX: usize = 128 * 1024;

impl Writer {
    /// Makes frames of all that is pending, in order.
    pub(super) fn flush(&mut self, now: Millis) {
        self.urgent = false;
        self.pending_bytes = 0;
        self.forget_shared();
        let pending = std::mem::take(&mut self.pending);
        if let Some(why) = self.broken.take() {
            self.ring.restart(self.tail.clone(), &pending);
            let Position { epoch, seq } = &self.tail;
            let frame = server::snapshot(why, epoch, *seq, self.ring.recent(), &self.state);
            self.state.mark_sent();
            self.ring.push(now, frame, Vec::new());
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
    pub(super) async fn walk(&mut self) {
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

    pub(super) fn write(&mut self, place: usize, now: Millis) {
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

    pub(super) fn close(&mut self, place: usize, close: Close, now: Millis) {
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
    pub(super) async fn serve_poked(&mut self) {
        for _ in 0..=self.lines.len() / SENDS_PER_YIELD {
            if self.serve_some() < SENDS_PER_YIELD {
                return;
            }
            tokio::task::yield_now().await;
        }
        self.room.wake.notify_one();
    }

    pub(super) fn serve_some(&mut self) -> usize {
        let now = self.clock.now();
        let poked = lock(&self.room.inbox).take_poked(SENDS_PER_YIELD);
        for member in &poked {
            self.serve(member, now);
        }
        poked.len()
    }

    pub(super) fn serve(&mut self, member: &Arc<Member>, now: Millis) {
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

    pub(super) fn place(&self, member: &Arc<Member>) -> Option<usize> {
        let place = member.slot.load(Ordering::Relaxed);
        self.lines.get(place).filter(|line| Arc::ptr_eq(&line.member, member)).map(|_| place)
    }
}
