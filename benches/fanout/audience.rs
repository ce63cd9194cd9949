//! Connected viewers, and the cost and latency of a few seconds of chat.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::ensure;
use loadtest::measurements::{Measurements, cpu_time};
use loadtest::viewer::ReadBehavior;
use loadtest::{ChatLoad, ScheduledAction, Simulation, TargetServer};

use super::servers::BenchServer;

/// One address has 28,000 ports, and a closed port cannot be used again for a minute.
const SOURCES: u8 = 8;
/// The number of senders in a room that is large enough.
const SENDERS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
/// A delivery that takes longer than a second and a half is late by any measure.
const DRAIN_TIMEOUT_US: u64 = 1_500_000;
const TEXT_LENGTH: usize = 40;
pub const P99_LIMIT_MS: f64 = 250.0;

pub struct BenchAudience {
    pub simulation: Simulation,
    rooms: usize,
    senders: Vec<Vec<u32>>,
    /// The number of viewers that receive each message, on average over the rooms.
    per_room: f64,
    /// Whether every viewer reads, so that every delivery can be expected.
    all_read: bool,
    dropped_at: u64,
}

/// The result of a few seconds of chat.
#[derive(Clone, Copy, Debug)]
pub struct ChatResult {
    pub rate: f64,
    pub seconds: f64,
    pub deliveries: u64,
    pub frames: u64,
    pub bytes: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Processor time of the server and of the load test, in seconds.
    pub cpu: f64,
    pub client_cpu: f64,
    pub lost: u64,
    /// Acknowledged messages as a share of those that were due.
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
    /// Connects `viewers` in total, evenly over the streams, over `ramp`. If `stopped_every` is given, every `stopped_every`th of them
    /// stops reading after its hello.
    pub fn connect(
        server: &BenchServer,
        shows: &[String],
        viewers: usize,
        stopped_every: Option<usize>,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        Self::connect_with(Self::new_simulation(server)?, server, shows, viewers, stopped_every, ramp)
    }

    /// The same for viewers that offer compression, as browsers do.
    pub fn connect_compressed(
        server: &BenchServer,
        shows: &[String],
        viewers: usize,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        let mut simulation = Self::new_simulation(server)?;
        simulation.offer_deflate();
        Self::connect_with(simulation, server, shows, viewers, None, ramp)
    }

    fn new_simulation(server: &BenchServer) -> anyhow::Result<Simulation> {
        let sources = (1..=SOURCES).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))).collect();
        let host = server.address.to_string();
        Ok(Simulation::new(TargetServer { address: server.address, host, sources, seed: 1 })?)
    }

    fn connect_with(
        mut simulation: Simulation,
        server: &BenchServer,
        shows: &[String],
        viewers: usize,
        stopped_every: Option<usize>,
        ramp: Duration,
    ) -> anyhow::Result<Self> {
        let per_room = viewers / shows.len();
        let mut senders = Vec::new();
        for show in shows {
            let room = simulation.add_room(show);
            let sender_count = SENDERS.min(per_room.div_ceil(10));
            senders.push((0..sender_count).map(|_| simulation.add_viewer(room, server.token.as_deref())).collect());
            for number in sender_count..per_room {
                let viewer = simulation.add_viewer(room, None);
                if stopped_every.is_some_and(|stopped_every| number % stopped_every == stopped_every - 1) {
                    simulation.set_read_behavior(viewer, ReadBehavior::Stopped);
                }
            }
        }
        let (viewer_count, from) = (simulation.viewers.len() as u32, simulation.now());
        simulation.schedule_arrivals(0..viewer_count, from, ramp);
        simulation.run_until(from + ramp.as_micros() as u64);
        let all_greeted = |simulation: &Simulation| simulation.viewers.iter().all(|viewer| viewer.state.has_hello());
        let deadline = simulation.now() + 30_000_000;
        simulation.run_while(deadline, |simulation| {
            simulation.connected() < u64::from(viewer_count) || !all_greeted(simulation)
        });
        ensure!(
            all_greeted(&simulation),
            "{} of {viewer_count} were connected: {:?}",
            simulation.connected(),
            simulation.measurements.errors
        );
        let per_room = viewer_count as f64 / shows.len() as f64;
        Ok(Self { simulation, rooms: shows.len(), senders, per_room, all_read: stopped_every.is_none(), dropped_at: 0 })
    }

    /// Sends messages at `rate` in total, evenly over the rooms, and waits until they have arrived.
    pub fn measure_chat(&mut self, server: &BenchServer, rate: f64, length: Duration) -> ChatResult {
        self.send_chat(rate, WARM_UP);
        self.simulation.measurements = Measurements::default();
        let expected = |audience: &Self| if audience.all_read { audience.expected_deliveries() } else { 0 };
        self.measure(server, rate, length, expected)
    }

    /// The same while others reconnect: only violations count as lost.
    pub fn measure_chat_during_reconnects(&mut self, server: &BenchServer, rate: f64, length: Duration) -> ChatResult {
        self.measure(server, rate, length, |_| 0)
    }

    fn measure(
        &mut self,
        server: &BenchServer,
        rate: f64,
        length: Duration,
        expected: impl Fn(&Self) -> u64,
    ) -> ChatResult {
        let violations = self.simulation.violations.total;
        let (cpu, (user, system)) = (server.cpu_seconds(), cpu_time());
        self.send_chat(rate, length);
        let own = cpu_time();
        let counters = self.simulation.measurements.counters;
        let latency = self.simulation.measurements.latencies().remove("chat").unwrap_or_default();
        let expected = expected(self);
        if counters.deliveries < expected || counters.missed > 0 {
            eprintln!(
                "  {} of {expected} deliveries arrived, {} events were skipped: {:?}",
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
            lost: expected.saturating_sub(counters.deliveries) + self.simulation.violations.total - violations
                + counters.missed,
            acknowledged_ratio: counters.messages_acknowledged as f64 / counters.messages_due.max(1) as f64,
        }
    }

    fn send_chat(&mut self, rate: f64, length: Duration) {
        let (now, rate) = (self.simulation.now(), rate / self.rooms as f64);
        let until = now + length.as_micros() as u64;
        for (room, senders) in self.senders.iter().enumerate() {
            // The rooms do not send at the same moment.
            let from = now + (room as f64 / self.rooms as f64 * 1e6 / rate) as u64;
            let (room, senders) = (room as u32, senders.clone());
            self.simulation.start_chat(ChatLoad { room, senders, rate, from, until, length: TEXT_LENGTH, sent: 0 });
        }
        self.simulation.run_until(until);
        let expected = self.expected_deliveries();
        let done = |simulation: &Simulation| {
            let counters = &simulation.measurements.counters;
            counters.deliveries >= expected && counters.messages_acknowledged >= counters.messages_sent
        };
        self.simulation.run_while(until + DRAIN_TIMEOUT_US, |simulation| !done(simulation));
    }

    fn expected_deliveries(&self) -> u64 {
        (self.simulation.measurements.counters.messages_sent as f64 * self.per_room) as u64
    }

    /// Sends nothing for this long. Returns the share of a core that the server uses.
    pub fn measure_idle(&mut self, server: &BenchServer, length: Duration) -> f64 {
        let (cpu, from) = (server.cpu_seconds(), self.simulation.now());
        self.simulation.run_for(length);
        (server.cpu_seconds() - cpu) / ((self.simulation.now() - from) as f64 / 1e6)
    }

    /// All viewers but the first `staying` lose the network at once, and reconnect as clients do. From then on, chat
    /// latency is measured only at those who stayed.
    pub fn drop_all_but(&mut self, staying: u32) {
        self.simulation.measurements = Measurements::default();
        let now = self.simulation.now();
        self.dropped_at = now;
        for viewer in staying..self.simulation.viewers.len() as u32 {
            self.simulation.viewers[viewer as usize].is_slow_reader = true;
            self.simulation.schedule(now, ScheduledAction::DropConnection(viewer));
        }
    }

    /// Seconds since the drop, at most `timeout`.
    pub fn wait_for_reconnects(&mut self, timeout: Duration) -> f64 {
        let until = self.dropped_at + timeout.as_micros() as u64;
        let viewer_count = self.simulation.viewers.len() as u64;
        self.simulation.run_while(until, |simulation| {
            simulation.connected() < viewer_count || simulation.viewers.iter().any(|viewer| viewer.is_returning)
        });
        (self.simulation.now() - self.dropped_at) as f64 / 1e6
    }
}

impl Drop for BenchAudience {
    /// Connections are reset, not closed: a port that was closed in order cannot be used again for a minute.
    fn drop(&mut self) {
        self.simulation.viewers.iter_mut().for_each(loadtest::viewer::SimulatedViewer::reset);
    }
}
