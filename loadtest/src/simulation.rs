//! The crowd: all viewers on one thread, one epoll loop, one read buffer, and a list of what is to happen when.
//!
//! Open loop: an act has a time, and latency counts from that time, however late the crowd or the server was.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::frame::ClientHandshake;
use crate::inflate::InflateCache;
use crate::measurements::Measurements;
use crate::requests::{RequestId, RequestLog};
use crate::room::ObservedRoom;
use crate::viewer::{ReadBehavior, SimulatedViewer};
use crate::violations::ViolationLog;

const BUFFER_BYTES: usize = 256 * 1024;
/// Acts done before the sockets get their turn.
const ACTIONS_PER_TURN: usize = 256;
/// Sockets read before acts that are due get theirs: about two milliseconds.
const EVENTS_PER_TURN: usize = 256;
const SECOND_US: u64 = 1_000_000;
/// How often the watcher looks.
const PROGRESS_INTERVAL_US: u64 = 200_000;

/// Where the crowd goes, and from where.
#[derive(Clone, Debug)]
pub struct TargetServer {
    pub address: SocketAddr,
    /// For the `Host` header.
    pub host: String,
    /// Loopback or local addresses to come from, in turn; one address has 28,000 ports. Empty: the system picks.
    pub sources: Vec<IpAddr>,
    /// Same seed, same crowd: the same people say and press the same at the same times.
    pub seed: u64,
}

/// Something that is to happen.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ScheduledAction {
    /// A viewer arrives, or comes back.
    Connect(u32),
    /// A viewer goes for good, in order.
    Leave(u32),
    /// A viewer loses the network and comes back like a client would.
    DropConnection(u32),
    /// The next message of a flow.
    Say(usize),
    React(u32),
    /// A purchase by its number: pressed, or tried again.
    Buy(usize),
    Pay(usize),
    Host(u32, HostCommand),
    /// A viewer who reads a trickle reads some.
    ReadSlowly(u32),
}

/// What a host does over the socket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HostCommand {
    Pin(String),
    Open(String),
    Close(String),
}

/// Messages at a steady rate, from senders in turn.
#[derive(Clone, Debug)]
pub struct ChatLoad {
    pub room: u32,
    pub senders: Vec<u32>,
    /// Messages a second.
    pub rate: f64,
    /// In µs of the crowd's clock.
    pub from: u64,
    pub until: u64,
    /// How long messages are, in characters.
    pub length: usize,
    pub said: u64,
}

pub struct Simulation {
    pub target: TargetServer,
    pub rooms: Vec<ObservedRoom>,
    pub viewers: Vec<SimulatedViewer>,
    pub requests: RequestLog,
    pub measurements: Measurements,
    pub violations: ViolationLog,
    /// Percent of the held orders that are paid, a second or two later.
    pub payment_percent: u32,
    pub(crate) chat_loads: Vec<ChatLoad>,
    pub(crate) random: StdRng,
    pub(crate) handshake: ClientHandshake,
    pub(crate) inflate_cache: InflateCache,
    pub(crate) poll: Poll,
    events: Events,
    /// The server's clock minus ours, in µs: the largest difference is the least delayed one.
    pub(crate) server_clock: Option<i64>,
    pub(crate) connected: u64,
    connected_min: u64,
    pub(crate) last_received_at: u64,
    scheduled: BinaryHeap<Reverse<(u64, u64, ScheduledAction)>>,
    scheduled_count: u64,
    started: Instant,
    buffer: Vec<u8>,
    second_ends: u64,
    progress_due: u64,
    progress_callback: Option<ProgressCallback>,
    stop_flag: Arc<AtomicBool>,
}

/// Looks at the crowd a few times a second; returns quickly.
pub type ProgressCallback = Box<dyn FnMut(&Simulation)>;

impl Simulation {
    pub fn new(target: TargetServer) -> std::io::Result<Self> {
        // The run's own name is not from the seed: a second run must not meet the keys of the first.
        let run = format!("{:08x}", rand::random::<u32>());
        Ok(Self {
            random: StdRng::seed_from_u64(target.seed),
            target,
            rooms: Vec::new(),
            viewers: Vec::new(),
            requests: RequestLog::new(run),
            measurements: Measurements::default(),
            violations: ViolationLog::default(),
            payment_percent: 0,
            chat_loads: Vec::new(),
            handshake: ClientHandshake::default(),
            inflate_cache: InflateCache::default(),
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            server_clock: None,
            connected: 0,
            connected_min: 0,
            last_received_at: 0,
            scheduled: BinaryHeap::new(),
            scheduled_count: 0,
            started: Instant::now(),
            buffer: vec![0; BUFFER_BYTES],
            second_ends: SECOND_US,
            progress_due: PROGRESS_INTERVAL_US,
            progress_callback: None,
            stop_flag: Arc::default(),
        })
    }

    /// From now on those who come offer permessage-deflate, as browsers do.
    pub fn offer_deflate(&mut self) {
        self.handshake.deflate = true;
    }

    pub fn watch(&mut self, watcher: ProgressCallback) {
        self.progress_callback = Some(watcher);
    }

    /// Once this is set, nothing runs any more: every run returns at once.
    pub fn stop_when(&mut self, stop: Arc<AtomicBool>) {
        self.stop_flag = stop;
    }

    pub fn is_stopped(&self) -> bool {
        self.stop_flag.load(Ordering::Relaxed)
    }

    /// µs since the crowd began.
    pub fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// When the server's clock shows `at` ms, in µs of ours; now, as long as no server has said its time.
    pub fn to_local_time(&self, at: i64) -> u64 {
        self.server_clock.map_or_else(|| self.now(), |offset| u64::try_from(at * 1_000 - offset).unwrap_or(0))
    }

    pub fn connected(&self) -> u64 {
        self.connected
    }

    pub fn add_room(&mut self, stream: &str) -> u32 {
        self.rooms.push(ObservedRoom::new(stream.to_owned()));
        self.rooms.len() as u32 - 1
    }

    /// A viewer who will come when told to; without a token a guest, who may only watch.
    pub fn add_viewer(&mut self, room: u32, token: Option<&str>) -> u32 {
        let session = self.random.random();
        self.viewers.push(SimulatedViewer::new(room, token.map(Into::into), session));
        self.viewers.len() as u32 - 1
    }

    pub fn set_read_behavior(&mut self, viewer: u32, manner: ReadBehavior) {
        let one = &mut self.viewers[viewer as usize];
        one.read_behavior = manner;
        one.is_slow_reader |= manner != ReadBehavior::Normal;
    }

    pub fn at(&mut self, due: u64, act: ScheduledAction) {
        self.scheduled_count += 1;
        self.scheduled.push(Reverse((due, self.scheduled_count, act)));
    }

    /// These viewers arrive one after the other, evenly, over `ramp`.
    pub fn schedule_arrivals(&mut self, viewers: impl ExactSizeIterator<Item = u32>, from: u64, ramp: Duration) {
        let count = viewers.len().max(1) as u64;
        for (place, viewer) in viewers.enumerate() {
            self.at(from + ramp.as_micros() as u64 * place as u64 / count, ScheduledAction::Connect(viewer));
        }
    }

    /// Talk at a steady rate until the flow's end.
    pub fn talk(&mut self, flow: ChatLoad) {
        if flow.senders.is_empty() || flow.rate <= 0.0 {
            return;
        }
        let from = flow.from;
        self.chat_loads.push(flow);
        self.at(from, ScheduledAction::Say(self.chat_loads.len() - 1));
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now() + time.as_micros() as u64);
    }

    /// Runs to this time of the crowd's clock.
    pub fn run_until(&mut self, until: u64) {
        self.run_while(until, |_| true);
    }

    /// Runs while the condition holds, at most to this time; says whether it was the condition that ended it.
    pub fn run_while(&mut self, until: u64, mut goes_on: impl FnMut(&Simulation) -> bool) -> bool {
        loop {
            if !goes_on(self) {
                return true;
            }
            if until <= self.now() || self.is_stopped() {
                return false;
            }
            self.poll_once(until);
        }
    }

    /// No more acts, and what is under way is answered and read: until nothing is waited for and no frame has come for
    /// `quiet`, at most for `most`. Viewers who were bad readers read now.
    pub fn settle(&mut self, quiet: Duration, most: Duration) {
        self.scheduled
            .retain(|Reverse((_, _, act))| matches!(act, ScheduledAction::Connect(_) | ScheduledAction::Buy(_)));
        for viewer in 0..self.viewers.len() {
            if std::mem::replace(&mut self.viewers[viewer].read_behavior, ReadBehavior::Normal) != ReadBehavior::Normal
            {
                self.on_readable(viewer as u32, true);
            }
        }
        let (quiet, until) = (quiet.as_micros() as u64, self.now() + most.as_micros() as u64);
        self.last_received_at = self.now();
        let waits = |crowd: &Simulation| {
            crowd.viewers.iter().any(|viewer| !viewer.pending_requests.is_empty() || viewer.is_returning)
        };
        loop {
            self.run_for(Duration::from_millis(20));
            let now = self.now();
            let done = self.scheduled.is_empty() && self.last_received_at + quiet <= now && !waits(self);
            if done || until <= now || self.is_stopped() {
                break;
            }
        }
        self.finish_second();
    }

    /// Everybody leaves in order.
    pub fn disconnect_all(&mut self) {
        for viewer in 0..self.viewers.len() as u32 {
            self.disconnect(viewer);
        }
    }

    fn poll_once(&mut self, until: u64) {
        let mut now = self.now();
        for _ in 0..ACTIONS_PER_TURN {
            match self.scheduled.peek() {
                Some(Reverse((due, ..))) if *due <= now => {
                    if let Some(Reverse((due, _, act))) = self.scheduled.pop() {
                        // Those that are due all at once cannot all be in time.
                        if matches!(act, ScheduledAction::Say(_) | ScheduledAction::Buy(_) | ScheduledAction::Host(..))
                        {
                            self.measurements.record_lateness(now - due);
                        }
                        self.perform(due, act);
                    }
                }
                _ => break,
            }
        }
        let next = self.scheduled.peek().map_or(u64::MAX, |Reverse((due, ..))| *due);
        now = self.now();
        let wait = next.min(until).min(self.second_ends).min(self.progress_due).saturating_sub(now);
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        if let Err(error) = self.poll.poll(&mut events, Some(Duration::from_micros(wait)))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            self.measurements.record_error(format!("epoll: {error}"));
        }
        for event in &events {
            let Token(viewer) = event.token();
            if event.is_writable() {
                self.on_writable(viewer as u32);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.on_readable(viewer as u32, event.is_read_closed() || event.is_error());
            }
        }
        self.events = events;
        now = self.now();
        if self.second_ends <= now {
            self.finish_second();
        }
        if self.progress_due <= now {
            self.progress_due = now + PROGRESS_INTERVAL_US;
            if let Some(mut watcher) = self.progress_callback.take() {
                watcher(self);
                self.progress_callback = Some(watcher);
            }
        }
    }

    /// Ends a second of the measurement.
    fn finish_second(&mut self) {
        let mut left = BTreeMap::new();
        for room in &self.rooms {
            left.extend(room.offers().iter().map(|shelf| (shelf.id.clone(), shelf.left)));
        }
        let t = self.second_ends / SECOND_US - 1;
        self.measurements.finish_second(t, self.connected, self.connected_min, left);
        self.connected_min = self.connected;
        self.second_ends = (self.now() / SECOND_US + 1) * SECOND_US;
    }

    /// Reads what a viewer's socket has. `to_the_end`: there is an end of the stream to be found.
    pub(crate) fn on_readable(&mut self, viewer: u32, to_the_end: bool) {
        let at = viewer as usize;
        let greeted = self.viewers[at].state.has_hello();
        if self.viewers[at].read_behavior != ReadBehavior::Normal && greeted {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        // One who stops takes hello, in one piece or several, and then nothing more.
        let space = if self.viewers[at].read_behavior == ReadBehavior::Normal { buffer.len() } else { 1_024 };
        while self.read_socket(viewer, &mut buffer[..space]) {
            // A socket that gave less than we had space for is empty, and tells when there is more.
            let more = to_the_end || self.viewers[at].read_behavior != ReadBehavior::Normal;
            if !more || (self.viewers[at].read_behavior != ReadBehavior::Normal && self.viewers[at].state.has_hello()) {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Reads so many bytes from one who reads a trickle.
    pub(crate) fn read_limited(&mut self, viewer: u32, bytes: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read_socket(viewer, &mut buffer[..bytes]);
        self.buffer = buffer;
    }

    /// `true` when there may be more.
    fn read_socket(&mut self, viewer: u32, buffer: &mut [u8]) -> bool {
        let at = viewer as usize;
        match self.viewers[at].read(buffer) {
            Ok(None) => false,
            Ok(Some(0)) => {
                self.on_disconnect(viewer, "end of the stream", None);
                false
            }
            Ok(Some(length)) => {
                let now = self.now();
                if self.viewers[at].partial_frame.is_empty() {
                    let used = self.receive_bytes(viewer, &buffer[..length], now);
                    if used < length && self.viewers[at].socket.is_some() {
                        self.viewers[at].partial_frame = buffer[used..length].to_vec();
                    }
                } else {
                    let mut whole = std::mem::take(&mut self.viewers[at].partial_frame);
                    whole.extend_from_slice(&buffer[..length]);
                    let used = self.receive_bytes(viewer, &whole, now);
                    if used < whole.len() && self.viewers[at].socket.is_some() {
                        whole.drain(..used);
                        self.viewers[at].partial_frame = whole;
                    }
                }
                self.viewers[at].socket.is_some() && (length == buffer.len())
            }
            Err(error) => {
                self.on_disconnect(viewer, &format!("{:?}", error.kind()), None);
                false
            }
        }
    }

    pub(crate) fn count_disconnect(&mut self) {
        self.connected -= 1;
        self.connected_min = self.connected_min.min(self.connected);
    }

    pub(crate) fn register(&mut self, viewer: u32) {
        let Some(socket) = &mut self.viewers[viewer as usize].socket else { return };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(socket, Token(viewer as usize), interest) {
            self.measurements.record_error(format!("epoll: {error}"));
        }
    }

    pub(crate) fn source_address(&self, viewer: u32) -> Option<IpAddr> {
        let sources = &self.target.sources;
        (!sources.is_empty()).then(|| sources[viewer as usize % sources.len()])
    }

    /// The asks that were under way on a link are not answered any more.
    pub(crate) fn take_pending_requests(&mut self, viewer: u32) -> Vec<RequestId> {
        std::mem::take(&mut self.viewers[viewer as usize].pending_requests)
    }
}
