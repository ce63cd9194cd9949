//! What is measured while the crowd runs: latencies by class, counters, and one line of both per second.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Kinds of latency, each from the moment it was intended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LatencyClass {
    /// A message, from when it was to be said to each viewer's socket.
    Chat,
    /// A pin, an opening or a closing, from when the host was to press.
    HostAction,
    /// A count, from the answer to the oldest buyer it is the first to tell of.
    Stock,
    /// The answer to one's own message or heart.
    Reply,
    /// The answer to a purchase, with all its tries.
    Buy,
    /// From when the viewer was to arrive, or was let come back, to the upgrade.
    Handshake,
    /// … to hello.
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

/// Two minutes in µs; what takes longer counts as that.
const LATENCY_MAX_US: u64 = 120_000_000;

/// Running totals. The names are those of the report.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct RunCounters {
    /// WebSocket frames received, and their payload in bytes.
    pub frames: u64,
    pub bytes: u64,
    /// Events a viewer was told for the first time, summed over the viewers.
    pub deliveries: u64,
    /// Messages that were to be said, could be sent, were acknowledged, were refused.
    pub messages_due: u64,
    pub messages_sent: u64,
    pub messages_acknowledged: u64,
    pub messages_refused: u64,
    pub reactions: u64,
    /// Presses on "buy", units held by their answers, refusals, and payments.
    pub purchases: u64,
    pub held: u64,
    pub purchases_refused: u64,
    pub paid: u64,
    /// Connections tried, upgraded, lost without our doing, and viewers who came back.
    pub connects: u64,
    pub upgrades: u64,
    pub disconnects: u64,
    pub reconnects: u64,
    pub recovered: u64,
    pub resynced: u64,
    /// Events the server said a viewer cannot have any more.
    pub missed: u64,
    /// State older than that of an earlier link.
    pub stale_values: u64,
    /// Handshakes that failed, links that broke, answers that are faults.
    pub errors: u64,
}

/// One second of the run.
#[derive(Clone, Default, Debug, Serialize)]
pub struct SecondSample {
    /// Seconds since the start.
    pub t: u64,
    pub connected: u64,
    /// The fewest at any moment of it.
    pub connected_min: u64,
    /// What happened in this second.
    #[serde(flatten)]
    pub counters: RunCounters,
    /// p50 and p99 in ms, by class, of what arrived in this second.
    pub latency_ms: BTreeMap<&'static str, [f64; 2]>,
    /// Units left by offer, as last told.
    pub left: BTreeMap<String, i64>,
}

/// A class in numbers: milliseconds.
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
    /// How late the crowd itself was with what it had to do, in µs.
    lateness: Histogram<u64>,
    total: Vec<Histogram<u64>>,
    second: Vec<Histogram<u64>>,
    pub seconds: Vec<SecondSample>,
    counters_before: RunCounters,
    /// Why connections ended, why verbs were refused, what went wrong, each by its name.
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
        Err(_) => unreachable!("the bounds are constants that fit"),
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

    /// An act was due so long ago.
    pub fn record_lateness(&mut self, us: u64) {
        self.lateness.saturating_record(us);
    }

    /// p99 of the crowd's own lateness, in ms.
    pub fn lateness_p99_ms(&self) -> f64 {
        ms(self.lateness.value_at_quantile(0.99))
    }

    pub fn record_error(&mut self, what: impl Into<String>) {
        self.counters.errors += 1;
        *self.errors.entry(what.into()).or_default() += 1;
    }

    /// p50 and p99 of the last whole second, in ms; zeros when nothing came.
    pub fn recent(&self, class: LatencyClass) -> [f64; 2] {
        let name = LATENCY_CLASSES[class as usize].1;
        self.seconds.last().and_then(|second| second.latency_ms.get(name)).copied().unwrap_or_default()
    }

    fn second_percentiles(&self, class: LatencyClass) -> [f64; 2] {
        let histogram = &self.second[class as usize];
        [ms(histogram.value_at_quantile(0.5)), ms(histogram.value_at_quantile(0.99))]
    }

    /// Ends a second.
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
        let told = LATENCY_CLASSES.iter().filter(|(class, _)| !self.total[*class as usize].is_empty());
        told.map(|(class, name)| (*name, LatencySummary::of(&self.total[*class as usize]))).collect()
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
            held: self.held - before.held,
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

/// Processor time this process has used, in seconds: user and system. The kernel counts it in hundredths.
pub fn cpu_time() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / 100.0;
    (ticks(11), ticks(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_what_is_new_and_the_total_holds_all() {
        let mut measure = Measurements::default();
        for us in 1..=100 {
            measure.record_latency(LatencyClass::Chat, us * 1_000);
        }
        measure.counters.frames = 7;
        measure.finish_second(0, 5, 4, BTreeMap::new());
        measure.record_latency(LatencyClass::Chat, 10_000_000_000);
        measure.counters.frames = 9;
        measure.finish_second(1, 5, 5, BTreeMap::new());
        let frames: Vec<u64> = measure.seconds.iter().map(|second| second.counters.frames).collect();
        assert_eq!(frames, [7, 2]);
        let p50 = measure.seconds[0].latency_ms["chat"][0];
        assert!((49.0..52.0).contains(&p50), "{p50}");
        assert!(measure.seconds[1].latency_ms["chat"][0] > 119_000.0);
        let chat = &measure.latencies()["chat"];
        assert_eq!(chat.count, 101);
        assert!((98.0..101.0).contains(&chat.p99), "{chat:?}");
        assert!(!measure.latencies().contains_key("buy"));
    }

    #[test]
    fn processor_time_grows() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time().0 < before.0 + 0.02 {
            sum = (0..1_000_000_u64).fold(sum, |sum, n| sum ^ n.wrapping_mul(sum | 1));
        }
        assert_ne!(sum, 1);
    }
}
