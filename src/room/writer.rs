//! The one task that owns a room: it orders the input, makes the frames, and broadcasts them to the viewers.
//!
//! In each turn it serves notified members, takes the inbox, broadcasts if the pace allows it or something is urgent,
//! and sends hello to new connections. `join_leave.rs` and `broadcast.rs` are its other two parts. Nothing waits for a
//! viewer.
//!
//! There is one writer per room: on two cores shared with the simulated viewers, two rooms of 4,000 were no faster than
//! one of 8,000 at the same rate (p50 134–235 ms against 110–147). Rooms spread over the worker threads by themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::connection_writer::ConnectionWriter;
use super::inbox::{DrainPlan, OrderedInput};
use super::member::SessionDigest;
use super::ring_buffer::{EncodedFrame, RingBuffer};
use super::timing::{TickPacer, ViewerCountThrottle};
use super::{Member, Room, StreamPosition, lock};
use crate::clock::Clock;
use crate::domain::{Millis, OfferId};
use crate::protocol::{EncodedEvent, RoomState, SharedTail, SnapshotReason};

pub const SENDS_PER_YIELD: usize = 64;
/// A frame takes about this many bytes of events; the rest waits for the next frame.
const TICK_BYTES: usize = 64 * 1024;

pub struct RoomWriter {
    pub(super) room: Arc<Room>,
    pub(super) clock: Clock,
    pub(super) connections: Vec<ConnectionWriter>,
    pub(super) sessions: HashMap<SessionDigest, Arc<Member>>,
    /// Members that wait for hello.
    pub(super) awaiting_hello: VecDeque<Arc<Member>>,
    /// Members whose connection is finished.
    pub(super) closed: Vec<Arc<Member>>,
    pub(super) is_synced: bool,
    pub(super) ring_buffer: RingBuffer,
    pub(super) state: RoomState,
    /// The position of the last event taken from the inbox, sent or pending.
    pub(super) last_position: StreamPosition,
    pub(super) pending: Vec<(u64, EncodedEvent)>,
    pub(super) pending_bytes: usize,
    pub(super) is_urgent: bool,
    /// The time at which the oldest pending event or value arrived.
    pub(super) oldest_since: Option<Instant>,
    /// Continuity was lost: the next frame is a snapshot.
    pub(super) continuity_lost: Option<SnapshotReason>,
    pub(super) pacer: TickPacer,
    /// Events and changed values that arrived since the last frame.
    pub(super) updates: usize,
    pub(super) viewer_count: ViewerCountThrottle,
    pub(super) audience: usize,
    /// How many connections accept deflated frames, and how many are in the receipts sample.
    pub(super) deflate_connections: usize,
    pub(super) sample_size: usize,
    pub(super) receipts_offer: Option<OfferId>,
    pub(super) remote_viewers: u64,
    /// The shared parts of hello, by the position that the client resumes from; valid until something changes.
    pub(super) hello_tails: HashMap<Option<u64>, SharedTail>,
    /// The snapshot for a viewer that skips to the newest frame, and the state for viewers that get nothing else.
    pub(super) slow_snapshot: Option<EncodedFrame>,
    pub(super) state_tails: HashMap<u64, Option<SharedTail>>,
    pub(super) next_check_at: Millis,
    /// The deadline by which all viewers must have moved to other nodes.
    pub(super) drain_until: Option<(Millis, DrainPlan)>,
}

impl RoomWriter {
    pub fn new(room: Arc<Room>) -> Self {
        let unknown = StreamPosition { epoch: "".into(), seq: 0 };
        Self {
            clock: room.clock.clone(),
            room,
            connections: Vec::new(),
            sessions: HashMap::new(),
            awaiting_hello: VecDeque::new(),
            closed: Vec::new(),
            is_synced: false,
            ring_buffer: RingBuffer::new(unknown.clone()),
            state: RoomState::default(),
            last_position: unknown,
            pending: Vec::new(),
            pending_bytes: 0,
            is_urgent: false,
            oldest_since: None,
            continuity_lost: None,
            pacer: TickPacer::default(),
            updates: 0,
            viewer_count: ViewerCountThrottle::default(),
            audience: 0,
            deflate_connections: 0,
            sample_size: 0,
            receipts_offer: None,
            remote_viewers: 0,
            hello_tails: HashMap::new(),
            slow_snapshot: None,
            state_tails: HashMap::new(),
            next_check_at: 0,
            drain_until: None,
        }
    }

    pub async fn run(mut self) {
        let room = self.room.clone();
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                () = room.wake.notified() => self.check_soon(self.clock.now()),
                () = self.clock.sleep_until(wake_at.unwrap_or(0)), if wake_at.is_some() => {}
            }
            if !self.turn().await {
                return;
            }
        }
    }

    fn wake_at(&self) -> Option<Millis> {
        let check = (!self.connections.is_empty()).then_some(self.next_check_at);
        let frame = (self.is_synced && self.has_pending()).then_some(self.pacer.next_at());
        let count_update = self.viewer_count.next_update_at(self.shown_viewers()).filter(|_| self.is_synced);
        [check, frame, count_update].into_iter().flatten().min()
    }

    /// Returns `false` when the room is closed.
    async fn turn(&mut self) -> bool {
        self.serve_notified().await;
        let turn = self.room.take_inbox(TICK_BYTES.saturating_sub(self.pending_bytes));
        if turn.is_closed {
            return false;
        }
        let now = self.clock.now();
        for input in turn.ordered {
            self.apply(input, now);
        }
        for change in turn.changes {
            if self.state.set(change) {
                self.updates += 1;
                self.clear_shared();
            }
        }
        self.is_urgent |= turn.is_urgent;
        self.oldest_since = self.oldest_since.or(turn.oldest_since);
        for join in turn.pending_joins {
            self.add_connection(join, now);
        }
        for batch in turn.join_batches {
            self.receive_joins(&batch, now);
        }
        self.remote_viewers = turn.remote_viewers.unwrap_or(self.remote_viewers);
        if let Some(drain) = turn.drain {
            self.drain(now, drain);
        }
        self.count_viewers(now);
        let has_pending = self.is_synced && self.has_pending();
        if has_pending && (self.is_urgent || self.continuity_lost.is_some() || self.pacer.next_at() <= now) {
            let (started_at, waiting_since) = (Instant::now(), self.oldest_since.take());
            let updates = std::mem::take(&mut self.updates);
            self.flush(now);
            self.broadcast().await;
            self.pacer.record_broadcast(now, self.clock.now(), updates);
            self.check_soon(now);
            self.room.counters.broadcast_times.observe(started_at.elapsed());
            if let Some(waiting_since) = waiting_since {
                self.room.counters.delivery_times.observe(waiting_since.elapsed());
            }
        }
        if !has_pending {
            // The urgent value was already known.
            (self.is_urgent, self.oldest_since) = (false, None);
        }
        if turn.has_more && self.pending.is_empty() {
            self.room.wake.notify_one();
        }
        self.send_hellos().await;
        self.check_connections().await;
        self.remove_closed();
        true
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty() || self.continuity_lost.is_some() || self.state.has_unsent()
    }

    pub(super) fn clear_shared(&mut self) {
        self.hello_tails.clear();
        self.slow_snapshot = None;
        self.state_tails.clear();
    }

    /// Drops what was made for several viewers, with its memory.
    pub(super) fn free_shared(&mut self) {
        (self.hello_tails, self.state_tails) = (HashMap::new(), HashMap::new());
        (self.slow_snapshot, self.pending) = (None, Vec::new());
    }

    // Input.

    fn apply(&mut self, input: OrderedInput, now: Millis) {
        match input {
            OrderedInput::Sync { position, recent } if !self.is_synced => {
                self.is_synced = true;
                self.last_position = position.clone();
                self.ring_buffer = RingBuffer::new(position);
                self.ring_buffer.seed(now, recent);
            }
            OrderedInput::Sync { position, recent } if position.epoch != self.last_position.epoch => {
                self.ring_buffer.remove_repeated(&recent);
                // What was acknowledged and not sent yet is sent without a number, before what the new epoch has.
                let mut earlier = std::mem::take(&mut self.pending);
                earlier.retain(|(_, event)| !recent.iter().any(|(_, newer)| newer.is_same_event(event)));
                earlier.iter_mut().for_each(|(seq, _)| *seq = 0);
                self.pending = earlier;
                self.pending.extend(recent);
                self.lose_continuity(SnapshotReason::Epoch, position);
            }
            OrderedInput::Sync { position, recent } => {
                for (seq, event) in recent {
                    self.append_event(seq, event);
                }
                if self.last_position.seq < position.seq {
                    self.lose_continuity(SnapshotReason::Hole, position);
                }
            }
            OrderedInput::Events { epoch, first_seq, events } => {
                if epoch != self.last_position.epoch {
                    self.pending.iter_mut().for_each(|(seq, _)| *seq = 0);
                    self.lose_continuity(
                        SnapshotReason::Epoch,
                        StreamPosition { epoch, seq: first_seq.saturating_sub(1) },
                    );
                }
                for (seq, event) in (first_seq..).zip(events) {
                    self.append_event(seq, event);
                }
            }
        }
    }

    fn append_event(&mut self, seq: u64, event: EncodedEvent) {
        if seq <= self.last_position.seq {
            return;
        }
        if seq != self.last_position.seq + 1 {
            let epoch = self.last_position.epoch.clone();
            self.lose_continuity(SnapshotReason::Hole, StreamPosition { epoch, seq: seq - 1 });
        }
        self.last_position.seq = seq;
        self.pending_bytes += event.json.len();
        self.updates += 1;
        self.pending.push((seq, event));
    }

    /// The room never continues over a hole: all viewers get a snapshot of the new position, and nobody resumes from
    /// before.
    fn lose_continuity(&mut self, reason: SnapshotReason, position: StreamPosition) {
        self.last_position = position;
        if self.continuity_lost != Some(SnapshotReason::Epoch) {
            self.continuity_lost = Some(reason);
        }
    }

    fn shown_viewers(&self) -> u64 {
        self.audience as u64 + self.remote_viewers
    }

    fn count_viewers(&mut self, now: Millis) {
        let shown = self.shown_viewers();
        self.room.set_viewers(self.audience, shown as usize);
        let changed = if self.connections.is_empty() {
            self.viewer_count.set_unseen(shown);
            Some(shown)
        } else {
            self.viewer_count.update(shown, now)
        };
        if let Some(viewers) = changed
            && self.state.set_viewers(viewers)
        {
            self.clear_shared();
        }
    }
}

/// Closed or broken: no connection may wait for this room any more.
impl Drop for RoomWriter {
    fn drop(&mut self) {
        let pending_joins = lock(&self.room.inbox).close();
        pending_joins.iter().for_each(|join| join.member.mark_ended());
        self.connections.iter().for_each(|connection| connection.member.mark_ended());
        self.room.set_viewers(0, 0);
    }
}
