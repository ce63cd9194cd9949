//! The measurements of a run: latencies by class, counters, and one sample of both per second.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Kinds of latency. Each counts from the moment that was intended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LatencyClass {
    /// A chat message, from when it was due until it reached a viewer's socket.
    Chat,
    /// A pin, an opening or a closing, from when the host's command was due.
    HostAction,
    /// A stock count, from the reply to the oldest purchase that it includes first.
    Stock,
    /// The reply to the viewer's own message or reaction.
    Reply,
    /// The reply to a purchase, with all its attempts.
    Buy,
    /// From when the viewer was due to connect, or was allowed to reconnect, until the upgrade.
    Handshake,
    /// The same until the hello.
    Join,
}

pub const LATENCY_CLASSES: [(LatencyClass, &str); 7] = [
    (LatencyClass::Chat, "chat"),
    (LatencyClass::HostAction, "show"),
    (LatencyClass::Stock, "stock"),
    (LatencyClass::Reply, "reply"),
    (LatencyClass::Buy, "buy"),
    (LatencyClass::Handshake, "handshake"),
    (LatencyClass::Join, "join"),
];

/// Two minutes in µs. A longer latency counts as this.
const LATENCY_MAX_US: u64 = 120_000_000;

/// Running totals. Their names are those of the report.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct RunCounters {
    /// WebSocket frames that were received, and their payload in bytes.
    pub frames: u64,
    pub bytes: u64,
    /// Events that a viewer received for the first time, summed over the viewers.
    pub deliveries: u64,
    /// Messages that were due, that could be sent, that were acknowledged, and that were refused.
    pub messages_due: u64,
    pub messages_sent: u64,
    pub messages_acknowledged: u64,
    pub messages_refused: u64,
    pub reactions: u64,
    /// Purchases, units held by their replies, refusals, and payments.
    pub purchases: u64,
    pub units_held: u64,
    pub purchases_refused: u64,
    pub paid: u64,
    /// Connections that were tried, upgraded, and lost without our doing, and viewers that reconnected.
    pub connects: u64,
    pub upgrades: u64,
    pub disconnects: u64,
    pub reconnects: u64,
    pub recovered: u64,
    pub resynced: u64,
    /// Events that the server said a viewer cannot have any more.
    pub missed: u64,
    /// Values of the state lane that were older than those of an earlier connection.
    pub stale_values: u64,
    /// Handshakes that failed, connections that broke, and replies that are faults.
    pub errors: u64,
}

/// One second of the run.
#[derive(Clone, Default, Debug, Serialize)]
pub struct SecondSample {
    /// Seconds since the start.
    pub t: u64,
    pub connected: u64,
    /// The smallest number at any moment of this second.
    pub connected_min: u64,
    /// What happened in this second.
    #[serde(flatten)]
    pub counters: RunCounters,
    /// p50 and p99 in ms, by class, of what arrived in this second.
    pub latency_ms: BTreeMap<&'static str, [f64; 2]>,
    /// Units left by offer, as last received.
    pub left: BTreeMap<String, i64>,
}

/// The latency of one class in milliseconds.
#[derive(Clone, Default, Debug, Serialize)]
pub struct LatencySummary {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// `[percentile, ms]` for a chart.
    pub curve: Vec<[f64; 2]>,
}

#[derive(Debug)]
pub struct Measurements {
    pub counters: RunCounters,
    /// How late the simulation was with its own actions, in µs.
    lateness: Histogram<u64>,
    total: Vec<Histogram<u64>>,
    second: Vec<Histogram<u64>>,
    pub seconds: Vec<SecondSample>,
    counters_before: RunCounters,
    /// Counted by name: why connections ended, why verbs were refused, and what failed.
    pub disconnect_reasons: BTreeMap<String, u64>,
    pub refusals: BTreeMap<String, u64>,
    pub errors: BTreeMap<String, u64>,
}

impl Default for Measurements {
    fn default() -> Self {
        let histograms = |digits| LATENCY_CLASSES.iter().map(|_| histogram(digits)).collect();
        Self {
            counters: RunCounters::default(),
            lateness: histogram(2),
            total: histograms(3),
            second: histograms(2),
            seconds: Vec::new(),
            counters_before: RunCounters::default(),
            disconnect_reasons: BTreeMap::new(),
            refusals: BTreeMap::new(),
            errors: BTreeMap::new(),
        }
    }
}

fn histogram(digits: u8) -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LATENCY_MAX_US, digits) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are valid constants"),
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

impl Measurements {
    pub fn record_latency(&mut self, class: LatencyClass, us: u64) {
        self.total[class as usize].saturating_record(us);
        self.second[class as usize].saturating_record(us);
    }

    /// An action started this long after it was due.
    pub fn record_lateness(&mut self, us: u64) {
        self.lateness.saturating_record(us);
    }

    /// p99 of the simulation's own lateness, in ms.
    pub fn lateness_p99_ms(&self) -> f64 {
        ms(self.lateness.value_at_quantile(0.99))
    }

    pub fn record_error(&mut self, name: impl Into<String>) {
        self.counters.errors += 1;
        *self.errors.entry(name.into()).or_default() += 1;
    }

    /// p50 and p99 of the last complete second, in ms; zeros when nothing arrived.
    pub fn recent(&self, class: LatencyClass) -> [f64; 2] {
        let name = LATENCY_CLASSES[class as usize].1;
        self.seconds.last().and_then(|second| second.latency_ms.get(name)).copied().unwrap_or_default()
    }

    fn second_percentiles(&self, class: LatencyClass) -> [f64; 2] {
        let histogram = &self.second[class as usize];
        [ms(histogram.value_at_quantile(0.5)), ms(histogram.value_at_quantile(0.99))]
    }

    /// Finishes a second.
    pub fn finish_second(&mut self, t: u64, connected: u64, connected_least: u64, left: BTreeMap<String, i64>) {
        let mut latency_ms = BTreeMap::new();
        for (class, name) in LATENCY_CLASSES {
            if !self.second[class as usize].is_empty() {
                latency_ms.insert(name, self.second_percentiles(class));
                self.second[class as usize].reset();
            }
        }
        let counters = self.counters.minus(&self.counters_before);
        self.counters_before = self.counters;
        self.seconds.push(SecondSample { t, connected, connected_min: connected_least, counters, latency_ms, left });
    }

    pub fn latencies(&self) -> BTreeMap<&'static str, LatencySummary> {
        let measured = LATENCY_CLASSES.iter().filter(|(class, _)| !self.total[*class as usize].is_empty());
        measured.map(|(class, name)| (*name, LatencySummary::of(&self.total[*class as usize]))).collect()
    }
}

impl LatencySummary {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile: f64| ms(histogram.value_at_quantile(quantile));
        let percentiles = [
            0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9, 99.95,
            99.99, 99.999,
        ];
        Self {
            count: histogram.len(),
            mean: histogram.mean() / 1_000.0,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(histogram.max()),
            curve: percentiles.iter().map(|percentile| [*percentile, at(percentile / 100.0)]).collect(),
        }
    }
}

impl RunCounters {
    fn minus(&self, before: &Self) -> Self {
        Self {
            frames: self.frames - before.frames,
            bytes: self.bytes - before.bytes,
            deliveries: self.deliveries - before.deliveries,
            messages_due: self.messages_due - before.messages_due,
            messages_sent: self.messages_sent - before.messages_sent,
            messages_acknowledged: self.messages_acknowledged - before.messages_acknowledged,
            messages_refused: self.messages_refused - before.messages_refused,
            reactions: self.reactions - before.reactions,
            purchases: self.purchases - before.purchases,
            units_held: self.units_held - before.units_held,
            purchases_refused: self.purchases_refused - before.purchases_refused,
            paid: self.paid - before.paid,
            connects: self.connects - before.connects,
            upgrades: self.upgrades - before.upgrades,
            disconnects: self.disconnects - before.disconnects,
            reconnects: self.reconnects - before.reconnects,
            recovered: self.recovered - before.recovered,
            resynced: self.resynced - before.resynced,
            missed: self.missed - before.missed,
            stale_values: self.stale_values - before.stale_values,
            errors: self.errors - before.errors,
        }
    }
}

/// Processor time of this process so far, in seconds: user and system. The kernel counts it in hundredths of a second.
pub fn cpu_time() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets, which may contain any character.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / 100.0;
    (ticks(11), ticks(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_has_new_values_and_the_total_has_all() {
        let mut measurements = Measurements::default();
        for us in 1..=100 {
            measurements.record_latency(LatencyClass::Chat, us * 1_000);
        }
        measurements.counters.frames = 7;
        measurements.finish_second(0, 5, 4, BTreeMap::new());
        measurements.record_latency(LatencyClass::Chat, 10_000_000_000);
        measurements.counters.frames = 9;
        measurements.finish_second(1, 5, 5, BTreeMap::new());
        let frames: Vec<u64> = measurements.seconds.iter().map(|second| second.counters.frames).collect();
        assert_eq!(frames, [7, 2]);
        let p50 = measurements.seconds[0].latency_ms["chat"][0];
        assert!((49.0..52.0).contains(&p50), "{p50}");
        assert!(measurements.seconds[1].latency_ms["chat"][0] > 119_000.0);
        let chat = &measurements.latencies()["chat"];
        assert_eq!(chat.count, 101);
        assert!((98.0..101.0).contains(&chat.p99), "{chat:?}");
        assert!(!measurements.latencies().contains_key("buy"));
    }

    #[test]
    fn cpu_time_increases() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time().0 < before.0 + 0.02 {
            sum = (0..1_000_000_u64).fold(sum, |sum, n| sum ^ n.wrapping_mul(sum | 1));
        }
        assert_ne!(sum, 1);
    }
}
