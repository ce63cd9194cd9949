//! One who is here: what the connection's own task and the room's writer share about them.
//!
//! The connection's task reads, the writer writes; nobody else touches the socket. What is for one viewer alone goes
//! through a small queue: 64 messages or 256 KiB, and a viewer who lets it fill up is sent away.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::receipts::ReceiptRequest;
use super::{Room, StreamPosition, lock, retry_ms};
use crate::domain::{Actor, Millis, OfferId, Role, StreamId};
use crate::protocol::{Close, EncodedEvent, Frame};

const PRIVATE_QUEUE_MAX: usize = 64;
const PRIVATE_QUEUE_BYTES_MAX: usize = 256 * 1024;

/// What one needs to take a seat.
pub struct JoinRequest {
    pub socket: Arc<TcpStream>,
    pub actor: Actor,
    /// The client's own random id: the newest connection with it wins.
    pub session: Option<String>,
    /// Where the client was.
    pub position: Option<StreamPosition>,
    /// What happened after that, as far as somebody other than the room knows; used when the room does not reach back.
    pub missed: Vec<(u64, EncodedEvent)>,
    /// The `you` of hello, as JSON.
    pub you: Bytes,
    /// The client reads deflated frames.
    pub deflate: bool,
    /// A picture of the show for the show itself, or a probe: nobody watches there.
    pub is_overlay: bool,
}

/// Whose connection it is, as a digest: of the person and the session, of a guest by the session alone. Whoever reads it
/// on the bus cannot take the session over.
pub type SessionDigest = [u8; 16];

fn session_digest(actor: &Actor, session: &str) -> SessionDigest {
    let user = if actor.role == Role::Guest { "" } else { actor.user.as_str() };
    let digest = Sha256::new().chain_update(user).chain_update([0]).chain_update(session).finalize();
    std::array::from_fn(|at| digest[at])
}

/// What hello is made from.
pub struct HelloRequest {
    pub position: Option<StreamPosition>,
    pub missed: Vec<(u64, EncodedEvent)>,
    pub you: Bytes,
}

/// Somebody connected to a room. Replies and closing may be asked of it from any task, at any time.
pub struct Member {
    pub actor: Actor,
    /// The session, and whose; what nodes tell each other of it.
    pub session_digest: Option<SessionDigest>,
    /// Which of this node's arrivals it is.
    pub join_number: u64,
    /// All nodes have heard that it came in: whoever comes in after that is newer.
    pub(super) is_join_confirmed: AtomicBool,
    pub(super) socket: Arc<TcpStream>,
    pub(super) deflate: bool,
    /// One of the audience.
    pub(super) is_counted: bool,
    pub(super) receipt_request: Mutex<ReceiptRequest>,
    room: Arc<Room>,
    queue: Mutex<PrivateQueue>,
    /// Where the writer keeps this member's line.
    pub(super) writer_index: AtomicUsize,
    last_received_at: AtomicI64,
    /// In the room's inbox already.
    is_notified: AtomicBool,
    has_left: AtomicBool,
    is_blocked: AtomicBool,
    is_ended: AtomicBool,
    /// `blocked` or `ended` was set.
    changed: Notify,
}

#[derive(Default)]
struct PrivateQueue {
    frames: VecDeque<Frame>,
    bytes: usize,
    close: Option<Close>,
}

impl Member {
    pub(super) fn new(room: Arc<Room>, joining: JoinRequest) -> (Arc<Self>, HelloRequest) {
        let JoinRequest { socket, actor, session, position, missed, you, deflate, is_overlay: overlay } = joining;
        let member = Arc::new(Self {
            is_counted: actor.role.is_audience() && !overlay,
            session_digest: session.map(|session| session_digest(&actor, &session)),
            actor,
            is_join_confirmed: AtomicBool::new(false),
            join_number: room.users.next_join_number(),
            socket,
            deflate,
            receipt_request: Mutex::default(),
            queue: Mutex::default(),
            writer_index: AtomicUsize::new(usize::MAX),
            last_received_at: AtomicI64::new(room.clock.now()),
            room,
            is_notified: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_ended: AtomicBool::new(false),
            changed: Notify::new(),
        });
        (member, HelloRequest { position, missed, you })
    }

    pub fn stream(&self) -> StreamId {
        self.room.stream
    }

    /// Sends a frame to this viewer alone, before anything the room says next.
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

    /// So much waits for this viewer that it should take some of it before it asks for more.
    pub fn is_queue_half_full(&self) -> bool {
        let queue = lock(&self.queue);
        PRIVATE_QUEUE_MAX / 2 <= queue.frames.len() || PRIVATE_QUEUE_BYTES_MAX / 2 <= queue.bytes
    }

    /// Says that it has `offer` on the screen. Counts if it is one of the sample and was asked about this card.
    pub fn seen(&self, offer: OfferId) {
        self.room.record_receipt(self, offer);
    }

    /// Ends the connection after what is queued; the first reason counts.
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

    /// From here on a new poke comes again; read what it was about after this.
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

    /// Nothing more is taken for this viewer.
    pub(super) fn close_queue(&self, close: Close) {
        let mut queue = lock(&self.queue);
        queue.close.get_or_insert(close);
        queue.frames = VecDeque::new();
        queue.bytes = 0;
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

    /// The socket would block: the connection's task watches for the moment it does not.
    pub(super) fn mark_blocked(&self) {
        self.is_blocked.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// The writer is done with this socket.
    pub(super) fn mark_ended(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// A place in a room, held by the connection's task; dropped means left.
pub struct Subscription(Arc<Member>);

impl Subscription {
    pub(super) fn new(member: Arc<Member>) -> Self {
        Self(member)
    }

    pub fn member(&self) -> &Arc<Member> {
        &self.0
    }

    /// Something came in: the other side is alive.
    pub fn record_received(&self) {
        self.0.last_received_at.store(self.0.room.clock.now(), Ordering::Relaxed);
    }

    /// Must be polled as long as the seat is held: takes the writing up again when a socket that would block can be
    /// written to, also in a quiet room. Ready when the writer is done with the socket: closed, cut or broken.
    pub async fn run(&self) {
        let member = &self.0;
        while !member.is_ended.load(Ordering::Acquire) {
            tokio::select! {
                () = member.changed.notified() => {}
                // Polled by hand: the runtime's own future for it is a hundred bytes more for every viewer.
                _ = std::future::poll_fn(|task| member.socket.poll_write_ready(task)), if member.is_blocked() => {
                    member.is_blocked.store(false, Ordering::Release);
                    member.notify();
                }
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let member = &self.0;
        member.has_left.store(true, Ordering::Release);
        member.room.users.remove(member);
        member.notify();
        let now = member.room.clock.now();
        member.room.with_inbox(|inbox| inbox.leave(now));
    }
}
