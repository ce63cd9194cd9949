//! A crowd that has taken its seats, and what a few seconds of talk cost and how they arrived.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::ensure;
use loadtest::measure::{Measure, processor_time};
use loadtest::viewer::Manner;
use loadtest::{Act, Crowd, Flow, Target};

use super::servers::Server;

/// One address has 28,000 ports, and those of the last crowd rest for a minute.
const SOURCES: u8 = 8;
/// How many talk in a room that has as many.
const SENDERS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
/// What is still on its way after a second and a half is late by any measure.
const DRAIN_US: u64 = 1_500_000;
const TEXT_LENGTH: usize = 40;
pub const P99_MOST_MS: f64 = 250.0;

pub struct Audience {
    pub crowd: Crowd,
    rooms: usize,
    senders: Vec<Vec<u32>>,
    /// Who hears each message, on average over the rooms.
    per_room: f64,
    /// Whether everybody reads, so that every delivery can be counted on.
    complete: bool,
    dropped_at: u64,
}

/// A few seconds of talk.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    pub rate: f64,
    pub seconds: f64,
    pub deliveries: u64,
    pub frames: u64,
    pub bytes: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of the server and of the crowd, in seconds.
    pub cpu: f64,
    pub crowd_cpu: f64,
    pub lost: u64,
    /// Messages that were answered, of those that were due.
    pub kept: f64,
}

impl Talk {
    pub fn cpu_us_per_delivery(&self) -> f64 {
        self.cpu * 1e6 / self.deliveries as f64
    }

    pub fn cpu_us_per_frame(&self) -> f64 {
        self.cpu * 1e6 / self.frames as f64
    }

    pub fn deliveries_per_s(&self) -> f64 {
        self.deliveries as f64 / self.seconds
    }

    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.kept > 0.99 && self.p99_ms < P99_MOST_MS
    }
}

impl Audience {
    /// `viewers` in all, evenly over the shows, arriving over `ramp`; every `bad`th of them stops reading once greeted.
    pub fn seat(
        server: &Server,
        shows: &[String],
        viewers: usize,
        bad: Option<usize>,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        Self::seat_in(Self::crowd(server)?, server, shows, viewers, bad, ramp)
    }

    /// The same for viewers who offer compression, as browsers do.
    pub fn seat_deflating(server: &Server, shows: &[String], viewers: usize, ramp: Duration) -> anyhow::Result<Self> {
        let mut crowd = Self::crowd(server)?;
        crowd.offer_deflate();
        Self::seat_in(crowd, server, shows, viewers, None, ramp)
    }

    fn crowd(server: &Server) -> anyhow::Result<Crowd> {
        let sources = (1..=SOURCES).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))).collect();
        let host = server.address.to_string();
        Ok(Crowd::new(Target { address: server.address, host, sources, seed: 1 })?)
    }

    fn seat_in(
        mut crowd: Crowd,
        server: &Server,
        shows: &[String],
        viewers: usize,
        bad: Option<usize>,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        let per_room = viewers / shows.len();
        let mut senders = Vec::new();
        for show in shows {
            let room = crowd.add_room(show);
            let talking = SENDERS.min(per_room.div_ceil(10));
            senders.push((0..talking).map(|_| crowd.add_viewer(room, server.token.as_deref())).collect());
            for number in talking..per_room {
                let viewer = crowd.add_viewer(room, None);
                if bad.is_some_and(|bad| number % bad == bad - 1) {
                    crowd.set_manner(viewer, Manner::Stops);
                }
            }
        }
        let (everybody, from) = (crowd.viewers.len() as u32, crowd.now());
        crowd.arrive(0..everybody, from, ramp);
        crowd.run_until(from + ramp.as_micros() as u64);
        let seated = |crowd: &Crowd| crowd.viewers.iter().all(|viewer| viewer.place.is_greeted());
        let patience = crowd.now() + 30_000_000;
        crowd.run_while(patience, |crowd| crowd.connected() < u64::from(everybody) || !seated(crowd));
        ensure!(seated(&crowd), "{} of {everybody} were connected: {:?}", crowd.connected(), crowd.measure.errors);
        let per_room = everybody as f64 / shows.len() as f64;
        Ok(Self { crowd, rooms: shows.len(), senders, per_room, complete: bad.is_none(), dropped_at: 0 })
    }

    /// Talk at `rate` in all, evenly over the rooms, and until it has arrived.
    pub fn talk(&mut self, server: &Server, rate: f64, length: Duration) -> Talk {
        self.say(rate, WARM_UP);
        self.crowd.measure = Measure::default();
        let wanted = |audience: &Self| if audience.complete { audience.wanted() } else { 0 };
        self.measured(server, rate, length, wanted)
    }

    /// The same while others come and go: what is lost is what breaks the truth.
    pub fn talk_through(&mut self, server: &Server, rate: f64, length: Duration) -> Talk {
        self.measured(server, rate, length, |_| 0)
    }

    fn measured(&mut self, server: &Server, rate: f64, length: Duration, wanted: impl Fn(&Self) -> u64) -> Talk {
        let breaches = self.crowd.breaches.total;
        let (cpu, (user, system)) = (server.cpu(), processor_time());
        self.say(rate, length);
        let own = processor_time();
        let counters = self.crowd.measure.counters;
        let latency = self.crowd.measure.latencies().remove("chat").unwrap_or_default();
        let wanted = wanted(self);
        if counters.deliveries < wanted || counters.missed > 0 {
            eprintln!(
                "  of {wanted} came {}, {} were skipped: {:?}",
                counters.deliveries, counters.missed, self.crowd.measure.errors
            );
        }
        Talk {
            rate,
            seconds: length.as_secs_f64(),
            deliveries: counters.deliveries,
            frames: counters.frames,
            bytes: counters.bytes,
            p50_ms: latency.p50,
            p99_ms: latency.p99,
            cpu: server.cpu() - cpu,
            crowd_cpu: own.0 + own.1 - user - system,
            lost: wanted.saturating_sub(counters.deliveries) + self.crowd.breaches.total - breaches + counters.missed,
            kept: counters.messages_acknowledged as f64 / counters.messages_due.max(1) as f64,
        }
    }

    fn say(&mut self, rate: f64, length: Duration) {
        let (now, rate) = (self.crowd.now(), rate / self.rooms as f64);
        let until = now + length.as_micros() as u64;
        for (room, senders) in self.senders.iter().enumerate() {
            // Rooms do not speak in step.
            let from = now + (room as f64 / self.rooms as f64 * 1e6 / rate) as u64;
            let (room, senders) = (room as u32, senders.clone());
            self.crowd.talk(Flow { room, senders, rate, from, until, length: TEXT_LENGTH, said: 0 });
        }
        self.crowd.run_until(until);
        let wanted = self.wanted();
        let done = |crowd: &Crowd| {
            let counters = &crowd.measure.counters;
            counters.deliveries >= wanted && counters.messages_acknowledged >= counters.messages_sent
        };
        self.crowd.run_while(until + DRAIN_US, |crowd| !done(crowd));
    }

    fn wanted(&self) -> u64 {
        (self.crowd.measure.counters.messages_sent as f64 * self.per_room) as u64
    }

    /// Nothing happens for so long: the share of a core the server takes.
    pub fn idle(&mut self, server: &Server, length: Duration) -> f64 {
        let (cpu, from) = (server.cpu(), self.crowd.now());
        self.crowd.run_for(length);
        (server.cpu() - cpu) / ((self.crowd.now() - from) as f64 / 1e6)
    }

    /// All but the first `staying` lose the network at once, and come back like clients do. What is measured from then
    /// on of chat is those who stayed.
    pub fn drop_all_but(&mut self, staying: u32) {
        self.crowd.measure = Measure::default();
        let now = self.crowd.now();
        self.dropped_at = now;
        for viewer in staying..self.crowd.viewers.len() as u32 {
            self.crowd.viewers[viewer as usize].late_by_itself = true;
            self.crowd.at(now, Act::Lose(viewer));
        }
    }

    /// Seconds since the drop, or as long as we had patience.
    pub fn wait_for_all_to_return(&mut self, patience: Duration) -> f64 {
        let until = self.dropped_at + patience.as_micros() as u64;
        let everybody = self.crowd.viewers.len() as u64;
        self.crowd.run_while(until, |crowd| {
            crowd.connected() < everybody || crowd.viewers.iter().any(|viewer| viewer.returns)
        });
        (self.crowd.now() - self.dropped_at) as f64 / 1e6
    }
}

impl Drop for Audience {
    /// Cut, not closed: a port that was closed in order rests for a minute.
    fn drop(&mut self) {
        self.crowd.viewers.iter_mut().for_each(loadtest::viewer::Viewer::cut);
    }
}
