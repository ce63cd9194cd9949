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

use super::receipts::Question;
use super::{Position, Room, lock, retry_ms};
use crate::domain::{Actor, Millis, OfferId, Role, StreamId};
use crate::protocol::{Close, Frame, Logged};

const QUEUE_MAX: usize = 64;
const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// What one needs to take a seat.
pub struct Joining {
    pub socket: Arc<TcpStream>,
    pub actor: Actor,
    /// The client's own random id: the newest connection with it wins.
    pub session: Option<String>,
    /// Where the client was.
    pub position: Option<Position>,
    /// What happened after that, as far as somebody other than the room knows; used when the room does not reach back.
    pub missed: Vec<(u64, Logged)>,
    /// The `you` of hello, as JSON.
    pub you: Bytes,
    /// The client reads deflated frames.
    pub deflate: bool,
    /// A picture of the show for the show itself, or a probe: nobody watches there.
    pub overlay: bool,
}

/// Whose connection it is, as a digest: of the person and the session, of a guest by the session alone. Whoever reads it
/// on the bus cannot take the session over.
pub type Who = [u8; 16];

fn who(actor: &Actor, session: &str) -> Who {
    let user = if actor.role == Role::Guest { "" } else { actor.user.as_str() };
    let digest = Sha256::new().chain_update(user).chain_update([0]).chain_update(session).finalize();
    std::array::from_fn(|at| digest[at])
}

/// What hello is made from.
pub struct Wants {
    pub position: Option<Position>,
    pub missed: Vec<(u64, Logged)>,
    pub you: Bytes,
}

/// Somebody connected to a room. Replies and closing may be asked of it from any task, at any time.
pub struct Member {
    pub actor: Actor,
    /// The session, and whose; what nodes tell each other of it.
    pub who: Option<Who>,
    /// Which of this node's arrivals it is.
    pub arrival: u64,
    /// All nodes have heard that it came in: whoever comes in after that is newer.
    pub(super) announced: AtomicBool,
    pub(super) socket: Arc<TcpStream>,
    pub(super) deflate: bool,
    /// One of the audience.
    pub(super) counted: bool,
    pub(super) question: Mutex<Question>,
    room: Arc<Room>,
    queue: Mutex<Queue>,
    /// Where the writer keeps this member's line.
    pub(super) slot: AtomicUsize,
    heard_at: AtomicI64,
    /// In the room's inbox already.
    poked: AtomicBool,
    gone: AtomicBool,
    blocked: AtomicBool,
    ended: AtomicBool,
    /// `blocked` or `ended` was set.
    turned: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    close: Option<Close>,
}

impl Member {
    pub(super) fn new(room: Arc<Room>, joining: Joining) -> (Arc<Self>, Wants) {
        let Joining { socket, actor, session, position, missed, you, deflate, overlay } = joining;
        let member = Arc::new(Self {
            counted: actor.role.watches() && !overlay,
            who: session.map(|session| who(&actor, &session)),
            actor,
            announced: AtomicBool::new(false),
            arrival: room.people.next_arrival(),
            socket,
            deflate,
            question: Mutex::default(),
            queue: Mutex::default(),
            slot: AtomicUsize::new(usize::MAX),
            heard_at: AtomicI64::new(room.clock.now()),
            room,
            poked: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            turned: Notify::new(),
        });
        (member, Wants { position, missed, you })
    }

    pub fn stream(&self) -> StreamId {
        self.room.stream
    }

    /// Sends a frame to this viewer alone, before anything the room says next.
    pub fn reply(self: &Arc<Self>, frame: Frame) {
        {
            let mut queue = lock(&self.queue);
            if queue.close.is_some() {
                return;
            }
            if queue.frames.len() == QUEUE_MAX || QUEUE_BYTES_MAX < queue.bytes + frame.len() {
                queue.close = Some(Close::Slow { retry_ms: retry_ms() });
            } else {
                queue.bytes += frame.len();
                queue.frames.push_back(frame);
            }
        }
        self.poke();
    }

    /// So much waits for this viewer that it should take some of it before it asks for more.
    pub fn has_much_to_take(&self) -> bool {
        let queue = lock(&self.queue);
        QUEUE_MAX / 2 <= queue.frames.len() || QUEUE_BYTES_MAX / 2 <= queue.bytes
    }

    /// Says that it has `offer` on the screen. Counts if it is one of the sample and was asked about this card.
    pub fn seen(&self, offer: OfferId) {
        self.room.answer(self, offer);
    }

    /// Ends the connection after what is queued; the first reason counts.
    pub fn close(self: &Arc<Self>, close: Close) {
        lock(&self.queue).close.get_or_insert(close);
        self.poke();
    }

    fn poke(self: &Arc<Self>) {
        if !self.poked.swap(true, Ordering::AcqRel) {
            self.room.with_inbox(|inbox| inbox.poke(self.clone()));
        }
    }

    // For the writer.

    /// From here on a new poke comes again; read what it was about after this.
    pub(super) fn take_poke(&self) {
        self.poked.swap(false, Ordering::AcqRel);
    }

    pub(super) fn take_frame(&self) -> Option<Bytes> {
        let mut queue = lock(&self.queue);
        let frame = queue.frames.pop_front()?;
        queue.bytes -= frame.len();
        if queue.frames.is_empty() {
            queue.frames = VecDeque::new();
        }
        Some(frame.into_bytes())
    }

    pub(super) fn asked_to_close(&self) -> Option<Close> {
        lock(&self.queue).close
    }

    /// Nothing more is taken for this viewer.
    pub(super) fn seal(&self, close: Close) {
        let mut queue = lock(&self.queue);
        queue.close.get_or_insert(close);
        queue.frames = VecDeque::new();
        queue.bytes = 0;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    pub(super) fn heard_at(&self) -> Millis {
        self.heard_at.load(Ordering::Relaxed)
    }

    /// The socket would block: the connection's task watches for the moment it does not.
    pub(super) fn block(&self) {
        self.blocked.store(true, Ordering::Release);
        self.turned.notify_one();
    }

    /// The writer is done with this socket.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.turned.notify_one();
    }
}

/// A place in a room, held by the connection's task; dropped means left.
pub struct Seat(Arc<Member>);

impl Seat {
    pub(super) fn new(member: Arc<Member>) -> Self {
        Self(member)
    }

    pub fn member(&self) -> &Arc<Member> {
        &self.0
    }

    /// Something came in: the other side is alive.
    pub fn heard(&self) {
        self.0.heard_at.store(self.0.room.clock.now(), Ordering::Relaxed);
    }

    /// Must be polled as long as the seat is held: takes the writing up again when a socket that would block can be
    /// written to, also in a quiet room. Ready when the writer is done with the socket: closed, cut or broken.
    pub async fn tend(&self) {
        let member = &self.0;
        while !member.ended.load(Ordering::Acquire) {
            tokio::select! {
                () = member.turned.notified() => {}
                // Polled by hand: the runtime's own future for it is a hundred bytes more for every viewer.
                _ = std::future::poll_fn(|task| member.socket.poll_write_ready(task)), if member.is_blocked() => {
                    member.blocked.store(false, Ordering::Release);
                    member.poke();
                }
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let member = &self.0;
        member.gone.store(true, Ordering::Release);
        member.room.people.remove(member);
        member.poke();
        let now = member.room.clock.now();
        member.room.with_inbox(|inbox| inbox.leave(now));
    }
}
