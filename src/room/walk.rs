//! What goes out: pending events and changed values become frames, and a walk brings them to every socket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::line::Part;
use super::ring::Encoded;
use super::writer::{SENDS_PER_YIELD, Writer};
use super::{Member, Position, count, lock};
use crate::domain::Millis;
use crate::protocol::{Close, Frame, Logged, Why, server};

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
            self.push(now, frame, Vec::new());
            let tally = &self.room.tally;
            count(if why == Why::Epoch { &tally.epochs } else { &tally.holes }, 1);
            return self.ask_about_the_card(now);
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
            self.push(now, frame, events);
        }
        self.ask_about_the_card(now);
    }

    fn push(&mut self, now: Millis, frame: Frame, events: Vec<(u64, Logged)>) {
        let (frame, tally) = (Encoded::new(frame, self.deflating > 0), &self.room.tally);
        count(&tally.frames, 1);
        if let Some((from, to)) = frame.saved() {
            count(&tally.deflated, 1);
            count(&tally.deflated_from, from as u64);
            count(&tally.deflated_to, to as u64);
        }
        self.ring.push(now, frame, events);
        self.room.show_oldest(&self.ring.position().epoch, self.ring.oldest());
    }

    /// Another card is in these frames: the sample is asked when it was seen.
    fn ask_about_the_card(&mut self, now: Millis) {
        let pinned = self.state.pinned();
        if self.asked_about == pinned {
            return;
        }
        self.asked_about = pinned;
        lock(&self.room.receipts).show(pinned);
        let sample = self.lines.iter().filter(|line| line.sampled);
        sample.for_each(|line| self.room.ask(&line.member, now));
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
            }
            if sends == SENDS_PER_YIELD {
                sends = 0;
                self.serve_some();
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn write(&mut self, place: usize, now: Millis) {
        let shared = |part| match part {
            Part::Snapshot { deflate } => {
                let Position { epoch, seq } = self.ring.position();
                let make = || server::snapshot(Why::Slow, epoch, *seq, self.ring.recent(), &self.state);
                self.slow.get_or_insert_with(|| Encoded::new(make(), self.deflating > 0)).bytes(deflate).clone()
            }
            Part::Values => self.values.get_or_insert_with(|| server::values(&self.state)).clone(),
        };
        let line = &mut self.lines[place];
        if let Some(close) = line.write(&self.ring, now, &self.room.tally, shared) {
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
        line.close(close, now);
        self.uncount(place);
        let line = &self.lines[place];
        self.room.tally.closes.count(close);
        if matches!(close, Close::Slow { .. }) {
            count(&self.room.tally.closed_slow, 1);
        }
        if !line.is_blocked() {
            self.write(place, now);
        }
    }

    /// One of the audience is leaving.
    pub(super) fn uncount(&mut self, place: usize) {
        let line = &mut self.lines[place];
        self.watching -= usize::from(std::mem::take(&mut line.counted));
        if std::mem::take(&mut line.sampled) {
            self.sampled -= 1;
            self.room.stop_asking(&line.member);
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
        line.poked();
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
