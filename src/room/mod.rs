//! The audience of one stream on this node: who is here, what they have seen, and the walk that writes to them.
//!
//! A [`Room`] has one writer task that owns everything: the ring of encoded frames, the values of the state lane,
//! and a cursor per viewer. Everybody else puts something into the room's bounded inbox and goes on. A viewer is no
//! task and no queue: writing is a walk over sockets, because waking a task per viewer and frame costs 1.4 times that.
//! Nothing here knows the store or the broker.

pub mod member;
pub mod receipts;
pub mod ring_buffer;
pub mod rooms;
pub mod timing;

mod backpressure;
mod broadcast;
mod connection_writer;
mod inbox;
mod join_leave;
mod writer;

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
use crate::domain::{Millis, OfferId, StreamId};
use crate::metrics::{DurationHistogram, LabeledCounter};
use crate::protocol::{Close, EncodedEvent, StateChange};

pub use member::{JoinRequest, Member, SessionDigest, Subscription};
pub use receipts::PinReach;
pub use ring_buffer::StreamPosition;
pub use rooms::Rooms;

use inbox::{DrainPlan, EnqueueResult, Inbox, InboxBatch, JoinNotice};
use receipts::Receipts;
use rooms::ConnectedUsers;

/// The audience of one stream on this node. All methods may be called from any task and return at once,
/// except [`Room::log`], which waits while the room cannot keep up.
pub struct Room {
    pub stream: StreamId,
    clock: Clock,
    counters: Arc<RoomCounters>,
    users: Arc<ConnectedUsers>,
    inbox: std::sync::Mutex<Inbox>,
    /// Something is in the inbox.
    wake: Notify,
    /// There is space in the inbox's log again.
    space: Notify,
    viewers: AtomicUsize,
    viewers_shown: AtomicUsize,
    viewers_peak: AtomicUsize,
    receipts: std::sync::Mutex<Receipts>,
    /// As far back as the ring answers resumes.
    oldest_position: std::sync::Mutex<Option<StreamPosition>>,
}

impl Room {
    fn new(stream: StreamId, clock: Clock, tally: Arc<RoomCounters>, people: Arc<ConnectedUsers>) -> Arc<Self> {
        let inbox = std::sync::Mutex::new(Inbox::new(clock.now()));
        let room = Arc::new(Self {
            stream,
            clock,
            counters: tally,
            users: people,
            inbox,
            wake: Notify::new(),
            space: Notify::new(),
            viewers: AtomicUsize::new(0),
            viewers_shown: AtomicUsize::new(0),
            viewers_peak: AtomicUsize::new(0),
            receipts: Default::default(),
            oldest_position: Default::default(),
        });
        tokio::spawn(writer::RoomWriter::new(room.clone()).run());
        room
    }

    /// Where the room stands: those who came before this wait for it, at most ten seconds. `recent` are the latest
    /// events in order, numbered (0: said before this epoch); as far as they reach back without a hole they answer
    /// resumes too. Called again (after the bus was lost), `recent` fills what was missed; what it cannot fill, or a
    /// new epoch, gives everybody a snapshot.
    pub fn begin(&self, position: StreamPosition, state: Vec<StateChange>, recent: Vec<(u64, EncodedEvent)>) {
        self.with_inbox(|inbox| inbox.begin(position, state, recent));
    }

    /// Events of `epoch`, the first numbered `first_seq`. Repetitions are dropped; a hole or another epoch gives
    /// everybody a snapshot. Waits while the room is behind; before [`Room::begin`] the oldest are dropped instead.
    pub async fn append_events(&self, epoch: &str, first_seq: u64, events: Vec<EncodedEvent>) {
        let mut events = Some(events);
        loop {
            let space = self.space.notified();
            tokio::pin!(space);
            space.as_mut().enable();
            match self.with_inbox(|inbox| inbox.append_events(epoch, first_seq, &mut events)) {
                EnqueueResult::Accepted => return,
                EnqueueResult::Full => space.await,
            }
        }
    }

    /// A value of the state lane. Never waits: a newer value takes the place of the one that waits in the inbox.
    pub fn set_state(&self, change: StateChange, urgent: bool) {
        self.with_inbox(|inbox| inbox.set_state(change, urgent));
    }

    /// How many watch this stream on other nodes; shown together with our own.
    pub fn set_remote_viewers(&self, viewers: u64) {
        self.with_inbox(|inbox| inbox.remote_viewers = Some(viewers));
    }

    /// Sessions that came in, here (`own`) or elsewhere, in the order in which every node hears of them: of each, the newest
    /// connection stays.
    pub fn receive_joins(&self, sessions: Vec<(SessionDigest, u64)>, own: bool) {
        self.with_inbox(|inbox| inbox.push_join_notice(JoinNotice { sessions, is_local: own }));
    }

    /// Takes a seat. Dropping the [`Seat`] leaves. Refused with "come back" when too many are coming in at once.
    pub fn join(self: &Arc<Self>, joining: JoinRequest) -> Result<Subscription, Close> {
        let (member, wants) = Member::new(self.clone(), joining);
        let taken =
            self.with_inbox(|inbox| inbox.join(inbox::PendingJoin { member: member.clone(), hello_request: wants }));
        if !taken {
            return Err(Close::Overload { retry_ms: retry_ms() });
        }
        self.users.add(&member);
        Ok(Subscription::new(member))
    }

    /// Tells everybody to move to another node, spread over `over_ms`; whoever is still here `within_ms` after they
    /// were told is closed.
    pub fn drain(&self, spread_ms: Millis, close_after_ms: Millis) {
        self.with_inbox(|inbox| inbox.drain = Some(DrainPlan { spread_ms, close_after_ms }));
    }

    /// Somebody is still connected.
    pub fn has_connections(&self) -> bool {
        lock(&self.inbox).has_connections()
    }

    /// Can the room itself tell one who was there what happened since? If not, whoever keeps history is worth asking.
    pub fn can_resume(&self, position: &StreamPosition) -> bool {
        let oldest = lock(&self.oldest_position);
        oldest.as_ref().is_some_and(|oldest| oldest.epoch == position.epoch && oldest.seq <= position.seq)
    }

    fn set_oldest_position(&self, epoch: &Arc<str>, seq: u64) {
        let mut oldest = lock(&self.oldest_position);
        match oldest.as_mut().filter(|oldest| oldest.epoch == *epoch) {
            Some(oldest) => oldest.seq = seq,
            None => *oldest = Some(StreamPosition { epoch: epoch.clone(), seq }),
        }
    }

    /// How far the pinned card has got, by what a sample of the viewers answers.
    pub fn pin_reach(&self) -> Option<PinReach> {
        lock(&self.receipts).reach()
    }

    fn request_receipt(&self, member: &Member, now: Millis) {
        lock(&self.receipts).ask(&mut lock(&member.receipt_request), now);
    }

    fn record_receipt(&self, member: &Member, offer: OfferId) {
        let now = self.clock.now();
        lock(&self.receipts).record(&mut lock(&member.receipt_request), offer, now);
    }

    fn withdraw_receipt(&self, member: &Member) {
        lock(&self.receipts).withdraw(&mut lock(&member.receipt_request));
    }

    /// Who watches on this node: connected, of the audience, each session once.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Who watches anywhere, as far as this node knows.
    pub fn viewers_shown(&self) -> usize {
        self.viewers_shown.load(Ordering::Relaxed)
    }

    /// The most there were anywhere since the room opened.
    pub fn viewers_peak(&self) -> usize {
        self.viewers_peak.load(Ordering::Relaxed)
    }

    fn set_viewers(&self, here: usize, shown: usize) {
        self.viewers.store(here, Ordering::Relaxed);
        self.viewers_shown.store(shown, Ordering::Relaxed);
        self.viewers_peak.fetch_max(shown, Ordering::Relaxed);
    }

    /// Runs under the inbox's lock, so `act` is short; then wakes the writer.
    fn with_inbox<T>(&self, act: impl FnOnce(&mut Inbox) -> T) -> T {
        let out = act(&mut lock(&self.inbox));
        self.wake.notify_one();
        out
    }

    /// For the writer: what has come in, with about `space` bytes of events.
    fn take_inbox(&self, space: usize) -> InboxBatch {
        let turn = lock(&self.inbox).take(space);
        if turn.has_freed_space {
            self.space.notify_waiters();
        }
        turn
    }
}

/// What rooms did, for the metrics page.
#[derive(Default, Debug)]
pub struct RoomCounters {
    /// Frames encoded for a whole room.
    pub frames: AtomicU64,
    /// Writes to sockets, and the bytes they took.
    pub sends: AtomicU64,
    pub sent_bytes: AtomicU64,
    /// Greeted with exactly what they missed; with a snapshot although they said where they were; newly come.
    pub resumed: AtomicU64,
    pub unrecovered: AtomicU64,
    pub first_joins: AtomicU64,
    /// Rooms that lost continuity and sent everybody a snapshot: over a hole, over a new epoch.
    pub holes: AtomicU64,
    pub epoch_changes: AtomicU64,
    /// Resumed with the help of history from outside the room; also counted in `resumed`.
    pub resumed_from_history: AtomicU64,
    /// Writes that found the socket full.
    pub blocked_writes: AtomicU64,
    /// Slow viewers brought to the head by a snapshot; left with the values alone; taken back; sent away.
    pub skipped_to_head: AtomicU64,
    pub state_only: AtomicU64,
    pub resynced: AtomicU64,
    pub closed_slow: AtomicU64,
    /// Room frames that were deflated, once each, and their bytes before and after.
    pub deflated_frames: AtomicU64,
    pub deflate_bytes_in: AtomicU64,
    pub deflate_bytes_out: AtomicU64,
    /// Walks over a room.
    pub broadcast_times: DurationHistogram,
    /// From the moment the oldest event or value of a frame came into the room to the end of the walk that brought it to
    /// the last viewer whose socket took it.
    pub delivery_times: DurationHistogram,
    /// Connections that ended, by their close code's name.
    pub closes: CloseCounters,
}

/// How many connections ended for each reason.
#[derive(Debug)]
pub struct CloseCounters(LabeledCounter);

impl Default for CloseCounters {
    fn default() -> Self {
        Self(LabeledCounter::new(&Close::NAMES))
    }
}

impl CloseCounters {
    pub fn count(&self, close: Close) {
        self.0.increment(close.name());
    }

    /// A viewer was gone without a goodbye.
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
    /// The audience on this node, each session once.
    pub viewers: usize,
    /// Connections, of the audience or not.
    pub connections: usize,
    /// Events that wait for a room's writer, in all rooms and in the fullest.
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

/// When to come back: spread, so that those who were sent away together do not return together.
pub fn retry_ms() -> Millis {
    rand::random_range(200..2_000)
}
