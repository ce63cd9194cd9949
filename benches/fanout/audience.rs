//! A crowd that has taken its seats, and what a few seconds of talk cost and how they arrived.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::ensure;
use loadtest::measurements::{Measurements, cpu_time};
use loadtest::viewer::ReadBehavior;
use loadtest::{ChatLoad, ScheduledAction, Simulation, TargetServer};

use super::servers::BenchServer;

/// One address has 28,000 ports, and those of the last crowd rest for a minute.
const SOURCES: u8 = 8;
/// How many talk in a room that has as many.
const SENDERS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
/// What is still on its way after a second and a half is late by any measure.
const DRAIN_TIMEOUT_US: u64 = 1_500_000;
const TEXT_LENGTH: usize = 40;
pub const P99_LIMIT_MS: f64 = 250.0;

pub struct BenchAudience {
    pub simulation: Simulation,
    rooms: usize,
    senders: Vec<Vec<u32>>,
    /// Who hears each message, on average over the rooms.
    per_room: f64,
    /// Whether everybody reads, so that every delivery can be counted on.
    all_read: bool,
    dropped_at: u64,
}

/// A few seconds of talk.
#[derive(Clone, Copy, Debug)]
pub struct ChatResult {
    pub rate: f64,
    pub seconds: f64,
    pub deliveries: u64,
    pub frames: u64,
    pub bytes: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of the server and of the crowd, in seconds.
    pub cpu: f64,
    pub client_cpu: f64,
    pub lost: u64,
    /// Messages that were answered, of those that were due.
    pub acknowledged_ratio: f64,
}

impl ChatResult {
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
        self.lost == 0 && self.acknowledged_ratio > 0.99 && self.p99_ms < P99_LIMIT_MS
    }
}

impl BenchAudience {
    /// `viewers` in all, evenly over the shows, arriving over `ramp`; every `bad`th of them stops reading once greeted.
    pub fn connect(
        server: &BenchServer,
        shows: &[String],
        viewers: usize,
        bad: Option<usize>,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        Self::connect_with(Self::new_simulation(server)?, server, shows, viewers, bad, ramp)
    }

    /// The same for viewers who offer compression, as browsers do.
    pub fn connect_compressed(
        server: &BenchServer,
        shows: &[String],
        viewers: usize,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        let mut crowd = Self::new_simulation(server)?;
        crowd.offer_deflate();
        Self::connect_with(crowd, server, shows, viewers, None, ramp)
    }

    fn new_simulation(server: &BenchServer) -> anyhow::Result<Simulation> {
        let sources = (1..=SOURCES).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))).collect();
        let host = server.address.to_string();
        Ok(Simulation::new(TargetServer { address: server.address, host, sources, seed: 1 })?)
    }

    fn connect_with(
        mut crowd: Simulation,
        server: &BenchServer,
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
                    crowd.set_read_behavior(viewer, ReadBehavior::Stopped);
                }
            }
        }
        let (everybody, from) = (crowd.viewers.len() as u32, crowd.now());
        crowd.schedule_arrivals(0..everybody, from, ramp);
        crowd.run_until(from + ramp.as_micros() as u64);
        let seated = |crowd: &Simulation| crowd.viewers.iter().all(|viewer| viewer.state.has_hello());
        let patience = crowd.now() + 30_000_000;
        crowd.run_while(patience, |crowd| crowd.connected() < u64::from(everybody) || !seated(crowd));
        ensure!(seated(&crowd), "{} of {everybody} were connected: {:?}", crowd.connected(), crowd.measurements.errors);
        let per_room = everybody as f64 / shows.len() as f64;
        Ok(Self { simulation: crowd, rooms: shows.len(), senders, per_room, all_read: bad.is_none(), dropped_at: 0 })
    }

    /// Talk at `rate` in all, evenly over the rooms, and until it has arrived.
    pub fn talk(&mut self, server: &BenchServer, rate: f64, length: Duration) -> ChatResult {
        self.send_chat(rate, WARM_UP);
        self.simulation.measurements = Measurements::default();
        let wanted = |audience: &Self| if audience.all_read { audience.expected_deliveries() } else { 0 };
        self.measure(server, rate, length, wanted)
    }

    /// The same while others come and go: what is lost is what breaks the truth.
    pub fn measure_chat_during_reconnects(&mut self, server: &BenchServer, rate: f64, length: Duration) -> ChatResult {
        self.measure(server, rate, length, |_| 0)
    }

    fn measure(
        &mut self,
        server: &BenchServer,
        rate: f64,
        length: Duration,
        wanted: impl Fn(&Self) -> u64,
    ) -> ChatResult {
        let breaches = self.simulation.violations.total;
        let (cpu, (user, system)) = (server.cpu_seconds(), cpu_time());
        self.send_chat(rate, length);
        let own = cpu_time();
        let counters = self.simulation.measurements.counters;
        let latency = self.simulation.measurements.latencies().remove("chat").unwrap_or_default();
        let wanted = wanted(self);
        if counters.deliveries < wanted || counters.missed > 0 {
            eprintln!(
                "  of {wanted} came {}, {} were skipped: {:?}",
                counters.deliveries, counters.missed, self.simulation.measurements.errors
            );
        }
        ChatResult {
            rate,
            seconds: length.as_secs_f64(),
            deliveries: counters.deliveries,
            frames: counters.frames,
            bytes: counters.bytes,
            p50_ms: latency.p50,
            p99_ms: latency.p99,
            cpu: server.cpu_seconds() - cpu,
            client_cpu: own.0 + own.1 - user - system,
            lost: wanted.saturating_sub(counters.deliveries) + self.simulation.violations.total - breaches
                + counters.missed,
            acknowledged_ratio: counters.messages_acknowledged as f64 / counters.messages_due.max(1) as f64,
        }
    }

    fn send_chat(&mut self, rate: f64, length: Duration) {
        let (now, rate) = (self.simulation.now(), rate / self.rooms as f64);
        let until = now + length.as_micros() as u64;
        for (room, senders) in self.senders.iter().enumerate() {
            // Rooms do not speak in step.
            let from = now + (room as f64 / self.rooms as f64 * 1e6 / rate) as u64;
            let (room, senders) = (room as u32, senders.clone());
            self.simulation.talk(ChatLoad { room, senders, rate, from, until, length: TEXT_LENGTH, said: 0 });
        }
        self.simulation.run_until(until);
        let wanted = self.expected_deliveries();
        let done = |crowd: &Simulation| {
            let counters = &crowd.measurements.counters;
            counters.deliveries >= wanted && counters.messages_acknowledged >= counters.messages_sent
        };
        self.simulation.run_while(until + DRAIN_TIMEOUT_US, |crowd| !done(crowd));
    }

    fn expected_deliveries(&self) -> u64 {
        (self.simulation.measurements.counters.messages_sent as f64 * self.per_room) as u64
    }

    /// Nothing happens for so long: the share of a core the server takes.
    pub fn measure_idle(&mut self, server: &BenchServer, length: Duration) -> f64 {
        let (cpu, from) = (server.cpu_seconds(), self.simulation.now());
        self.simulation.run_for(length);
        (server.cpu_seconds() - cpu) / ((self.simulation.now() - from) as f64 / 1e6)
    }

    /// All but the first `staying` lose the network at once, and come back like clients do. What is measured from then
    /// on of chat is those who stayed.
    pub fn drop_all_but(&mut self, staying: u32) {
        self.simulation.measurements = Measurements::default();
        let now = self.simulation.now();
        self.dropped_at = now;
        for viewer in staying..self.simulation.viewers.len() as u32 {
            self.simulation.viewers[viewer as usize].is_slow_reader = true;
            self.simulation.at(now, ScheduledAction::DropConnection(viewer));
        }
    }

    /// Seconds since the drop, or as long as we had patience.
    pub fn wait_for_reconnects(&mut self, patience: Duration) -> f64 {
        let until = self.dropped_at + patience.as_micros() as u64;
        let everybody = self.simulation.viewers.len() as u64;
        self.simulation.run_while(until, |crowd| {
            crowd.connected() < everybody || crowd.viewers.iter().any(|viewer| viewer.is_returning)
        });
        (self.simulation.now() - self.dropped_at) as f64 / 1e6
    }
}

impl Drop for BenchAudience {
    /// Cut, not closed: a port that was closed in order rests for a minute.
    fn drop(&mut self) {
        self.simulation.viewers.iter_mut().for_each(loadtest::viewer::SimulatedViewer::reset);
    }
}
