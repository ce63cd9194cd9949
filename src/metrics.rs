//! Metric types, and the encoding of the metrics page.
//!
//! Counters are atomics that live beside the code that counts. The page is encoded from them on each request
//! (`http/metrics.rs`), so no value is kept twice, and an event costs an atomic addition or two.
//!
//! `prometheus-client` encodes the page as OpenMetrics text. Its own histogram is not used: it takes a lock for each observation
//! and hides its buckets, while ours is lock-free and the host page reads a quantile from it ([`DurationHistogram::p99_ms`]).
//!
//! Names of shows, offers and users are never labels, so that the page stays small however many of them there are.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// The target of tracing spans. Only builds with the feature `otel` export them; in other builds a span costs a comparison.
pub const SPAN_TARGET: &str = "livesouk::span";

pub fn increment(counter: &AtomicU64) {
    increment_by(counter, 1);
}

pub fn increment_by(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Counts a request as waiting until it is dropped: a client that disconnects does not wait anymore.
#[derive(Debug)]
pub struct WaitingRequest<'a>(&'a AtomicU64);

impl<'a> WaitingRequest<'a> {
    pub fn register(all: &'a AtomicU64) -> Self {
        increment(all);
        Self(all)
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A counter with one label whose values are a fixed list. Any other value counts as the last one of the list, `other`.
#[derive(Debug)]
pub struct LabeledCounter {
    names: Box<[&'static str]>,
    counts: Box<[AtomicU64]>,
}

impl LabeledCounter {
    /// `names` is searched in order, so the most frequent names should come first. The last one must be `other`.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let names: Box<[&str]> = names.into_iter().collect();
        debug_assert_eq!(names.last(), Some(&"other"));
        Self { counts: names.iter().map(|_| AtomicU64::new(0)).collect(), names }
    }

    pub fn increment(&self, name: &str) {
        let index = self.names.iter().position(|known| *known == name);
        if let Some(counter) = index.map_or(self.counts.last(), |index| self.counts.get(index)) {
            increment(counter);
        }
    }

    pub fn values(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.iter().zip(&self.counts).map(|(name, counter)| (*name, counter.load(Ordering::Relaxed)))
    }
}

/// A histogram of durations from 0.1 ms to one hour.
#[derive(Debug, Default)]
pub struct DurationHistogram {
    /// One bucket for each bound, and one for everything longer.
    buckets: [AtomicU64; DurationHistogram::BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl DurationHistogram {
    #[rustfmt::skip]
    const BOUNDS_US: [u64; 21] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 300_000_000, 600_000_000, 3_600_000_000,
    ];

    pub fn observe(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        increment(&self.buckets[Self::BOUNDS_US.partition_point(|bound| *bound < us)]);
        increment_by(&self.sum_us, us);
    }

    /// The same for milliseconds; a negative duration counts as 0.
    pub fn observe_ms(&self, ms: i64) {
        self.observe(Duration::from_millis(ms.max(0).unsigned_abs()));
    }

    /// The number of observations in each bucket so far, not cumulative.
    pub fn bucket_counts(&self) -> Vec<u64> {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect()
    }

    /// The bucket bound, in whole milliseconds, below which 99 % of the observations between two readings of
    /// [`bucket_counts`](Self::bucket_counts) are. `None`: there was no observation, or the bound is exceeded.
    pub fn p99_ms(before: &[u64], after: &[u64]) -> Option<u64> {
        let counts =
            || after.iter().enumerate().map(|(index, n)| n.saturating_sub(before.get(index).copied().unwrap_or(0)));
        let total: u64 = counts().sum();
        let wanted = (total * 99).div_ceil(100);
        let mut below = 0;
        let index = counts().position(|n| {
            below += n;
            below >= wanted
        })?;
        Self::BOUNDS_US.get(index).filter(|_| total > 0).map(|us| us.div_ceil(1_000))
    }
}

/// A histogram of sizes: of a batch, for example.
#[derive(Debug, Default)]
pub struct SizeHistogram {
    buckets: [AtomicU64; SizeHistogram::BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl SizeHistogram {
    const BOUNDS: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

    pub fn observe(&self, size: usize) {
        increment(&self.buckets[Self::BOUNDS.partition_point(|bound| *bound < size as u64)]);
        increment_by(&self.sum, size as u64);
    }
}

/// The content type of [`encode_page`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Encodes a metrics page in the OpenMetrics text format. `fill` adds the metrics.
///
/// Bucket bounds are written as floats (`le="5.0"`), which is the only form that Prometheus 3 matches.
pub fn encode_page(fill: impl Fn(&mut MetricsPage<'_>) + Send + Sync + 'static) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(PageCollector(fill)));
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut page, &registry);
    page
}

struct PageCollector<F>(F);

impl<F> fmt::Debug for PageCollector<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageCollector")
    }
}

impl<F: Fn(&mut MetricsPage<'_>) + Send + Sync + 'static> Collector for PageCollector<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = MetricsPage { encoder, result: Ok(()) };
        (self.0)(&mut page);
        page.result
    }
}

/// A metrics page that is being encoded.
#[derive(Debug)]
pub struct MetricsPage<'a> {
    encoder: DescriptorEncoder<'a>,
    result: fmt::Result,
}

type NoLabels = [(&'static str, &'static str); 0];

impl MetricsPage<'_> {
    /// A counter. `name` must end with `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help).add(&[], value as f64);
    }

    /// A counter with labels; the values are added to the result.
    pub fn counters<'s>(&'s mut self, name: &'s str, help: &str) -> MetricFamily<'s> {
        debug_assert!(name.ends_with("_total"), "{name}");
        self.family(name.trim_end_matches("_total"), help, MetricType::Counter)
    }

    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help).add(&[], value);
    }

    /// A gauge with labels; the values are added to the result.
    pub fn gauges<'s>(&'s mut self, name: &'s str, help: &str) -> MetricFamily<'s> {
        self.family(name, help, MetricType::Gauge)
    }

    pub fn labeled_counter(&mut self, name: &str, help: &str, label: &str, counter: &LabeledCounter) {
        self.counter_values(name, help, label, counter.values());
    }

    /// A counter with one label.
    pub fn counter_values<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) {
        let mut family = self.counters(name, help);
        values.into_iter().for_each(|(value, count)| family.add(&[(label, value)], count as f64));
    }

    pub fn durations(&mut self, name: &str, help: &str, histogram: &DurationHistogram) {
        let bounds = DurationHistogram::BOUNDS_US.iter().map(|us| *us as f64 / 1e6);
        let counts = histogram.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        self.histogram(name, help, &buckets, histogram.sum_us.load(Ordering::Relaxed) as f64 / 1e6);
    }

    pub fn sizes(&mut self, name: &str, help: &str, histogram: &SizeHistogram) {
        let bounds = SizeHistogram::BOUNDS.iter().map(|bound| *bound as f64);
        let counts = histogram.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        self.histogram(name, help, &buckets, histogram.sum.load(Ordering::Relaxed) as f64);
    }

    /// A histogram of buckets `(bound, count)` in a smaller unit; `unit` is its size in the base unit. The counts are not
    /// cumulative, and the last bound represents infinity.
    pub fn scaled_histogram(
        &mut self,
        name: &str,
        help: &str,
        unit: f64,
        buckets: impl Iterator<Item = (u64, u64)>,
        sum: u64,
    ) {
        let mut buckets: Vec<_> = buckets.map(|(bound, count)| (bound as f64 * unit, count)).collect();
        if let Some((bound, _)) = buckets.last_mut() {
            *bound = f64::INFINITY;
        }
        self.histogram(name, help, &buckets, sum as f64 * unit);
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &[(f64, u64)], sum: f64) {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let family = self.family(name, help, MetricType::Histogram);
        if let Some(mut encoder) = family.encoder {
            let result = encoder.encode_histogram::<NoLabels>(sum, count, buckets, None);
            *family.result = family.result.and(result);
        }
    }

    fn family<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> MetricFamily<'s> {
        let encoder = self.encoder.encode_descriptor(name, help, None, kind);
        self.result = self.result.and(encoder.as_ref().map(|_| ()).map_err(|_| fmt::Error));
        MetricFamily { encoder: encoder.ok(), kind, result: &mut self.result }
    }
}

/// The values of one metric name.
#[derive(Debug)]
pub struct MetricFamily<'a> {
    encoder: Option<MetricEncoder<'a>>,
    kind: MetricType,
    result: &'a mut fmt::Result,
}

impl MetricFamily<'_> {
    pub fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        let Some(encoder) = &mut self.encoder else { return };
        let encoded = match self.kind {
            MetricType::Counter => {
                encoder.encode_family(&labels).and_then(|mut of| of.encode_counter::<NoLabels, _, f64>(&value, None))
            }
            _ => encoder.encode_family(&labels).and_then(|mut of| of.encode_gauge(&value)),
        };
        *self.result = self.result.and(encoded);
    }
}

/// What the system reports about this process, under the usual Prometheus names.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProcessMetrics {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: usize,
    files_max: u64,
}

impl ProcessMetrics {
    /// Reads from `/proc`, so it must not run on a task's thread. `None` on other systems than Linux.
    ///
    /// `procfs` would read the same numbers, and hundreds that are not needed, for seven seconds of each cold build.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<Self> {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = pages.split_ascii_whitespace().map_while(|count| count.parse::<u64>().ok());
        let page_size = rustix::param::page_size() as u64;
        let (files_max, _) = rlimit::getrlimit(rlimit::Resource::NOFILE).ok()?;
        Some(Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            virtual_bytes: pages.next()? * page_size,
            resident_bytes: pages.next()? * page_size,
            open_files: std::fs::read_dir("/proc/self/fd").ok()?.count(),
            files_max,
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Option<Self> {
        None
    }

    pub fn write(&self, page: &mut MetricsPage<'_>) {
        page.counters("process_cpu_seconds_total", "CPU time of the process").add(&[], self.cpu_seconds);
        page.gauge("process_resident_memory_bytes", "Memory in use", self.resident_bytes as f64);
        page.gauge("process_virtual_memory_bytes", "Reserved virtual memory", self.virtual_bytes as f64);
        page.gauge("process_open_fds", "Open files and sockets", self.open_files as f64);
        page.gauge("process_max_fds", "Maximum number of open files and sockets", self.files_max as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let histogram = Arc::new(DurationHistogram::default());
        [100, 101, 7_200_000_000].into_iter().for_each(|us| histogram.observe(Duration::from_micros(us)));
        histogram.observe_ms(-5);
        let text = encode_page(move |page| page.durations("t_seconds", "Times", &histogram));
        for line in [
            "# TYPE t_seconds histogram",
            r#"t_seconds_bucket{le="0.0001"} 2"#,
            r#"t_seconds_bucket{le="0.00025"} 3"#,
            r#"t_seconds_bucket{le="5.0"} 3"#,
            r#"t_seconds_bucket{le="3600.0"} 3"#,
            r#"t_seconds_bucket{le="+Inf"} 4"#,
            "t_seconds_sum 7200.000201",
            "t_seconds_count 4",
            "# EOF",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn sizes_are_counted_up_to_and_including_their_bound() {
        let sizes = SizeHistogram::default();
        [1, 2, 3, 512, 513].into_iter().for_each(|size| sizes.observe(size));
        let buckets: Vec<u64> = sizes.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        assert_eq!(buckets, [1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn unknown_label_value_counts_as_other() {
        let counter = LabeledCounter::new(["sold_out", "busy", "other"]);
        ["busy", "nonsense", "busy", "other"].into_iter().for_each(|name| counter.increment(name));
        assert_eq!(counter.values().collect::<Vec<_>>(), [("sold_out", 0), ("busy", 2), ("other", 2)]);
    }

    #[test]
    fn label_values_are_escaped() {
        let text = encode_page(|page| page.gauges("g", "Gauge").add(&[("a", "x\"y\\z\n"), ("b", "")], 0.5));
        assert_eq!(text, "# HELP g Gauge\n# TYPE g gauge\ng{a=\"x\\\"y\\\\z\\n\",b=\"\"} 0.5\n# EOF\n");
    }

    #[test]
    fn counters_are_written_with_their_suffix() {
        let text = encode_page(|page| page.counter("c_total", "Count", 3));
        assert_eq!(text, "# HELP c Count\n# TYPE c counter\nc_total 3.0\n# EOF\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn process_metrics_are_read() {
        let process = ProcessMetrics::read().expect("/proc is there");
        assert!(process.resident_bytes > 100_000 && process.open_files >= 3, "{process:?}");
    }
}
