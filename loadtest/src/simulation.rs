//! The simulation: all viewers on one thread, with one epoll loop, one read buffer, and a queue of scheduled actions.
//!
//! It is an open loop: each action has a due time, and latency counts from that time, however late the load test or the
//! server was.

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
/// Number of actions before the sockets get their turn.
const ACTIONS_PER_TURN: usize = 256;
/// Number of sockets that are read before due actions get their turn: about two milliseconds.
const EVENTS_PER_TURN: usize = 256;
const SECOND_US: u64 = 1_000_000;
/// How often the progress callback is called.
const PROGRESS_INTERVAL_US: u64 = 200_000;

/// The server to connect to, and the source addresses.
#[derive(Clone, Debug)]
pub struct TargetServer {
    pub address: SocketAddr,
    /// For the `Host` header.
    pub host: String,
    /// Loopback or local addresses to connect from, in turn. One address has 28,000 ports. When the list is empty, the
    /// system chooses.
    pub sources: Vec<IpAddr>,
    /// The same seed makes the same run: the same viewers chat and buy at the same times.
    pub seed: u64,
}

/// An action that has a due time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ScheduledAction {
    /// A viewer connects or reconnects.
    Connect(u32),
    /// A viewer leaves permanently, with a close frame.
    Leave(u32),
    /// A viewer loses the network and reconnects as a client does.
    DropConnection(u32),
    /// The next message of a chat load.
    Say(usize),
    React(u32),
    /// A purchase by its number: the first attempt or a retry.
    Buy(usize),
    Pay(usize),
    Host(u32, HostCommand),
    /// A slow reader reads a few bytes.
    ReadSlowly(u32),
}

/// What a host does over the socket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HostCommand {
    Pin(String),
    Open(String),
    Close(String),
}

/// Messages at a steady rate from several senders in turn.
#[derive(Clone, Debug)]
pub struct ChatLoad {
    pub room: u32,
    pub senders: Vec<u32>,
    /// Messages per second.
    pub rate: f64,
    /// In µs of the simulation's clock.
    pub from: u64,
    pub until: u64,
    /// The length of the messages in characters.
    pub length: usize,
    pub sent: u64,
}

pub struct Simulation {
    pub target: TargetServer,
    pub rooms: Vec<ObservedRoom>,
    pub viewers: Vec<SimulatedViewer>,
    pub requests: RequestLog,
    pub measurements: Measurements,
    pub violations: ViolationLog,
    /// Percentage of the held orders that are paid, one to three seconds later.
    pub payment_percent: u32,
    pub(crate) chat_loads: Vec<ChatLoad>,
    pub(crate) random: StdRng,
    pub(crate) handshake: ClientHandshake,
    pub(crate) inflate_cache: InflateCache,
    pub(crate) poll: Poll,
    events: Events,
    /// The server's clock minus ours, in µs. The largest difference is the one with the least delay.
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

/// Receives the simulation a few times a second. It must return quickly.
pub type ProgressCallback = Box<dyn FnMut(&Simulation)>;

impl Simulation {
    pub fn new(target: TargetServer) -> std::io::Result<Self> {
        // The id of the run does not come from the seed: a second run must not meet the keys of the first.
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

    /// From now on, new connections offer permessage-deflate, as browsers do.
    pub fn offer_deflate(&mut self) {
        self.handshake.deflate = true;
    }

    pub fn set_progress_callback(&mut self, watcher: ProgressCallback) {
        self.progress_callback = Some(watcher);
    }

    /// When this flag is set, every run returns at once.
    pub fn stop_when(&mut self, stop: Arc<AtomicBool>) {
        self.stop_flag = stop;
    }

    pub fn is_stopped(&self) -> bool {
        self.stop_flag.load(Ordering::Relaxed)
    }

    /// Time since the start in µs.
    pub fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// The time of our clock in µs when the server's clock shows `at` in ms. Until a server has sent its time, this is
    /// now.
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

    /// Adds a viewer that connects when it is scheduled to. Without a token it is an anonymous user, who may only watch.
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

    pub fn schedule(&mut self, due: u64, act: ScheduledAction) {
        self.scheduled_count += 1;
        self.scheduled.push(Reverse((due, self.scheduled_count, act)));
    }

    /// Schedules these viewers to connect evenly over `ramp`.
    pub fn schedule_arrivals(&mut self, viewers: impl ExactSizeIterator<Item = u32>, from: u64, ramp: Duration) {
        let count = viewers.len().max(1) as u64;
        for (place, viewer) in viewers.enumerate() {
            self.schedule(from + ramp.as_micros() as u64 * place as u64 / count, ScheduledAction::Connect(viewer));
        }
    }

    /// Sends messages at a steady rate until the end of the chat load.
    pub fn start_chat(&mut self, flow: ChatLoad) {
        if flow.senders.is_empty() || flow.rate <= 0.0 {
            return;
        }
        let from = flow.from;
        self.chat_loads.push(flow);
        self.schedule(from, ScheduledAction::Say(self.chat_loads.len() - 1));
    }

    /// Runs for this long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now() + time.as_micros() as u64);
    }

    /// Runs until this time of the simulation's clock.
    pub fn run_until(&mut self, until: u64) {
        self.run_while(until, |_| true);
    }

    /// Runs while the condition holds, at most until this time. Returns true if the condition ended the run.
    pub fn run_while(&mut self, until: u64, mut keep_going: impl FnMut(&Simulation) -> bool) -> bool {
        loop {
            if !keep_going(self) {
                return true;
            }
            if until <= self.now() || self.is_stopped() {
                return false;
            }
            self.poll_once(until);
        }
    }

    /// Waits until everything under way has arrived: until no reply is pending and no frame has come for `quiet`, at
    /// most for `most`. It starts no new actions, except reconnects and retried purchases. Slow readers read normally
    /// now.
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
        let is_pending = |simulation: &Simulation| {
            simulation.viewers.iter().any(|viewer| !viewer.pending_requests.is_empty() || viewer.is_returning)
        };
        loop {
            self.run_for(Duration::from_millis(20));
            let now = self.now();
            let done = self.scheduled.is_empty() && self.last_received_at + quiet <= now && !is_pending(self);
            if done || until <= now || self.is_stopped() {
                break;
            }
        }
        self.finish_second();
    }

    /// Every viewer leaves with a close frame.
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
                        // Actions that are all due at the same moment cannot all be in time.
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

    /// Finishes one second of the measurement.
    fn finish_second(&mut self) {
        let mut left = BTreeMap::new();
        for room in &self.rooms {
            left.extend(room.offers().iter().map(|offer| (offer.id.clone(), offer.left)));
        }
        let t = self.second_ends / SECOND_US - 1;
        self.measurements.finish_second(t, self.connected, self.connected_min, left);
        self.connected_min = self.connected;
        self.second_ends = (self.now() / SECOND_US + 1) * SECOND_US;
    }

    /// Reads the data that a viewer's socket has. `to_the_end` means that the end of the stream is to be found too.
    pub(crate) fn on_readable(&mut self, viewer: u32, to_the_end: bool) {
        let at = viewer as usize;
        let greeted = self.viewers[at].state.has_hello();
        if self.viewers[at].read_behavior != ReadBehavior::Normal && greeted {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        // A reader that stops receives the hello, in one or several pieces, and then nothing more.
        let space = if self.viewers[at].read_behavior == ReadBehavior::Normal { buffer.len() } else { 1_024 };
        while self.read_socket(viewer, &mut buffer[..space]) {
            // A socket that gave less than the buffer holds is empty, and epoll reports it when it has more.
            let more = to_the_end || self.viewers[at].read_behavior != ReadBehavior::Normal;
            if !more || (self.viewers[at].read_behavior != ReadBehavior::Normal && self.viewers[at].state.has_hello()) {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Reads at most this many bytes for a slow reader.
    pub(crate) fn read_limited(&mut self, viewer: u32, bytes: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read_socket(viewer, &mut buffer[..bytes]);
        self.buffer = buffer;
    }

    /// Returns true when there may be more to read.
    fn read_socket(&mut self, viewer: u32, buffer: &mut [u8]) -> bool {
        let at = viewer as usize;
        match self.viewers[at].read(buffer) {
            Ok(None) => false,
            Ok(Some(0)) => {
                self.on_disconnect(viewer, "end of stream", None);
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

    /// Takes the requests that were pending on a connection. Their replies will not come any more.
    pub(crate) fn take_pending_requests(&mut self, viewer: u32) -> Vec<RequestId> {
        std::mem::take(&mut self.viewers[viewer as usize].pending_requests)
    }
}
