//! What goes out: pending events and changed values become frames, and a walk brings them to every socket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection_writer::SharedPart;
use super::ring_buffer::EncodedFrame;
use super::writer::{RoomWriter, SENDS_PER_YIELD};
use super::{Member, StreamPosition, count, lock};
use crate::domain::Millis;
use crate::protocol::{Close, EncodedEvent, Frame, SnapshotReason, server};

/// What is urgent takes all before it along, in several frames if it must.
const FRAME_BYTES_MAX: usize = 128 * 1024;

impl RoomWriter {
    /// Makes frames of all that is pending, in order.
    pub(super) fn flush(&mut self, now: Millis) {
        self.is_urgent = false;
        self.pending_bytes = 0;
        self.clear_shared();
        let pending = std::mem::take(&mut self.pending);
        if let Some(why) = self.continuity_lost.take() {
            self.ring_buffer.restart(self.last_position.clone(), &pending);
            let StreamPosition { epoch, seq } = &self.last_position;
            let frame = server::snapshot(why, epoch, *seq, self.ring_buffer.recent(), &self.state);
            self.state.mark_sent();
            self.push_frame(now, frame, Vec::new());
            let tally = &self.room.counters;
            count(if why == SnapshotReason::Epoch { &tally.epoch_changes } else { &tally.holes }, 1);
            return self.request_receipts(now);
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
            let seq = events.last().map_or(self.ring_buffer.position().seq, |(seq, _)| *seq);
            let frame = server::tick(seq, &events, &mut self.state);
            self.push_frame(now, frame, events);
        }
        self.request_receipts(now);
    }

    fn push_frame(&mut self, now: Millis, frame: Frame, events: Vec<(u64, EncodedEvent)>) {
        let (frame, tally) = (EncodedFrame::new(frame, self.deflate_connections > 0), &self.room.counters);
        count(&tally.frames, 1);
        if let Some((from, to)) = frame.deflate_sizes() {
            count(&tally.deflated_frames, 1);
            count(&tally.deflate_bytes_in, from as u64);
            count(&tally.deflate_bytes_out, to as u64);
        }
        self.ring_buffer.push(now, frame, events);
        self.room.set_oldest_position(&self.ring_buffer.position().epoch, self.ring_buffer.oldest());
    }

    /// Another card is in these frames: the sample is asked when it was seen.
    fn request_receipts(&mut self, now: Millis) {
        let pinned = self.state.pinned();
        if self.receipts_offer == pinned {
            return;
        }
        self.receipts_offer = pinned;
        lock(&self.room.receipts).set_pinned(pinned);
        let sample = self.connections.iter().filter(|line| line.is_sampled);
        sample.for_each(|line| self.room.request_receipt(&line.member, now));
    }

    /// Brings the new frames to everybody whose socket takes them.
    pub(super) async fn broadcast(&mut self) {
        let (now, head) = (self.clock.now(), self.ring_buffer.head());
        let mut sends = 0;
        // Lines are removed only after the walk, so places hold.
        for place in 0..self.connections.len() {
            if self.connections[place].has_frames_to_send(head) {
                self.write_to(place, now);
                sends += 1;
            }
            if sends == SENDS_PER_YIELD {
                sends = 0;
                self.serve_notified_batch();
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn write_to(&mut self, place: usize, now: Millis) {
        let shared = |part| match part {
            SharedPart::Snapshot { deflate } => {
                let StreamPosition { epoch, seq } = self.ring_buffer.position();
                let make =
                    || server::snapshot(SnapshotReason::Slow, epoch, *seq, self.ring_buffer.recent(), &self.state);
                self.slow_snapshot
                    .get_or_insert_with(|| EncodedFrame::new(make(), self.deflate_connections > 0))
                    .bytes(deflate)
                    .clone()
            }
            SharedPart::State => self.state_json.get_or_insert_with(|| server::state_values(&self.state)).clone(),
        };
        let line = &mut self.connections[place];
        if let Some(close) = line.write(&self.ring_buffer, now, &self.room.counters, shared) {
            self.close_connection(place, close, now);
        } else if line.over {
            self.closed.push(line.member.clone());
        }
    }

    pub(super) fn close_connection(&mut self, place: usize, close: Close, now: Millis) {
        let line = &mut self.connections[place];
        if line.is_closing() {
            return;
        }
        line.close(close, now);
        self.uncount(place);
        let line = &self.connections[place];
        self.room.counters.closes.count(close);
        if matches!(close, Close::Slow { .. }) {
            count(&self.room.counters.closed_slow, 1);
        }
        if !line.is_blocked() {
            self.write_to(place, now);
        }
    }

    /// One of the audience is leaving.
    pub(super) fn uncount(&mut self, place: usize) {
        let line = &mut self.connections[place];
        self.audience -= usize::from(std::mem::take(&mut line.is_counted));
        if std::mem::take(&mut line.is_sampled) {
            self.sample_size -= 1;
            self.room.withdraw_receipt(&line.member);
        }
    }

    /// Serves those who want something for themselves: at most each once, so that they cannot hold up the room.
    pub(super) async fn serve_notified(&mut self) {
        for _ in 0..=self.connections.len() / SENDS_PER_YIELD {
            if self.serve_notified_batch() < SENDS_PER_YIELD {
                return;
            }
            tokio::task::yield_now().await;
        }
        self.room.wake.notify_one();
    }

    pub(super) fn serve_notified_batch(&mut self) -> usize {
        let now = self.clock.now();
        let poked = lock(&self.room.inbox).take_notified(SENDS_PER_YIELD);
        for member in &poked {
            self.serve(member, now);
        }
        poked.len()
    }

    pub(super) fn serve(&mut self, member: &Arc<Member>, now: Millis) {
        member.clear_notified();
        let Some(place) = self.index_of(member) else { return };
        let line = &mut self.connections[place];
        line.on_notified();
        if member.has_left() {
            line.end();
            self.closed.push(member.clone());
        } else if let Some(close) = member.requested_close()
            && !line.is_closing()
        {
            self.close_connection(place, close, now);
        } else if !line.is_blocked() {
            self.write_to(place, now);
        }
    }

    pub(super) fn index_of(&self, member: &Arc<Member>) -> Option<usize> {
        let place = member.writer_index.load(Ordering::Relaxed);
        self.connections.get(place).filter(|line| Arc::ptr_eq(&line.member, member)).map(|_| place)
    }
}
