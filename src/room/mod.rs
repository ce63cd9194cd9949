//! The audience of one stream on this node: its connections, their positions, and the broadcast that writes to them.
//!
//! A [`Room`] has one writer task that owns everything: the ring buffer of encoded frames, the values of the state
//! lane, and a cursor per viewer. All other tasks put something into the room's bounded inbox and go on. A viewer has
//! neither a task nor a queue for broadcasts: the writer iterates over the sockets, because waking a task per viewer
//! and frame costs 1.4 times as much. Nothing here knows the store or the broker.

pub mod member;
pub mod receipts;
pub mod ring_buffer;
pub mod rooms;
pub mod timing;
pub mod video_faults;

mod backpressure;
mod broadcast;
mod connection_writer;
mod inbox;
mod join_leave;
mod writer;

#[cfg(test)]
mod begin_test;
#[cfg(test)]
mod broadcast_test;
#[cfg(test)]
pub mod fixture_test;
#[cfg(test)]
mod limit_test;
#[cfg(test)]
mod model_test;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::domain::video::VideoFaultKind;
use crate::domain::{Millis, OfferId, StreamId};
use crate::metrics::{DurationHistogram, LabeledCounter};
use crate::protocol::{Close, EncodedEvent, StateChange};

pub use join_leave::PublishedJoin;
pub use member::{JoinRequest, Member, SessionDigest, Subscription};
pub use receipts::PinReach;
pub use ring_buffer::StreamPosition;
pub use rooms::Rooms;

use inbox::{DrainPlan, Inbox, InboxBatch, JoinBatch};
use receipts::Receipts;
use rooms::ConnectedUsers;
use video_faults::VideoFaults;

/// The audience of one stream on this node. All methods may be called from any task and return at once.
pub struct Room {
    pub stream: StreamId,
    clock: Clock,
    counters: Arc<RoomCounters>,
    users: Arc<ConnectedUsers>,
    inbox: std::sync::Mutex<Inbox>,
    /// Wakes the writer: something is in the inbox.
    wake: Notify,
    viewers: AtomicUsize,
    viewers_shown: AtomicUsize,
    viewers_peak: AtomicUsize,
    receipts: std::sync::Mutex<Receipts>,
    video_faults: VideoFaults,
    /// How far back the ring buffer can answer resumes.
    oldest_position: std::sync::Mutex<Option<StreamPosition>>,
}

impl Room {
    fn new(stream: StreamId, clock: Clock, counters: Arc<RoomCounters>, users: Arc<ConnectedUsers>) -> Arc<Self> {
        let inbox = std::sync::Mutex::new(Inbox::new(clock.now()));
        let room = Arc::new(Self {
            stream,
            clock,
            counters,
            users,
            inbox,
            wake: Notify::new(),
            viewers: AtomicUsize::new(0),
            viewers_shown: AtomicUsize::new(0),
            viewers_peak: AtomicUsize::new(0),
            receipts: Default::default(),
            video_faults: VideoFaults::default(),
            oldest_position: Default::default(),
        });
        tokio::spawn(writer::RoomWriter::new(room.clone()).run());
        room
    }

    /// Sets the position of the room. Viewers that joined before the first call wait for it, at most ten seconds.
    /// `recent` are the latest events in order, numbered (0: from before this epoch). As far as they reach back without
    /// a hole, clients can resume from them too. When it is called again (after a broker failure), `recent` fills what
    /// was missed; if a hole remains, or the epoch is new, all viewers get a snapshot.
    pub fn sync(&self, position: StreamPosition, state: Vec<StateChange>, recent: Vec<(u64, EncodedEvent)>) {
        // Before the writer runs: the first viewers, who wait for it, look at this.
        let oldest = oldest_without_hole(&position, &recent);
        self.set_oldest_position(&position.epoch, oldest);
        self.with_inbox(|inbox| inbox.sync(position, state, recent));
    }

    /// The first [`sync`](Self::sync) of a room that opens. If the room has begun meanwhile, because the broker restarted it, only the
    /// values are taken: the position is older than that of the room, or of an epoch that the room never had.
    pub fn begin(&self, position: StreamPosition, state: Vec<StateChange>, recent: Vec<(u64, EncodedEvent)>) {
        let oldest = oldest_without_hole(&position, &recent);
        self.with_inbox(|inbox| {
            if inbox.is_synced() {
                inbox.set_states(state);
            } else {
                self.set_oldest_position(&position.epoch, oldest);
                inbox.sync(position, state, recent);
            }
        });
    }

    /// Appends events of `epoch`, the first numbered `first_seq`. Repeated events are dropped; a hole or another epoch
    /// gives all viewers a snapshot. Never waits: when the room is behind, its oldest messages are dropped, which makes a
    /// hole.
    pub fn append_events(&self, epoch: impl Into<Arc<str>>, first_seq: u64, events: Vec<EncodedEvent>) {
        let epoch = epoch.into();
        let dropped = self.with_inbox(|inbox| inbox.append_events(epoch, first_seq, events));
        if dropped > 0 {
            count(&self.counters.dropped_events, dropped as u64);
        }
    }

    /// Sets a value of the state lane. Never waits: a newer value replaces the one that waits in the inbox.
    pub fn set_state(&self, change: StateChange, is_urgent: bool) {
        self.with_inbox(|inbox| inbox.set_state(change, is_urgent));
    }

    /// Sets how many viewers watch this stream on other nodes; shown together with our own.
    pub fn set_remote_viewers(&self, viewers: u64) {
        self.with_inbox(|inbox| inbox.remote_viewers = Some(viewers));
    }

    /// Receives the sessions that joined, on this node (`is_local`) or on another, in the order that is the same on
    /// every node. Of each session, the newest connection stays.
    pub fn receive_joins(&self, joins: Vec<PublishedJoin>, is_local: bool) {
        self.with_inbox(|inbox| inbox.push_join_batch(JoinBatch { joins, is_local }));
    }

    /// Joins the room. Dropping the [`Subscription`] leaves it. Refused with "overload, come back" when too many
    /// clients join at once.
    pub fn join(self: &Arc<Self>, request: JoinRequest) -> Result<Subscription, Close> {
        let (member, hello_request) = Member::new(self.clone(), request);
        if !self.users.add(&member) {
            count(&self.counters.sockets_refused, 1);
            return Err(Close::Overload { retry_ms: rand::random_range(SOCKETS_RETRY_MS) });
        }
        let accepted =
            self.with_inbox(|inbox| inbox.join(inbox::PendingJoin { member: member.clone(), hello_request }));
        if !accepted {
            self.users.remove(&member);
            return Err(Close::Overload { retry_ms: retry_ms() });
        }
        Ok(Subscription::new(member))
    }

    /// Asks all viewers to move to another node, spread over `spread_ms`. A viewer that is still here `close_after_ms`
    /// after its request is closed.
    pub fn drain(&self, spread_ms: Millis, close_after_ms: Millis) {
        self.with_inbox(|inbox| inbox.drain = Some(DrainPlan { spread_ms, close_after_ms }));
    }

    /// Whether anybody is connected.
    pub fn has_connections(&self) -> bool {
        lock(&self.inbox).has_connections()
    }

    /// Whether the ring buffer itself can answer a resume from this position. If not, ask the broker's history.
    pub fn can_resume(&self, position: &StreamPosition) -> bool {
        let oldest = lock(&self.oldest_position);
        oldest.as_ref().is_some_and(|oldest| oldest.epoch == position.epoch && oldest.seq <= position.seq)
    }

    /// Whether the room is in this epoch. A client that comes from another one cannot resume, whatever the broker's
    /// history has. `None`: the room has not begun.
    pub fn is_in_epoch(&self, epoch: &str) -> Option<bool> {
        lock(&self.oldest_position).as_ref().map(|oldest| *oldest.epoch == *epoch)
    }

    fn set_oldest_position(&self, epoch: &Arc<str>, seq: u64) {
        let mut oldest = lock(&self.oldest_position);
        match oldest.as_mut().filter(|oldest| oldest.epoch == *epoch) {
            Some(oldest) => oldest.seq = seq,
            None => *oldest = Some(StreamPosition { epoch: epoch.clone(), seq }),
        }
    }

    /// How many of the sampled viewers have seen the pinned offer, and how soon.
    pub fn pin_reach(&self) -> Option<PinReach> {
        lock(&self.receipts).reach()
    }

    /// The faults of the video that viewers on this node have reported since the room was opened.
    pub fn video_faults(&self) -> &VideoFaults {
        &self.video_faults
    }

    fn count_video_fault(&self, kind: VideoFaultKind) {
        self.video_faults.count(kind);
        self.counters.video_faults.count(kind);
    }

    fn request_receipt(&self, member: &Member, now: Millis) {
        lock(&self.receipts).request(&mut lock(&member.receipt_request), now);
    }

    fn record_receipt(&self, member: &Member, offer: OfferId) {
        let now = self.clock.now();
        lock(&self.receipts).record(&mut lock(&member.receipt_request), offer, now);
    }

    fn withdraw_receipt(&self, member: &Member) {
        lock(&self.receipts).withdraw(&mut lock(&member.receipt_request));
    }

    /// Viewers on this node: connected, part of the audience, each session counted once.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Viewers on all nodes, as far as this node knows.
    pub fn viewers_shown(&self) -> usize {
        self.viewers_shown.load(Ordering::Relaxed)
    }

    /// The most viewers on all nodes since the room opened.
    pub fn viewers_peak(&self) -> usize {
        self.viewers_peak.load(Ordering::Relaxed)
    }

    fn set_viewers(&self, here: usize, shown: usize) {
        self.viewers.store(here, Ordering::Relaxed);
        self.viewers_shown.store(shown, Ordering::Relaxed);
        self.viewers_peak.fetch_max(shown, Ordering::Relaxed);
    }

    /// Runs `act` under the inbox's lock, so it must be short; then wakes the writer.
    fn with_inbox<T>(&self, act: impl FnOnce(&mut Inbox) -> T) -> T {
        let out = act(&mut lock(&self.inbox));
        self.wake.notify_one();
        out
    }

    /// For the writer: takes the inbox, with about `space` bytes of events.
    fn take_inbox(&self, space: usize) -> InboxBatch {
        lock(&self.inbox).take(space)
    }
}

/// The position from which `recent` reaches `position` without a hole.
fn oldest_without_hole(position: &StreamPosition, recent: &[(u64, EncodedEvent)]) -> u64 {
    let numbers = recent.iter().rev().map(|(seq, _)| *seq);
    let connected = numbers.zip((0..=position.seq).rev()).take_while(|(seq, expected)| *seq > 0 && seq == expected);
    position.seq - connected.count() as u64
}

/// When a user who has as many connections as one user can have may try again.
const SOCKETS_RETRY_MS: std::ops::Range<Millis> = 30_000..60_000;

/// Counters of all rooms, for the metrics page.
#[derive(Default, Debug)]
pub struct RoomCounters {
    /// Frames encoded for a whole room.
    pub frames: AtomicU64,
    /// Writes to sockets, and their bytes.
    pub sends: AtomicU64,
    pub sent_bytes: AtomicU64,
    /// Joins that recovered exactly what they missed; that got a snapshot although they sent a position; that sent no
    /// position.
    pub resumed: AtomicU64,
    pub unrecovered: AtomicU64,
    pub first_joins: AtomicU64,
    /// Rooms that lost continuity and sent all viewers a snapshot: because of a hole, because of a new epoch.
    pub holes: AtomicU64,
    pub epoch_changes: AtomicU64,
    /// Events that were dropped because their room was behind. Each made a hole.
    pub dropped_events: AtomicU64,
    /// Resumed with the help of the broker's history; also counted in `resumed`.
    pub resumed_from_history: AtomicU64,
    /// Writes that found the socket full.
    pub blocked_writes: AtomicU64,
    /// Backpressure on slow viewers: skipped to the newest frame with a snapshot; reduced to the state lane; resynced;
    /// closed.
    pub skipped_to_head: AtomicU64,
    pub state_only: AtomicU64,
    pub resynced: AtomicU64,
    pub closed_slow: AtomicU64,
    /// Room frames that were deflated, once each, and their bytes before and after.
    pub deflated_frames: AtomicU64,
    pub deflate_bytes_in: AtomicU64,
    pub deflate_bytes_out: AtomicU64,
    /// Duration of each broadcast.
    pub broadcast_times: DurationHistogram,
    /// Delivery time: from the arrival of a frame's oldest event or value in the room to the end of the broadcast, when
    /// the last viewer whose socket takes it has been written to.
    pub delivery_times: DurationHistogram,
    /// Connections that ended, by the name of their close code.
    pub closes: CloseCounters,
    /// Faults of the video that viewers reported.
    pub video_faults: VideoFaults,
    /// Connections that were refused because their user has enough of them.
    pub sockets_refused: AtomicU64,
}

/// Number of connections that ended for each reason.
#[derive(Debug)]
pub struct CloseCounters(LabeledCounter);

impl Default for CloseCounters {
    fn default() -> Self {
        Self(LabeledCounter::new(Close::NAMES))
    }
}

impl CloseCounters {
    pub fn count(&self, close: Close) {
        self.0.increment(close.name());
    }

    /// The client disconnected without a close handshake.
    fn count_gone(&self) {
        self.0.increment("gone");
    }

    pub fn all(&self) -> &LabeledCounter {
        &self.0
    }
}

/// How full the rooms are, for the metrics page.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct RoomLoad {
    pub rooms: usize,
    /// The audience on this node, each session counted once.
    pub viewers: usize,
    /// Connections, of the audience or not.
    pub connections: usize,
    /// Events that wait for a room's writer: in all rooms, and in the fullest one.
    pub queued_events: usize,
    pub queued_events_max: usize,
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// A panic elsewhere does not make our data wrong: every change under these locks is complete in itself.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// When to reconnect: random, so that clients that were disconnected together do not reconnect together.
pub fn retry_ms() -> Millis {
    rand::random_range(200..2_000)
}
