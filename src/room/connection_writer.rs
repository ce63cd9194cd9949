//! The writer's side of one seat: how far this viewer is, what is half written, and how patient we still are.
//!
//! A frame once begun is finished before anything else goes out. What a slow viewer costs is bounded, whatever they do:
//! one frame begun, the private queue (256 KiB), and a cursor. `ladder.rs` says what they are sent; five seconds in which
//! the socket takes nothing are the end on any of its steps.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::backpressure::{Backpressure, BackpressureAction};
use super::inbox::PendingJoin;
use super::member::HelloRequest;
use super::ring_buffer::RingBuffer;
use super::timing::{Heartbeat, HeartbeatAction};
use super::{Member, RoomCounters, count, retry_ms};
use crate::domain::Millis;
use crate::protocol::{Close, Frame, server};

const SLICES_MAX: usize = 16;
const WRITE_DEADLINE_MS: Millis = 5_000;
/// A viewer who takes up again this far behind skips to the head.
const LAG_BYTES_MAX: u64 = 128 * 1024;
/// How long the close frame may take: for one who is slow anyway, and for everybody else.
const CLOSE_DEADLINE_SLOW_MS: Millis = 1_000;
const CLOSE_DEADLINE_MS: Millis = 5_000;
const HELLO_DEADLINE_MS: Millis = 10_000;
const CONNECTION_TTL_MS: Millis = 30 * 60_000;
const CONNECTION_TTL_JITTER_MS: Millis = 3 * 60_000;

pub struct ConnectionWriter {
    pub member: Arc<Member>,
    /// The member's, here once more: a walk over ten thousand waits for memory above all.
    socket: Arc<TcpStream>,
    deflate: bool,
    /// The member's queue may hold something.
    has_private_frames: bool,
    pub joined_at: Millis,
    /// What hello needs; `None` once it was said.
    pub pending_hello: Option<Box<HelloRequest>>,
    pub is_counted: bool,
    /// One of those who are asked what they have seen.
    pub is_sampled: bool,
    /// Nothing can be written any more; the line is to be removed.
    pub over: bool,
    /// When to say `moving`, and how long after that to close.
    pub moving: Option<(Millis, Millis)>,
    /// The next room frame.
    cursor: u64,
    /// Begun, or this viewer's own and next.
    unsent: VecDeque<Bytes>,
    /// The first of `rest` is partly written.
    is_partly_written: bool,
    is_blocked: bool,
    stalled_since: Option<Millis>,
    expires: (Millis, Close),
    close_deadline: Option<Millis>,
    backpressure: Backpressure,
    heartbeat: Heartbeat,
}

/// What all viewers share who need it at this moment; made when the first of them does.
pub enum SharedPart {
    /// Everything, for one who is brought to the head.
    Snapshot { deflate: bool },
    /// The values as JSON.
    State,
}

impl ConnectionWriter {
    pub fn new(arrival: PendingJoin, now: Millis) -> Self {
        let PendingJoin { member, hello_request: wants } = arrival;
        let life = now + CONNECTION_TTL_MS - rand::random_range(0..CONNECTION_TTL_JITTER_MS);
        let expires = match member.actor.expires_at {
            Some(at) if at <= life => (at, Close::Token),
            _ => (life, Close::Ttl { retry_ms: retry_ms() }),
        };
        Self {
            socket: member.socket.clone(),
            deflate: member.deflate,
            has_private_frames: true,
            joined_at: now,
            pending_hello: Some(Box::new(wants)),
            is_counted: member.is_counted,
            is_sampled: false,
            over: false,
            moving: None,
            cursor: 0,
            unsent: VecDeque::new(),
            is_partly_written: false,
            is_blocked: false,
            stalled_since: None,
            expires,
            close_deadline: None,
            backpressure: Backpressure::new(now),
            heartbeat: Heartbeat::new(
                now,
                rand::random_range(Heartbeat::PING_INTERVAL_MS / 2..=Heartbeat::PING_INTERVAL_MS),
            ),
            member,
        }
    }

    pub fn is_closing(&self) -> bool {
        self.close_deadline.is_some() || self.over
    }

    /// We said goodbye; else the client was gone before.
    pub fn was_closed(&self) -> bool {
        self.close_deadline.is_some()
    }

    /// Is sent what the room says.
    fn receives_events(&self) -> bool {
        self.pending_hello.is_none() && !self.is_closing() && !self.backpressure.is_state_only()
    }

    /// Hello is said; from here on the viewer follows the room from `head`.
    pub fn start(&mut self, hello: Frame, head: u64) {
        self.pending_hello = None;
        self.cursor = head;
        self.unsent.push_back(hello.into_bytes());
    }

    /// There is a room frame to write, and it is worth trying.
    pub fn has_frames_to_send(&self, head: u64) -> bool {
        self.cursor < head && !self.is_blocked && self.receives_events()
    }

    /// Somebody queued something for this viewer, or the connection's task saw that the socket takes bytes again.
    pub fn on_notified(&mut self) {
        self.has_private_frames = true;
        self.is_blocked = self.member.is_blocked();
    }

    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Begins to close: what is queued (unless the viewer is slow), the close frame, then the end of the stream.
    pub fn close(&mut self, close: Close, now: Millis) {
        let slow = matches!(close, Close::Slow { .. });
        if slow {
            self.unsent.truncate(usize::from(self.is_partly_written));
        } else {
            self.take_private_frames(usize::MAX);
        }
        self.member.close_queue(close);
        self.unsent.push_back(Frame::close(close).into_bytes());
        self.close_deadline = Some(now + if slow { CLOSE_DEADLINE_SLOW_MS } else { CLOSE_DEADLINE_MS });
    }

    /// Writes what the socket takes: the frame begun, this viewer's own frames, then the room's. `Some` when the viewer
    /// is too slow to go on. `shared` gives what many viewers are sent the same.
    pub fn write(
        &mut self,
        ring: &RingBuffer,
        now: Millis,
        tally: &RoomCounters,
        mut shared: impl FnMut(SharedPart) -> Bytes,
    ) -> Option<Close> {
        #[cfg(feature = "planted-fault")]
        if self.receives_events() {
            crate::fault::move_cursor(&mut self.cursor, ring.head());
        }
        let mut late = self.stalled_since.is_some();
        let deflate = self.deflate;
        while !self.over {
            if self.pending_hello.is_none() && self.close_deadline.is_none() {
                self.take_private_frames(SLICES_MAX);
            }
            // The ring lets go of old frames; whoever still needs them skips, too.
            let far = ring.bytes_behind(self.cursor).is_none_or(|bytes| late && LAG_BYTES_MAX < bytes);
            let mut skips = far && self.receives_events();
            if self.unsent.is_empty() && !self.is_closing() {
                if skips {
                    count(&tally.skipped_to_head, 1);
                    self.unsent.push_back(shared(SharedPart::Snapshot { deflate }));
                    self.cursor = ring.head();
                    (late, skips) = (false, false);
                    if self.backpressure.record_skip(ring.position().seq, now) {
                        count(&tally.state_only, 1);
                    }
                }
                match self.backpressure.next_action(now) {
                    None => {}
                    Some(BackpressureAction::SendState { seq }) => {
                        self.unsent.push_back(server::state_tick(seq, &shared(SharedPart::State)).into_bytes());
                    }
                    Some(BackpressureAction::Resync) => {
                        count(&tally.resynced, 1);
                        self.unsent.push_back(shared(SharedPart::Snapshot { deflate }));
                        self.cursor = ring.head();
                    }
                    Some(BackpressureAction::Close) => return Some(Close::Slow { retry_ms: retry_ms() }),
                }
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut used = 0;
            let most = if self.receives_events() && !skips { SLICES_MAX } else { 0 };
            let room_frames = ring.frames_from(self.cursor, deflate).take(most);
            for (slice, bytes) in slices.iter_mut().zip(self.unsent.iter().chain(room_frames)) {
                *slice = IoSlice::new(bytes);
                used += 1;
            }
            let outcome = match &slices[..used] {
                [] => return self.on_all_written(),
                slices => self.send(slices),
            };
            count(&tally.sends, 1);
            match outcome {
                Ok(written) => {
                    count(&tally.sent_bytes, written as u64);
                    self.stalled_since = None;
                    self.advance(written, ring);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    count(&tally.blocked_writes, 1);
                    self.is_blocked = true;
                    self.stalled_since.get_or_insert(now);
                    self.backpressure.record_stall(now);
                    self.member.mark_blocked();
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.end(),
            }
        }
        None
    }

    /// Straight to the kernel: what the runtime thinks of the socket is one more place in memory to wait for. Only a
    /// socket that would block is asked about through the runtime, which has to know to tell when it does not.
    fn send(&self, slices: &[IoSlice]) -> std::io::Result<usize> {
        let socket = SockRef::from(&*self.socket);
        let sent = match slices {
            [one] => socket.send(one),
            several => socket.send_vectored(several),
        };
        match sent {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.socket.try_write_vectored(slices),
            sent => sent,
        }
    }

    fn take_private_frames(&mut self, most: usize) {
        while self.has_private_frames && self.unsent.len() < most {
            match self.member.pop_frame() {
                Some(frame) => self.unsent.push_back(frame),
                None => self.has_private_frames = false,
            }
        }
    }

    fn advance(&mut self, mut written: usize, ring: &RingBuffer) {
        while let Some(first) = self.unsent.front_mut() {
            if written < first.len() {
                first.advance(written);
                self.is_partly_written |= written > 0;
                return;
            }
            written -= first.len();
            self.unsent.pop_front();
            self.is_partly_written = false;
        }
        self.unsent = VecDeque::new();
        for frame in ring.frames_from(self.cursor, self.deflate) {
            if written == 0 {
                return;
            }
            self.cursor += 1;
            if written < frame.len() {
                self.unsent.push_back(frame.slice(written..));
                self.is_partly_written = true;
                return;
            }
            written -= frame.len();
        }
    }

    /// After the close frame nothing follows: the client sees the end of the stream, its task waits for the client's.
    fn on_all_written(&mut self) -> Option<Close> {
        self.stalled_since = None;
        if self.close_deadline.is_some() {
            let _ = SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write);
            self.end();
        }
        None
    }

    /// The writer is done with this socket.
    pub fn end(&mut self) {
        self.over = true;
        self.member.mark_ended();
    }

    /// Gives up at once; the kernel forgets what it could not deliver.
    fn abort(&mut self) {
        let socket = SockRef::from(&*self.socket);
        let _ = socket.set_linger(Some(std::time::Duration::ZERO));
        let _ = socket.shutdown(std::net::Shutdown::Both);
        self.end();
    }

    /// What time does to a line. `Some` when it is time to close; `true` when there is something to write.
    pub fn check_deadlines(&mut self, now: Millis) -> (Option<Close>, bool) {
        if self.over {
            return (None, false);
        }
        if let Some(until) = self.close_deadline {
            if until <= now {
                self.abort();
            }
            return (None, false);
        }
        if self.stalled_since.is_some_and(|since| since + WRITE_DEADLINE_MS <= now) || self.backpressure.is_expired(now)
        {
            return (Some(Close::Slow { retry_ms: retry_ms() }), false);
        }
        if self.expires.0 <= now {
            return (Some(self.expires.1), false);
        }
        if self.pending_hello.is_some() {
            let waited = self.joined_at + HELLO_DEADLINE_MS <= now;
            return (waited.then(|| Close::Overload { retry_ms: retry_ms() }), false);
        }
        if let Some((_, within_ms)) = self.moving.filter(|(at, _)| *at <= now) {
            self.moving = None;
            // Clients come after any part of this: half of the time is left to come in somewhere else.
            self.unsent.push_back(server::moving(within_ms / 2).into_bytes());
            if now + within_ms < self.expires.0 {
                self.expires = (now + within_ms, Close::Moving { retry_ms: retry_ms() });
            }
            return (None, true);
        }
        match self.heartbeat.check(now, || self.member.last_received_at()) {
            HeartbeatAction::Wait => (None, self.backpressure.is_action_due(now)),
            HeartbeatAction::TimedOut => (Some(Close::PongTimeout { retry_ms: retry_ms() }), false),
            HeartbeatAction::Ping => {
                self.unsent.push_back(Frame::ping(b"").into_bytes());
                (None, true)
            }
        }
    }
}
