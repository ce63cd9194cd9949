//! The broadcast: pending events and changed values become frames, and the broadcast writes them to every socket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::connection_writer::SharedPart;
use super::join_leave::shared_tail;
use super::ring_buffer::EncodedFrame;
use super::writer::{RoomWriter, SENDS_PER_YIELD};
use super::{Member, StreamPosition, count, lock};
use crate::domain::Millis;
use crate::protocol::{Close, EncodedEvent, Frame, SnapshotReason, server};

/// An urgent event is sent with everything before it, in several frames if necessary.
const FRAME_BYTES_MAX: usize = 128 * 1024;

impl RoomWriter {
    /// Encodes everything pending into frames, in order.
    pub(super) fn flush(&mut self, now: Millis) {
        self.is_urgent = false;
        self.pending_bytes = 0;
        self.clear_shared();
        let pending = std::mem::take(&mut self.pending);
        if let Some(reason) = self.continuity_lost.take() {
            self.ring_buffer.restart(self.last_position.clone(), &pending);
            let StreamPosition { epoch, seq } = &self.last_position;
            let frame = server::snapshot(reason, epoch, *seq, self.ring_buffer.recent(), &self.state);
            self.state.mark_sent();
            self.push_frame(now, frame, Vec::new());
            let counters = &self.room.counters;
            count(if reason == SnapshotReason::Epoch { &counters.epoch_changes } else { &counters.holes }, 1);
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
        let (frame, counters) = (EncodedFrame::new(frame, self.deflate_connections > 0), &self.room.counters);
        count(&counters.frames, 1);
        if let Some((from, to)) = frame.deflate_sizes() {
            count(&counters.deflated_frames, 1);
            count(&counters.deflate_bytes_in, from as u64);
            count(&counters.deflate_bytes_out, to as u64);
        }
        self.ring_buffer.push(now, frame, events);
        self.room.set_oldest_position(&self.ring_buffer.position().epoch, self.ring_buffer.oldest());
    }

    /// The pin changed in these frames: the sample is asked when it was seen.
    fn request_receipts(&mut self, now: Millis) {
        let pinned = self.state.pinned();
        if self.receipts_offer == pinned {
            return;
        }
        self.receipts_offer = pinned;
        lock(&self.room.receipts).set_pinned(pinned);
        let sample = self.connections.iter().filter(|connection| connection.is_sampled);
        sample.for_each(|connection| self.room.request_receipt(&connection.member, now));
    }

    /// Writes the new frames to every viewer whose socket takes them.
    pub(super) async fn broadcast(&mut self) {
        let (now, head) = (self.clock.now(), self.ring_buffer.head());
        let mut sends = 0;
        // Connections are removed only after the broadcast, so indices stay valid.
        for index in 0..self.connections.len() {
            if self.connections[index].has_frames_to_send(head) {
                self.write_to(index, now);
                sends += 1;
            }
            if sends == SENDS_PER_YIELD {
                sends = 0;
                self.serve_notified_batch();
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn write_to(&mut self, index: usize, now: Millis) {
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
            SharedPart::State { seq, after, deflate } => {
                let is_compressed = self.deflate_connections > 0;
                let make = || server::state_tail(&self.state, after).map(|tail| shared_tail(tail, is_compressed));
                let tail = self.state_tails.entry(after).or_insert_with(make);
                tail.as_ref().map_or_else(Bytes::new, |tail| server::state_tick(seq, tail, deflate).into_bytes())
            }
        };
        let revision = self.state.revision();
        let connection = &mut self.connections[index];
        if let Some(close) = connection.write(&self.ring_buffer, revision, now, &self.room.counters, shared) {
            self.close_connection(index, close, now);
        } else if connection.is_finished {
            self.closed.push(connection.member.clone());
        }
    }

    pub(super) fn close_connection(&mut self, index: usize, close: Close, now: Millis) {
        let connection = &mut self.connections[index];
        if connection.is_closing() {
            return;
        }
        connection.close(close, now);
        self.uncount(index);
        let connection = &self.connections[index];
        self.room.counters.closes.count(close);
        if matches!(close, Close::Slow { .. }) {
            count(&self.room.counters.closed_slow, 1);
        }
        if !connection.is_blocked() {
            self.write_to(index, now);
        }
    }

    /// Whether this member is counted as a viewer.
    pub(super) fn is_counted(&self, member: &Arc<Member>) -> bool {
        self.index_of(member).is_some_and(|index| self.connections[index].is_counted)
    }

    /// Another connection of the same user, which was not counted so far, is counted instead of this one.
    fn pass_count_on(&mut self, member: &Arc<Member>) -> bool {
        let siblings = self.room.users.siblings_of(member);
        let mut indexes = siblings.iter().filter(|other| other.is_counted).filter_map(|other| self.index_of(other));
        let next = indexes.find(|index| !self.connections[*index].is_closing());
        next.inspect(|index| self.connections[*index].is_counted = true).is_some()
    }

    /// A connection leaves the audience.
    pub(super) fn uncount(&mut self, index: usize) {
        if std::mem::take(&mut self.connections[index].is_counted) {
            let member = self.connections[index].member.clone();
            self.audience -= usize::from(!self.pass_count_on(&member));
        }
        let connection = &mut self.connections[index];
        if std::mem::take(&mut connection.is_sampled) {
            self.sample_size -= 1;
            self.room.withdraw_receipt(&connection.member);
        }
    }

    /// Serves notified members: each at most once, so that they cannot delay the room.
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
        let notified = lock(&self.room.inbox).take_notified(SENDS_PER_YIELD);
        for member in &notified {
            self.serve(member, now);
        }
        notified.len()
    }

    pub(super) fn serve(&mut self, member: &Arc<Member>, now: Millis) {
        member.clear_notified();
        let Some(index) = self.index_of(member) else { return };
        let connection = &mut self.connections[index];
        connection.on_notified();
        if member.has_left() {
            connection.finish();
            self.closed.push(member.clone());
        } else if let Some(close) = member.requested_close()
            && !connection.is_closing()
        {
            self.close_connection(index, close, now);
        } else if !connection.is_blocked() {
            self.write_to(index, now);
        }
    }

    pub(super) fn index_of(&self, member: &Arc<Member>) -> Option<usize> {
        let index = member.writer_index.load(Ordering::Relaxed);
        self.connections.get(index).filter(|connection| Arc::ptr_eq(&connection.member, member)).map(|_| index)
    }
}
