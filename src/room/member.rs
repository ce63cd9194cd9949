//! A member of a room: what the connection's own task and the room's writer share.
//!
//! The connection's task reads, the writer writes; nothing else touches the socket. Frames for one viewer alone go
//! through a small private queue of 64 messages or 256 KiB; a viewer whose queue is full is disconnected.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use super::receipts::ReceiptRequest;
use super::{Room, StreamPosition, lock, retry_ms};
use crate::domain::video::VideoFaultKind;
use crate::domain::{Actor, Millis, OfferId, Role, StreamId};
use crate::protocol::{Close, EncodedEvent, Frame};

const PRIVATE_QUEUE_MAX: usize = 64;
const PRIVATE_QUEUE_BYTES_MAX: usize = 256 * 1024;

/// What a connection needs to join a room.
pub struct JoinRequest {
    pub socket: Arc<TcpStream>,
    pub actor: Actor,
    /// The client's own random id: the newest connection with it wins.
    pub session: Option<String>,
    /// The client's position.
    pub position: Option<StreamPosition>,
    /// The events after that position, from the broker's history; used when the ring buffer does not reach back far
    /// enough.
    pub missed: Vec<(u64, EncodedEvent)>,
    /// The `you` of hello, as JSON.
    pub you: Bytes,
    /// The client accepts deflated frames.
    pub deflate: bool,
    /// It does not count as a viewer: a video overlay of the show itself, a probe, or too many connections of one address.
    pub is_uncounted: bool,
}

/// One viewer cannot make the video of a show look broken for many.
const VIDEO_FAULT_EVERY_MS: Millis = 1_000;

/// The digest of a user and a session, or for an anonymous user of the session alone. Reading it in the broker does not allow
/// anybody to take over the session.
pub type SessionDigest = [u8; 16];

fn session_digest(actor: &Actor, session: &str) -> SessionDigest {
    let user = if actor.role == Role::Anonymous { "" } else { actor.user.as_str() };
    let digest = Sha256::new().chain_update(user).chain_update([0]).chain_update(session).finalize();
    std::array::from_fn(|at| digest[at])
}

/// What hello is made from.
pub struct HelloRequest {
    pub position: Option<StreamPosition>,
    pub missed: Vec<(u64, EncodedEvent)>,
    pub you: Bytes,
}

/// A connection in a room. Frames may be sent to it, and it may be closed, from any task at any time.
pub struct Member {
    pub actor: Actor,
    /// The digest of the user and the session; nodes publish it to each other.
    pub session_digest: Option<SessionDigest>,
    /// The number of this join on this node.
    pub join_number: u64,
    /// When it was, by the wall clock: nodes compare it with joins on other nodes.
    pub joined_at: Millis,
    /// The broker has published this join to all nodes: a connection that joins after that is newer.
    pub(super) is_join_confirmed: AtomicBool,
    pub(super) socket: Arc<TcpStream>,
    pub(super) deflate: bool,
    /// Counts as part of the audience.
    pub(super) is_counted: bool,
    pub(super) receipt_request: Mutex<ReceiptRequest>,
    /// When this viewer last reported a fault of the video.
    video_fault_at: AtomicI64,
    room: Arc<Room>,
    queue: Mutex<PrivateQueue>,
    /// The index of this member's connection writer in the room's writer.
    pub(super) writer_index: AtomicUsize,
    last_received_at: AtomicI64,
    /// Verbs of this viewer that run and are not answered yet, and how many of them take long.
    running_verbs: AtomicU32,
    slow_verbs: AtomicU32,
    /// It is already in the room's inbox.
    is_notified: AtomicBool,
    has_left: AtomicBool,
    is_blocked: AtomicBool,
    is_ended: AtomicBool,
    /// Wakes the connection's task: `is_blocked` or `is_ended` was set. A [`tokio::sync::Notify`] would cost each viewer a hundred bytes
    /// more, most of them in the future that waits for it.
    waker: Mutex<Option<Waker>>,
}

#[derive(Default)]
struct PrivateQueue {
    frames: VecDeque<Frame>,
    bytes: usize,
    close: Option<Close>,
}

impl Member {
    pub(super) fn new(room: Arc<Room>, request: JoinRequest) -> (Arc<Self>, HelloRequest) {
        let JoinRequest { socket, actor, session, position, missed, you, deflate, is_uncounted } = request;
        let member = Arc::new(Self {
            is_counted: actor.role.is_audience() && !is_uncounted,
            session_digest: session.map(|session| session_digest(&actor, &session)),
            actor,
            is_join_confirmed: AtomicBool::new(false),
            join_number: room.users.next_join_number(),
            joined_at: room.clock.time_of_day(),
            socket,
            deflate,
            receipt_request: Mutex::default(),
            video_fault_at: AtomicI64::new(0),
            queue: Mutex::default(),
            writer_index: AtomicUsize::new(usize::MAX),
            last_received_at: AtomicI64::new(room.clock.now()),
            running_verbs: AtomicU32::new(0),
            slow_verbs: AtomicU32::new(0),
            room,
            is_notified: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_ended: AtomicBool::new(false),
            waker: Mutex::default(),
        });
        (member, HelloRequest { position, missed, you })
    }

    pub fn stream(&self) -> StreamId {
        self.room.stream
    }

    /// Sends a frame to this viewer alone, before the next broadcast.
    pub fn send(self: &Arc<Self>, frame: Frame) {
        {
            let mut queue = lock(&self.queue);
            if queue.close.is_some() {
                return;
            }
            if queue.frames.len() == PRIVATE_QUEUE_MAX || PRIVATE_QUEUE_BYTES_MAX < queue.bytes + frame.len() {
                queue.close = Some(Close::Slow { retry_ms: retry_ms() });
            } else {
                queue.bytes += frame.len();
                queue.frames.push_back(frame);
            }
        }
        self.notify();
    }

    /// A verb of this viewer begins to run. Hold the value until its reply was given to [`Member::send`]: a connection that a newer
    /// one replaces stays open for its replies, for a while.
    pub fn begin_verb(self: &Arc<Self>) -> RunningVerb {
        self.running_verbs.fetch_add(1, Ordering::AcqRel);
        RunningVerb(self.clone())
    }

    /// A verb that takes long begins to run. `None`: `max` of them run already. Only the task of this connection may call it, so
    /// nothing happens between the check and the increment.
    pub fn begin_slow_verb(self: &Arc<Self>, max: u32) -> Option<SlowVerb> {
        (self.slow_verbs.load(Ordering::Acquire) < max).then(|| {
            self.slow_verbs.fetch_add(1, Ordering::AcqRel);
            SlowVerb(self.clone())
        })
    }

    /// The socket of the connection. Only its own task reads from it, and only the room's writer writes to it.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// So many frames wait that the viewer should take some of them before it asks for more.
    pub fn is_queue_half_full(&self) -> bool {
        let queue = lock(&self.queue);
        PRIVATE_QUEUE_MAX / 2 <= queue.frames.len() || PRIVATE_QUEUE_BYTES_MAX / 2 <= queue.bytes
    }

    /// The viewer reports that it has `offer` on the screen. Counts if the viewer is in the sample and was asked about
    /// this offer.
    pub fn seen(&self, offer: OfferId) {
        self.room.record_receipt(self, offer);
    }

    /// The viewer reports that its video does not play. Counts at most once in [`VIDEO_FAULT_EVERY_MS`].
    pub fn report_video_fault(&self, kind: VideoFaultKind) {
        let now = self.room.clock.now();
        if now - self.video_fault_at.load(Ordering::Relaxed) >= VIDEO_FAULT_EVERY_MS {
            self.video_fault_at.store(now, Ordering::Relaxed);
            self.room.count_video_fault(kind);
        }
    }

    /// Closes the connection after what is queued; the first reason counts.
    pub fn close(self: &Arc<Self>, close: Close) {
        lock(&self.queue).close.get_or_insert(close);
        self.notify();
    }

    fn notify(self: &Arc<Self>) {
        if !self.is_notified.swap(true, Ordering::AcqRel) {
            self.room.with_inbox(|inbox| inbox.push_notified(self.clone()));
        }
    }

    // For the writer.

    /// From now on a new notification is queued again; read what it was about after this.
    pub(super) fn clear_notified(&self) {
        self.is_notified.swap(false, Ordering::AcqRel);
    }

    pub(super) fn pop_frame(&self) -> Option<Bytes> {
        let mut queue = lock(&self.queue);
        let frame = queue.frames.pop_front()?;
        queue.bytes -= frame.len();
        if queue.frames.is_empty() {
            queue.frames = VecDeque::new();
        }
        Some(frame.into_bytes())
    }

    pub(super) fn requested_close(&self) -> Option<Close> {
        lock(&self.queue).close
    }

    /// Accepts no more frames for this viewer.
    pub(super) fn close_queue(&self, close: Close) {
        let mut queue = lock(&self.queue);
        queue.close.get_or_insert(close);
        queue.frames = VecDeque::new();
        queue.bytes = 0;
    }

    pub(super) fn has_running_verbs(&self) -> bool {
        self.running_verbs.load(Ordering::Acquire) > 0
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Acquire)
    }

    pub(super) fn last_received_at(&self) -> Millis {
        self.last_received_at.load(Ordering::Relaxed)
    }

    /// The socket would block: the connection's task waits until it is writable.
    pub(super) fn mark_blocked(&self) {
        self.is_blocked.store(true, Ordering::Release);
        self.wake_task();
    }

    /// The writer is done with this socket.
    pub(super) fn mark_ended(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.wake_task();
    }

    fn wake_task(&self) {
        // The guard is dropped before the call.
        let waker = lock(&self.waker).take();
        waker.inspect(Waker::wake_by_ref);
    }

    /// Ready when the writer is done with the socket. Until then it notifies the writer each time a blocked socket is writable again.
    fn poll_ended(self: &Arc<Self>, task: &mut Context<'_>) -> Poll<()> {
        // Before the flags are read: what is set after that wakes the task.
        {
            let mut waker = lock(&self.waker);
            if !waker.as_ref().is_some_and(|kept| kept.will_wake(task.waker())) {
                *waker = Some(task.waker().clone());
            }
        }
        if self.is_ended.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if self.is_blocked() && self.socket.poll_write_ready(task).is_ready() {
            self.is_blocked.store(false, Ordering::Release);
            self.notify();
        }
        Poll::Pending
    }
}

/// A verb that runs; see [`Member::begin_verb`].
pub struct RunningVerb(Arc<Member>);

impl Drop for RunningVerb {
    fn drop(&mut self) {
        self.0.running_verbs.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A verb that runs and takes long; see [`Member::begin_slow_verb`].
pub struct SlowVerb(Arc<Member>);

impl Drop for SlowVerb {
    fn drop(&mut self) {
        self.0.slow_verbs.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A session's subscription to a room, held by the connection's task; dropping it leaves the room.
pub struct Subscription(Arc<Member>);

impl Subscription {
    pub(super) fn new(member: Arc<Member>) -> Self {
        Self(member)
    }

    pub fn member(&self) -> &Arc<Member> {
        &self.0
    }

    /// Bytes were received: the client is alive.
    pub fn record_received(&self) {
        self.0.last_received_at.store(self.0.room.clock.now(), Ordering::Relaxed);
    }

    /// Must be polled as long as the subscription is held: resumes writing when a blocked socket is writable again,
    /// also in a quiet room. Ready when the writer is done with the socket, because it was closed, aborted or broken.
    pub async fn run(&self) {
        std::future::poll_fn(|task| self.0.poll_ended(task)).await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let member = &self.0;
        // The member may live longer than the task, whose memory the waker would keep.
        *lock(&member.waker) = None;
        member.has_left.store(true, Ordering::Release);
        member.room.users.remove(member);
        member.notify();
        let now = member.room.clock.now();
        member.room.with_inbox(|inbox| inbox.leave(now));
    }
}
