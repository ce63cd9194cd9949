//! The connection writer: one viewer's cursor, what is half written, and its deadlines.
//!
//! A frame that was begun is finished before anything else is sent. The cost of a slow viewer is bounded: one begun
//! frame, the private queue (256 KiB), and a cursor. `backpressure.rs` decides what a slow viewer is sent; a socket
//! that reads nothing for five seconds is closed in any case.

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
use super::timing::{IdleDeadlines, PingAction, PingTimer};
use super::{Member, RoomCounters, count, retry_ms};
use crate::domain::Millis;
use crate::protocol::{Close, Frame, server};

const SLICES_MAX: usize = 16;
const WRITE_DEADLINE_MS: Millis = 5_000;
/// A viewer that resumes this far behind skips to the newest frame.
const LAG_BYTES_MAX: u64 = 128 * 1024;
/// How long sending the close frame may take: for a slow viewer, and for all others.
const CLOSE_DEADLINE_SLOW_MS: Millis = 1_000;
const CLOSE_DEADLINE_MS: Millis = 5_000;
/// How long a connection that was replaced waits for the replies to its running verbs.
const REPLY_WAIT_MS: Millis = 10_000;
const HELLO_DEADLINE_MS: Millis = 10_000;
const CONNECTION_TTL_MS: Millis = 30 * 60_000;
const CONNECTION_TTL_JITTER_MS: Millis = 3 * 60_000;

pub struct ConnectionWriter {
    pub member: Arc<Member>,
    /// The member's socket, copied here: a broadcast to ten thousand viewers is limited by memory access.
    socket: Arc<TcpStream>,
    deflate: bool,
    /// The member's private queue may hold something.
    has_private_frames: bool,
    pub joined_at: Millis,
    /// The request for hello; `None` once hello was sent.
    pub pending_hello: Option<Box<HelloRequest>>,
    pub is_counted: bool,
    /// Part of the sample that is asked for receipts.
    pub is_sampled: bool,
    /// Nothing can be written any more; the connection is to be removed.
    pub is_finished: bool,
    /// When to send `moving`, and how long after that to close.
    pub moving: Option<(Millis, Millis)>,
    /// The next room frame.
    cursor: u64,
    /// What is sent next: the frame that was begun, or frames for this viewer alone.
    unsent: VecDeque<Bytes>,
    /// The first of `unsent` is partly written.
    is_partly_written: bool,
    is_blocked: bool,
    stalled_since: Option<Millis>,
    /// When and why the connection ends. The end of a token is a time of day, every other end a time of the server's own clock.
    expires: (Millis, Close),
    close_deadline: Option<Millis>,
    backpressure: Backpressure,
    ping_timer: PingTimer,
}

/// Content that all viewers in the same situation share; made when the first of them needs it.
pub enum SharedPart {
    /// The whole room, for a viewer that skips to the newest frame.
    Snapshot { deflate: bool },
    /// A frame with the values that changed after this revision, for a viewer at `seq`; empty if none did.
    State { seq: u64, after: u64, deflate: bool },
}

impl ConnectionWriter {
    /// `time_of_day`: see [`crate::clock::Clock::time_of_day`].
    pub fn new(join: PendingJoin, now: Millis, time_of_day: Millis) -> Self {
        let PendingJoin { member, hello_request } = join;
        let ttl = CONNECTION_TTL_MS - rand::random_range(0..CONNECTION_TTL_JITTER_MS);
        let expires = match member.actor.expires_at {
            Some(at) if at - time_of_day <= ttl => (at, Close::Token),
            _ => (now + ttl, Close::Ttl { retry_ms: retry_ms() }),
        };
        Self {
            socket: member.socket.clone(),
            deflate: member.deflate,
            has_private_frames: true,
            joined_at: now,
            pending_hello: Some(Box::new(hello_request)),
            is_counted: member.is_counted,
            is_sampled: false,
            is_finished: false,
            moving: None,
            cursor: 0,
            unsent: VecDeque::new(),
            is_partly_written: false,
            is_blocked: false,
            stalled_since: None,
            expires,
            close_deadline: None,
            backpressure: Backpressure::new(now),
            ping_timer: PingTimer::new(
                now,
                rand::random_range(PingTimer::PING_INTERVAL_MS / 2..=PingTimer::PING_INTERVAL_MS),
            ),
            member,
        }
    }

    pub fn is_closing(&self) -> bool {
        self.close_deadline.is_some() || self.is_finished
    }

    /// The server closed the connection; otherwise the client disconnected.
    pub fn was_closed(&self) -> bool {
        self.close_deadline.is_some()
    }

    /// Whether broadcasts are sent to this viewer.
    fn receives_events(&self) -> bool {
        self.pending_hello.is_none() && !self.is_closing() && !self.backpressure.is_state_only()
    }

    /// Queues hello; from now on the viewer receives the room's frames from `head`.
    pub fn start(&mut self, hello: Frame, head: u64) {
        self.pending_hello = None;
        self.cursor = head;
        self.unsent.push_back(hello.into_bytes());
    }

    /// Whether there is a room frame to write and the socket may take it.
    pub fn has_frames_to_send(&self, head: u64) -> bool {
        self.cursor < head && !self.is_blocked && self.receives_events()
    }

    /// A frame was queued for this viewer, or the connection's task saw that the socket is writable again.
    pub fn on_notified(&mut self) {
        self.has_private_frames = true;
        self.is_blocked = self.member.is_blocked();
    }

    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// A newer connection replaces this one. Returns whether replies are still to come: then the connection ends after the last
    /// of them, or after [`REPLY_WAIT_MS`].
    pub fn wait_for_replies(&mut self, now: Millis) -> bool {
        let is_waiting = self.member.has_running_verbs() && !self.is_closing();
        if is_waiting && self.expires.1 != Close::Replaced {
            self.expires = (now + REPLY_WAIT_MS, Close::Replaced);
            self.moving = None;
        }
        is_waiting
    }

    /// Starts to close: what is queued (unless the viewer is slow), the close frame, then the end of the stream.
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

    /// Writes what the socket takes: the frame that was begun, this viewer's own frames, then the room's. Returns
    /// `Some` when the viewer is too slow to continue. `revision` is that of the values of the room, and `shared` gives content that many
    /// viewers share.
    pub fn write(
        &mut self,
        ring_buffer: &RingBuffer,
        revision: u64,
        now: Millis,
        counters: &RoomCounters,
        mut shared: impl FnMut(SharedPart) -> Bytes,
    ) -> Option<Close> {
        if crate::fault::IS_BUILT_IN && self.receives_events() {
            crate::fault::move_cursor(&mut self.cursor, ring_buffer.head());
        }
        let mut was_stalled = self.stalled_since.is_some();
        let deflate = self.deflate;
        while !self.is_finished {
            if self.pending_hello.is_none() && self.close_deadline.is_none() {
                self.take_private_frames(SLICES_MAX);
            }
            // The ring buffer drops old frames; a viewer that still needs one skips, too.
            let is_far_behind =
                ring_buffer.bytes_behind(self.cursor).is_none_or(|bytes| was_stalled && LAG_BYTES_MAX < bytes);
            let mut skip = is_far_behind && self.receives_events();
            if self.unsent.is_empty() && !self.is_closing() {
                if skip {
                    count(&counters.skipped_to_head, 1);
                    self.unsent.push_back(shared(SharedPart::Snapshot { deflate }));
                    self.cursor = ring_buffer.head();
                    (was_stalled, skip) = (false, false);
                    if self.backpressure.record_skip(ring_buffer.position().seq, revision, now) {
                        count(&counters.state_only, 1);
                    }
                }
                match self.backpressure.next_action(revision, now) {
                    None => {}
                    Some(BackpressureAction::SendState { seq, after }) => {
                        let frame = shared(SharedPart::State { seq, after, deflate });
                        self.unsent.extend((!frame.is_empty()).then_some(frame));
                    }
                    Some(BackpressureAction::Resync) => {
                        count(&counters.resynced, 1);
                        self.unsent.push_back(shared(SharedPart::Snapshot { deflate }));
                        self.cursor = ring_buffer.head();
                    }
                    Some(BackpressureAction::Close) => return Some(Close::Slow { retry_ms: retry_ms() }),
                }
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut used = 0;
            let max = if self.receives_events() && !skip { SLICES_MAX } else { 0 };
            let room_frames = ring_buffer.frames_from(self.cursor, deflate).take(max);
            for (slice, bytes) in slices.iter_mut().zip(self.unsent.iter().chain(room_frames)) {
                *slice = IoSlice::new(bytes);
                used += 1;
            }
            let result = match &slices[..used] {
                [] => return self.on_all_written(),
                slices => self.send(slices),
            };
            count(&counters.sends, 1);
            match result {
                Ok(written) => {
                    count(&counters.sent_bytes, written as u64);
                    self.stalled_since = None;
                    self.advance(written, ring_buffer);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    count(&counters.blocked_writes, 1);
                    self.is_blocked = true;
                    self.stalled_since.get_or_insert(now);
                    self.backpressure.record_stall(now);
                    self.member.mark_blocked();
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.finish(),
            }
        }
        None
    }

    /// Writes straight to the kernel: checking the runtime's state of the socket first would read one more place in
    /// memory. Only a write that would block is repeated through the runtime, which then knows that it has to report
    /// when the socket is writable.
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

    fn take_private_frames(&mut self, max: usize) {
        while self.has_private_frames && self.unsent.len() < max {
            match self.member.pop_frame() {
                Some(frame) => self.unsent.push_back(frame),
                None => self.has_private_frames = false,
            }
        }
    }

    fn advance(&mut self, mut written: usize, ring_buffer: &RingBuffer) {
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
        for frame in ring_buffer.frames_from(self.cursor, self.deflate) {
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

    /// Nothing follows the close frame: the client sees the end of the stream, and its task waits for the client's
    /// close.
    fn on_all_written(&mut self) -> Option<Close> {
        self.stalled_since = None;
        if self.close_deadline.is_some() {
            let _ = SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write);
            self.finish();
        }
        None
    }

    /// The writer is done with this socket.
    pub fn finish(&mut self) {
        self.is_finished = true;
        self.member.mark_ended();
    }

    /// Closes at once; the kernel drops what it could not deliver.
    fn abort(&mut self) {
        let socket = SockRef::from(&*self.socket);
        let _ = socket.set_linger(Some(std::time::Duration::ZERO));
        let _ = socket.shutdown(std::net::Shutdown::Both);
        self.finish();
    }

    /// The next deadlines of a connection that takes everything and of which nothing is expected; `None` for every other one.
    pub fn idle_deadlines(&self, now: Millis, time_of_day: Millis) -> Option<IdleDeadlines> {
        let is_idle = !self.is_closing()
            && !self.is_blocked
            && self.stalled_since.is_none()
            && self.unsent.is_empty()
            && self.pending_hello.is_none()
            && self.moving.is_none()
            && self.expires.1 != Close::Replaced
            && !self.backpressure.is_state_only();
        let (ends_at, reason) = self.expires;
        let time_left = ends_at - if reason == Close::Token { time_of_day } else { now };
        is_idle.then(|| IdleDeadlines { ends_at: now + time_left, ping_at: self.ping_timer.next_at() })
    }

    /// Checks the connection's deadlines. Returns `Some` when it has to be closed, and `true` when there is something
    /// to write.
    pub fn check_deadlines(&mut self, now: Millis, time_of_day: Millis) -> (Option<Close>, bool) {
        if self.is_finished {
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
        let (ends_at, reason) = self.expires;
        let time_left = ends_at - if reason == Close::Token { time_of_day } else { now };
        let was_answered = reason == Close::Replaced && !self.member.has_running_verbs();
        if time_left <= 0 || was_answered {
            return (Some(reason), false);
        }
        if self.pending_hello.is_some() {
            let waited = self.joined_at + HELLO_DEADLINE_MS <= now;
            return (waited.then(|| Close::Overload { retry_ms: retry_ms() }), false);
        }
        if let Some((_, close_after_ms)) = self.moving.filter(|(at, _)| *at <= now) {
            self.moving = None;
            // Clients reconnect after any part of this time: half of it is left for them to join elsewhere.
            self.unsent.push_back(server::moving(close_after_ms / 2).into_bytes());
            if close_after_ms < time_left {
                self.expires = (now + close_after_ms, Close::Moving { retry_ms: retry_ms() });
            }
            return (None, true);
        }
        match self.ping_timer.check(now, || self.member.last_received_at()) {
            PingAction::Wait => (None, self.backpressure.is_action_due(now)),
            PingAction::TimedOut => (Some(Close::PongTimeout { retry_ms: retry_ms() }), false),
            PingAction::Ping => {
                self.unsent.push_back(Frame::ping(b"").into_bytes());
                (None, true)
            }
        }
    }
}
