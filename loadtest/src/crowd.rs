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

use crate::ask::{AskId, Asks};
use crate::breaches::Breaches;
use crate::deflate::Unpacked;
use crate::frame::Handshake;
use crate::measure::Measure;
use crate::room::Room;
use crate::viewer::{Manner, Viewer};

const BUFFER_BYTES: usize = 256 * 1024;
/// Acts done before the sockets get their turn.
const ACTS_PER_TURN: usize = 256;
/// Sockets read before acts that are due get theirs: about two milliseconds.
const EVENTS_PER_TURN: usize = 256;
const SECOND: u64 = 1_000_000;
/// How often the watcher looks.
const LOOK: u64 = 200_000;

/// Where the crowd goes, and from where.
#[derive(Clone, Debug)]
pub struct Target {
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
pub enum Act {
    /// A viewer arrives, or comes back.
    Arrive(u32),
    /// A viewer goes for good, in order.
    Leave(u32),
    /// A viewer loses the network and comes back like a client would.
    Lose(u32),
    /// The next message of a flow.
    Say(usize),
    React(u32),
    /// A purchase by its number: pressed, or tried again.
    Buy(usize),
    Pay(usize),
    Run(u32, Verb),
    /// A viewer who reads a trickle reads some.
    Trickle(u32),
}

/// What a host does over the socket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verb {
    Pin(String),
    Open(String),
    Close(String),
}

/// Messages at a steady rate, from senders in turn.
#[derive(Clone, Debug)]
pub struct Flow {
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

pub struct Crowd {
    pub target: Target,
    pub rooms: Vec<Room>,
    pub viewers: Vec<Viewer>,
    pub asks: Asks,
    pub measure: Measure,
    pub breaches: Breaches,
    /// Percent of the held orders that are paid, a second or two later.
    pub pays_percent: u32,
    pub(crate) flows: Vec<Flow>,
    pub(crate) random: StdRng,
    pub(crate) handshake: Handshake,
    pub(crate) unpacked: Unpacked,
    pub(crate) poll: Poll,
    events: Events,
    /// The server's clock minus ours, in µs: the largest difference is the least delayed one.
    pub(crate) server_clock: Option<i64>,
    pub(crate) connected: u64,
    connected_least: u64,
    pub(crate) heard_at: u64,
    acts: BinaryHeap<Reverse<(u64, u64, Act)>>,
    acts_made: u64,
    started: Instant,
    buffer: Vec<u8>,
    second_ends: u64,
    look_at: u64,
    watcher: Option<Watcher>,
    stop: Arc<AtomicBool>,
}

/// Looks at the crowd a few times a second; returns quickly.
pub type Watcher = Box<dyn FnMut(&Crowd)>;

impl Crowd {
    pub fn new(target: Target) -> std::io::Result<Self> {
        // The run's own name is not from the seed: a second run must not meet the keys of the first.
        let run = format!("{:08x}", rand::random::<u32>());
        Ok(Self {
            random: StdRng::seed_from_u64(target.seed),
            target,
            rooms: Vec::new(),
            viewers: Vec::new(),
            asks: Asks::new(run),
            measure: Measure::default(),
            breaches: Breaches::default(),
            pays_percent: 0,
            flows: Vec::new(),
            handshake: Handshake::default(),
            unpacked: Unpacked::default(),
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            server_clock: None,
            connected: 0,
            connected_least: 0,
            heard_at: 0,
            acts: BinaryHeap::new(),
            acts_made: 0,
            started: Instant::now(),
            buffer: vec![0; BUFFER_BYTES],
            second_ends: SECOND,
            look_at: LOOK,
            watcher: None,
            stop: Arc::default(),
        })
    }

    /// From now on those who come offer permessage-deflate, as browsers do.
    pub fn offer_deflate(&mut self) {
        self.handshake.deflate = true;
    }

    pub fn watch(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    /// Once this is set, nothing runs any more: every run returns at once.
    pub fn stop_when(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// µs since the crowd began.
    pub fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// When the server's clock shows `at` ms, in µs of ours; now, as long as no server has said its time.
    pub fn time_of(&self, at: i64) -> u64 {
        self.server_clock.map_or_else(|| self.now(), |offset| u64::try_from(at * 1_000 - offset).unwrap_or(0))
    }

    pub fn connected(&self) -> u64 {
        self.connected
    }

    pub fn add_room(&mut self, stream: &str) -> u32 {
        self.rooms.push(Room::new(stream.to_owned()));
        self.rooms.len() as u32 - 1
    }

    /// A viewer who will come when told to; without a token a guest, who may only watch.
    pub fn add_viewer(&mut self, room: u32, token: Option<&str>) -> u32 {
        let session = self.random.random();
        self.viewers.push(Viewer::new(room, token.map(Into::into), session));
        self.viewers.len() as u32 - 1
    }

    pub fn set_manner(&mut self, viewer: u32, manner: Manner) {
        let one = &mut self.viewers[viewer as usize];
        one.manner = manner;
        one.late_by_itself |= manner != Manner::Reads;
    }

    pub fn at(&mut self, due: u64, act: Act) {
        self.acts_made += 1;
        self.acts.push(Reverse((due, self.acts_made, act)));
    }

    /// These viewers arrive one after the other, evenly, over `ramp`.
    pub fn arrive(&mut self, viewers: impl ExactSizeIterator<Item = u32>, from: u64, ramp: Duration) {
        let count = viewers.len().max(1) as u64;
        for (place, viewer) in viewers.enumerate() {
            self.at(from + ramp.as_micros() as u64 * place as u64 / count, Act::Arrive(viewer));
        }
    }

    /// Talk at a steady rate until the flow's end.
    pub fn talk(&mut self, flow: Flow) {
        if flow.senders.is_empty() || flow.rate <= 0.0 {
            return;
        }
        let from = flow.from;
        self.flows.push(flow);
        self.at(from, Act::Say(self.flows.len() - 1));
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
    pub fn run_while(&mut self, until: u64, mut goes_on: impl FnMut(&Crowd) -> bool) -> bool {
        loop {
            if !goes_on(self) {
                return true;
            }
            if until <= self.now() || self.is_stopped() {
                return false;
            }
            self.turn(until);
        }
    }

    /// No more acts, and what is under way is answered and read: until nothing is waited for and no frame has come for
    /// `quiet`, at most for `most`. Viewers who were bad readers read now.
    pub fn settle(&mut self, quiet: Duration, most: Duration) {
        self.acts.retain(|Reverse((_, _, act))| matches!(act, Act::Arrive(_) | Act::Buy(_)));
        for viewer in 0..self.viewers.len() {
            if std::mem::replace(&mut self.viewers[viewer].manner, Manner::Reads) != Manner::Reads {
                self.readable(viewer as u32, true);
            }
        }
        let (quiet, until) = (quiet.as_micros() as u64, self.now() + most.as_micros() as u64);
        self.heard_at = self.now();
        let waits = |crowd: &Crowd| crowd.viewers.iter().any(|viewer| !viewer.waiting.is_empty() || viewer.returns);
        loop {
            self.run_for(Duration::from_millis(20));
            let now = self.now();
            let done = self.acts.is_empty() && self.heard_at + quiet <= now && !waits(self);
            if done || until <= now || self.is_stopped() {
                break;
            }
        }
        self.roll();
    }

    /// Everybody leaves in order.
    pub fn disperse(&mut self) {
        for viewer in 0..self.viewers.len() as u32 {
            self.leave(viewer);
        }
    }

    fn turn(&mut self, until: u64) {
        let mut now = self.now();
        for _ in 0..ACTS_PER_TURN {
            match self.acts.peek() {
                Some(Reverse((due, ..))) if *due <= now => {
                    if let Some(Reverse((due, _, act))) = self.acts.pop() {
                        // Those that are due all at once cannot all be in time.
                        if matches!(act, Act::Say(_) | Act::Buy(_) | Act::Run(..)) {
                            self.measure.late(now - due);
                        }
                        self.act(due, act);
                    }
                }
                _ => break,
            }
        }
        let next = self.acts.peek().map_or(u64::MAX, |Reverse((due, ..))| *due);
        now = self.now();
        let wait = next.min(until).min(self.second_ends).min(self.look_at).saturating_sub(now);
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        if let Err(error) = self.poll.poll(&mut events, Some(Duration::from_micros(wait)))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            self.measure.error(format!("epoll: {error}"));
        }
        for event in &events {
            let Token(viewer) = event.token();
            if event.is_writable() {
                self.writable(viewer as u32);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.readable(viewer as u32, event.is_read_closed() || event.is_error());
            }
        }
        self.events = events;
        now = self.now();
        if self.second_ends <= now {
            self.roll();
        }
        if self.look_at <= now {
            self.look_at = now + LOOK;
            if let Some(mut watcher) = self.watcher.take() {
                watcher(self);
                self.watcher = Some(watcher);
            }
        }
    }

    /// Ends a second of the measurement.
    fn roll(&mut self) {
        let mut left = BTreeMap::new();
        for room in &self.rooms {
            left.extend(room.shelves().iter().map(|shelf| (shelf.id.clone(), shelf.left)));
        }
        let t = self.second_ends / SECOND - 1;
        self.measure.roll(t, self.connected, self.connected_least, left);
        self.connected_least = self.connected;
        self.second_ends = (self.now() / SECOND + 1) * SECOND;
    }

    /// Reads what a viewer's socket has. `to_the_end`: there is an end of the stream to be found.
    pub(crate) fn readable(&mut self, viewer: u32, to_the_end: bool) {
        let at = viewer as usize;
        let greeted = self.viewers[at].place.is_greeted();
        if self.viewers[at].manner != Manner::Reads && greeted {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        // One who stops takes hello, in one piece or several, and then nothing more.
        let space = if self.viewers[at].manner == Manner::Reads { buffer.len() } else { 1_024 };
        while self.read(viewer, &mut buffer[..space]) {
            // A socket that gave less than we had space for is empty, and tells when there is more.
            let more = to_the_end || self.viewers[at].manner != Manner::Reads;
            if !more || (self.viewers[at].manner != Manner::Reads && self.viewers[at].place.is_greeted()) {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Reads so many bytes from one who reads a trickle.
    pub(crate) fn trickle(&mut self, viewer: u32, bytes: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read(viewer, &mut buffer[..bytes]);
        self.buffer = buffer;
    }

    /// `true` when there may be more.
    fn read(&mut self, viewer: u32, buffer: &mut [u8]) -> bool {
        let at = viewer as usize;
        match self.viewers[at].read(buffer) {
            Ok(None) => false,
            Ok(Some(0)) => {
                self.lost(viewer, "end of the stream", None);
                false
            }
            Ok(Some(length)) => {
                let now = self.now();
                if self.viewers[at].partial.is_empty() {
                    let used = self.take_in(viewer, &buffer[..length], now);
                    if used < length && self.viewers[at].socket.is_some() {
                        self.viewers[at].partial = buffer[used..length].to_vec();
                    }
                } else {
                    let mut whole = std::mem::take(&mut self.viewers[at].partial);
                    whole.extend_from_slice(&buffer[..length]);
                    let used = self.take_in(viewer, &whole, now);
                    if used < whole.len() && self.viewers[at].socket.is_some() {
                        whole.drain(..used);
                        self.viewers[at].partial = whole;
                    }
                }
                self.viewers[at].socket.is_some() && (length == buffer.len())
            }
            Err(error) => {
                self.lost(viewer, &format!("{:?}", error.kind()), None);
                false
            }
        }
    }

    pub(crate) fn one_less(&mut self) {
        self.connected -= 1;
        self.connected_least = self.connected_least.min(self.connected);
    }

    pub(crate) fn register(&mut self, viewer: u32) {
        let Some(socket) = &mut self.viewers[viewer as usize].socket else { return };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(socket, Token(viewer as usize), interest) {
            self.measure.error(format!("epoll: {error}"));
        }
    }

    pub(crate) fn source(&self, viewer: u32) -> Option<IpAddr> {
        let sources = &self.target.sources;
        (!sources.is_empty()).then(|| sources[viewer as usize % sources.len()])
    }

    /// The asks that were under way on a link are not answered any more.
    pub(crate) fn unanswered(&mut self, viewer: u32) -> Vec<AskId> {
        std::mem::take(&mut self.viewers[viewer as usize].waiting)
    }
}
