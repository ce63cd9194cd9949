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

use super::inbox::Arrival;
use super::ladder::{Due, Ladder};
use super::member::Wants;
use super::pace::{Beat, Pulse};
use super::ring::Ring;
use super::{Member, Tally, count, retry_ms};
use crate::domain::Millis;
use crate::protocol::{Close, Frame, server};

const SLICES: usize = 16;
const STUCK_MS: Millis = 5_000;
/// A viewer who takes up again this far behind skips to the head.
const SKIP_BYTES: u64 = 128 * 1024;
/// How long the close frame may take: for one who is slow anyway, and for everybody else.
const LAST_WORD_SLOW_MS: Millis = 1_000;
const LAST_WORD_MS: Millis = 5_000;
const HELLO_WITHIN_MS: Millis = 10_000;
const LIFE_MS: Millis = 30 * 60_000;
const LIFE_SPREAD_MS: Millis = 3 * 60_000;

pub struct Line {
    pub member: Arc<Member>,
    /// The member's, here once more: a walk over ten thousand waits for memory above all.
    socket: Arc<TcpStream>,
    deflate: bool,
    /// The member's queue may hold something.
    own: bool,
    pub joined_at: Millis,
    /// What hello needs; `None` once it was said.
    pub hello: Option<Box<Wants>>,
    pub counted: bool,
    /// One of those who are asked what they have seen.
    pub sampled: bool,
    /// Nothing can be written any more; the line is to be removed.
    pub over: bool,
    /// When to say `moving`, and how long after that to close.
    pub moving: Option<(Millis, Millis)>,
    /// The next room frame.
    cursor: u64,
    /// Begun, or this viewer's own and next.
    rest: VecDeque<Bytes>,
    /// The first of `rest` is partly written.
    torn: bool,
    blocked: bool,
    stuck_since: Option<Millis>,
    ends: (Millis, Close),
    closing_until: Option<Millis>,
    ladder: Ladder,
    pulse: Pulse,
}

/// What all viewers share who need it at this moment; made when the first of them does.
pub enum Part {
    /// Everything, for one who is brought to the head.
    Snapshot { deflate: bool },
    /// The values as JSON.
    Values,
}

impl Line {
    pub fn new(arrival: Arrival, now: Millis) -> Self {
        let Arrival { member, wants } = arrival;
        let life = now + LIFE_MS - rand::random_range(0..LIFE_SPREAD_MS);
        let ends = match member.actor.expires_at {
            Some(at) if at <= life => (at, Close::Token),
            _ => (life, Close::Ttl { retry_ms: retry_ms() }),
        };
        Self {
            socket: member.socket.clone(),
            deflate: member.deflate,
            own: true,
            joined_at: now,
            hello: Some(Box::new(wants)),
            counted: member.counted,
            sampled: false,
            over: false,
            moving: None,
            cursor: 0,
            rest: VecDeque::new(),
            torn: false,
            blocked: false,
            stuck_since: None,
            ends,
            closing_until: None,
            ladder: Ladder::new(now),
            pulse: Pulse::new(now, rand::random_range(Pulse::SILENCE_MS / 2..=Pulse::SILENCE_MS)),
            member,
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing_until.is_some() || self.over
    }

    /// We said goodbye; else the client was gone before.
    pub fn was_closed(&self) -> bool {
        self.closing_until.is_some()
    }

    /// Is sent what the room says.
    fn follows(&self) -> bool {
        self.hello.is_none() && !self.is_closing() && !self.ladder.is_thin()
    }

    /// Hello is said; from here on the viewer follows the room from `head`.
    pub fn greet(&mut self, hello: Frame, head: u64) {
        self.hello = None;
        self.cursor = head;
        self.rest.push_back(hello.into_bytes());
    }

    /// There is a room frame to write, and it is worth trying.
    pub fn wants(&self, head: u64) -> bool {
        self.cursor < head && !self.blocked && self.follows()
    }

    /// Somebody queued something for this viewer, or the connection's task saw that the socket takes bytes again.
    pub fn poked(&mut self) {
        self.own = true;
        self.blocked = self.member.is_blocked();
    }

    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Begins to close: what is queued (unless the viewer is slow), the close frame, then the end of the stream.
    pub fn close(&mut self, close: Close, now: Millis) {
        let slow = matches!(close, Close::Slow { .. });
        if slow {
            self.rest.truncate(usize::from(self.torn));
        } else {
            self.take_queue(usize::MAX);
        }
        self.member.seal(close);
        self.rest.push_back(Frame::close(close).into_bytes());
        self.closing_until = Some(now + if slow { LAST_WORD_SLOW_MS } else { LAST_WORD_MS });
    }

    /// Writes what the socket takes: the frame begun, this viewer's own frames, then the room's. `Some` when the viewer
    /// is too slow to go on. `shared` gives what many viewers are sent the same.
    pub fn write(
        &mut self,
        ring: &Ring,
        now: Millis,
        tally: &Tally,
        mut shared: impl FnMut(Part) -> Bytes,
    ) -> Option<Close> {
        #[cfg(feature = "planted-fault")]
        if self.follows() {
            crate::fault::move_cursor(&mut self.cursor, ring.head());
        }
        let mut late = self.stuck_since.is_some();
        let deflate = self.deflate;
        while !self.over {
            if self.hello.is_none() && self.closing_until.is_none() {
                self.take_queue(SLICES);
            }
            // The ring lets go of old frames; whoever still needs them skips, too.
            let far = ring.behind(self.cursor).is_none_or(|bytes| late && SKIP_BYTES < bytes);
            let mut skips = far && self.follows();
            if self.rest.is_empty() && !self.is_closing() {
                if skips {
                    count(&tally.skipped, 1);
                    self.rest.push_back(shared(Part::Snapshot { deflate }));
                    self.cursor = ring.head();
                    (late, skips) = (false, false);
                    if self.ladder.skip(ring.position().seq, now) {
                        count(&tally.thinned, 1);
                    }
                }
                match self.ladder.due(now) {
                    None => {}
                    Some(Due::Values { seq }) => {
                        self.rest.push_back(server::values_tick(seq, &shared(Part::Values)).into_bytes());
                    }
                    Some(Due::Rejoin) => {
                        count(&tally.rejoined, 1);
                        self.rest.push_back(shared(Part::Snapshot { deflate }));
                        self.cursor = ring.head();
                    }
                    Some(Due::Close) => return Some(Close::Slow { retry_ms: retry_ms() }),
                }
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            let most = if self.follows() && !skips { SLICES } else { 0 };
            let room_frames = ring.frames_from(self.cursor, deflate).take(most);
            for (slice, bytes) in slices.iter_mut().zip(self.rest.iter().chain(room_frames)) {
                *slice = IoSlice::new(bytes);
                used += 1;
            }
            let outcome = match &slices[..used] {
                [] => return self.rest_is_written(),
                slices => self.send(slices),
            };
            count(&tally.sends, 1);
            match outcome {
                Ok(written) => {
                    count(&tally.sent_bytes, written as u64);
                    self.stuck_since = None;
                    self.advance(written, ring);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    count(&tally.blocked, 1);
                    self.blocked = true;
                    self.stuck_since.get_or_insert(now);
                    self.ladder.stumble(now);
                    self.member.block();
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

    fn take_queue(&mut self, most: usize) {
        while self.own && self.rest.len() < most {
            match self.member.take_frame() {
                Some(frame) => self.rest.push_back(frame),
                None => self.own = false,
            }
        }
    }

    fn advance(&mut self, mut written: usize, ring: &Ring) {
        while let Some(first) = self.rest.front_mut() {
            if written < first.len() {
                first.advance(written);
                self.torn |= written > 0;
                return;
            }
            written -= first.len();
            self.rest.pop_front();
            self.torn = false;
        }
        self.rest = VecDeque::new();
        for frame in ring.frames_from(self.cursor, self.deflate) {
            if written == 0 {
                return;
            }
            self.cursor += 1;
            if written < frame.len() {
                self.rest.push_back(frame.slice(written..));
                self.torn = true;
                return;
            }
            written -= frame.len();
        }
    }

    /// After the close frame nothing follows: the client sees the end of the stream, its task waits for the client's.
    fn rest_is_written(&mut self) -> Option<Close> {
        self.stuck_since = None;
        if self.closing_until.is_some() {
            let _ = SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write);
            self.end();
        }
        None
    }

    /// The writer is done with this socket.
    pub fn end(&mut self) {
        self.over = true;
        self.member.end();
    }

    /// Gives up at once; the kernel forgets what it could not deliver.
    fn cut(&mut self) {
        let socket = SockRef::from(&*self.socket);
        let _ = socket.set_linger(Some(std::time::Duration::ZERO));
        let _ = socket.shutdown(std::net::Shutdown::Both);
        self.end();
    }

    /// What time does to a line. `Some` when it is time to close; `true` when there is something to write.
    pub fn check(&mut self, now: Millis) -> (Option<Close>, bool) {
        if self.over {
            return (None, false);
        }
        if let Some(until) = self.closing_until {
            if until <= now {
                self.cut();
            }
            return (None, false);
        }
        if self.stuck_since.is_some_and(|since| since + STUCK_MS <= now) || self.ladder.is_over(now) {
            return (Some(Close::Slow { retry_ms: retry_ms() }), false);
        }
        if self.ends.0 <= now {
            return (Some(self.ends.1), false);
        }
        if self.hello.is_some() {
            let waited = self.joined_at + HELLO_WITHIN_MS <= now;
            return (waited.then(|| Close::Overload { retry_ms: retry_ms() }), false);
        }
        if let Some((_, within_ms)) = self.moving.filter(|(at, _)| *at <= now) {
            self.moving = None;
            // Clients come after any part of this: half of the time is left to come in somewhere else.
            self.rest.push_back(server::moving(within_ms / 2).into_bytes());
            if now + within_ms < self.ends.0 {
                self.ends = (now + within_ms, Close::Moving { retry_ms: retry_ms() });
            }
            return (None, true);
        }
        match self.pulse.beat(now, || self.member.heard_at()) {
            Beat::Quiet => (None, self.ladder.is_due(now)),
            Beat::Dead => (Some(Close::Pong { retry_ms: retry_ms() }), false),
            Beat::Ping => {
                self.rest.push_back(Frame::ping(b"").into_bytes());
                (None, true)
            }
        }
    }
}
