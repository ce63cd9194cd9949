//! What is counted, and how it is told. Counters are atomics that live with what they count; the page is made from
//! them when somebody asks (`http/metrics.rs`), so nothing is kept twice and an event costs an addition or two.
//!
//! Names of things that come and go (shows, offers, people) are no labels: what is told stays as small with a million
//! of them as with one.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The target of spans, which only a build with the feature `otel` sends anywhere. In others they cost a comparison.
pub const SPAN_TARGET: &str = "livesouk::span";

/// One more.
pub fn increment(counter: &AtomicU64) {
    increment_by(counter, 1);
}

pub fn increment_by(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// How many of each name. The names are a closed list; whatever is not in it counts as the last of them, `other`.
#[derive(Debug)]
pub struct LabeledCounter {
    names: &'static [&'static str],
    counts: Box<[AtomicU64]>,
}

impl LabeledCounter {
    /// The names that come most often first: they are looked for in this order.
    pub fn new(names: &'static [&'static str]) -> Self {
        debug_assert_eq!(names.last(), Some(&"other"));
        Self { names, counts: names.iter().map(|_| AtomicU64::new(0)).collect() }
    }

    pub fn increment(&self, name: &str) {
        let place = self.names.iter().position(|known| *known == name);
        if let Some(counter) = place.map_or(self.counts.last(), |place| self.counts.get(place)) {
            increment(counter);
        }
    }

    pub fn values(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.iter().zip(&self.counts).map(|(name, counter)| (*name, counter.load(Ordering::Relaxed)))
    }
}

/// How long something took, from a tenth of a millisecond to an hour.
#[derive(Debug, Default)]
pub struct DurationHistogram {
    /// One for each of the bounds, and one for what is longer than all of them.
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

    /// How many fell between which bounds, so far.
    pub fn bucket_counts(&self) -> Vec<u64> {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect()
    }

    /// The bound, in whole milliseconds, that 99 of 100 stayed below between two looks. `None`: nothing happened, or it took
    /// longer than all bounds.
    pub fn p99_ms(before: &[u64], after: &[u64]) -> Option<u64> {
        let now =
            || after.iter().enumerate().map(|(place, n)| n.saturating_sub(before.get(place).copied().unwrap_or(0)));
        let all: u64 = now().sum();
        let wanted = (all * 99).div_ceil(100);
        let mut so_far = 0;
        let place = now().position(|n| {
            so_far += n;
            so_far >= wanted
        })?;
        Self::BOUNDS_US.get(place).filter(|_| all > 0).map(|us| us.div_ceil(1_000))
    }

    /// As [`add`](Self::add), for what is known in milliseconds; less than none is none.
    pub fn observe_ms(&self, ms: i64) {
        self.observe(Duration::from_millis(ms.max(0).unsigned_abs()));
    }
}

/// How many there were of something at a time: a batch, a frame.
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

/// The page, in Prometheus' text format 0.0.4.
#[derive(Debug, Default)]
pub struct MetricsPage(String);

pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl MetricsPage {
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help).put(&[], value as f64);
    }

    /// A counter with labels: what follows are its values.
    pub fn counters<'a>(&'a mut self, name: &'a str, help: &str) -> MetricFamily<'a> {
        debug_assert!(name.ends_with("_total"), "{name}");
        self.family(name, help, "counter")
    }

    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help).put(&[], value);
    }

    pub fn gauges<'a>(&'a mut self, name: &'a str, help: &str) -> MetricFamily<'a> {
        self.family(name, help, "gauge")
    }

    /// All names of a [`Named`], under one label.
    pub fn named(&mut self, name: &str, help: &str, label: &str, named: &LabeledCounter) {
        let mut family = self.counters(name, help);
        named.values().for_each(|(value, count)| family.put(&[(label, value)], count as f64));
    }

    pub fn times(&mut self, name: &str, help: &str, times: &DurationHistogram) {
        let bounds = DurationHistogram::BOUNDS_US.map(|us| us as f64 / 1e6);
        self.histogram(name, help, &bounds, &times.buckets, times.sum_us.load(Ordering::Relaxed) as f64 / 1e6);
    }

    pub fn sizes(&mut self, name: &str, help: &str, sizes: &SizeHistogram) {
        let bounds = SizeHistogram::BOUNDS.map(|bound| bound as f64);
        self.histogram(name, help, &bounds, &sizes.buckets, sizes.sum.load(Ordering::Relaxed) as f64);
    }

    /// As a histogram: how many values up to each bound, not added up, the last bound being above all; in units of `unit`.
    pub fn buckets(&mut self, name: &str, help: &str, unit: f64, buckets: impl Iterator<Item = (u64, u64)>, sum: u64) {
        let (bounds, counts): (Vec<f64>, Vec<AtomicU64>) =
            buckets.map(|(bound, count)| (bound as f64 * unit, AtomicU64::new(count))).unzip();
        let bounds = bounds.split_last().map_or(&[][..], |(_, bounds)| bounds);
        self.histogram(name, help, bounds, &counts, sum as f64 * unit);
    }

    pub fn into_text(self) -> String {
        self.0
    }

    fn histogram(&mut self, name: &str, help: &str, bounds: &[f64], buckets: &[AtomicU64], sum: f64) {
        let mut family = self.family(name, help, "histogram");
        let mut below = 0;
        for (place, bucket) in buckets.iter().enumerate() {
            below += bucket.load(Ordering::Relaxed);
            let bound = bounds.get(place).map_or("+Inf".to_owned(), f64::to_string);
            family.line("_bucket", &[("le", &bound)], below as f64);
        }
        family.line("_sum", &[], sum);
        family.line("_count", &[], below as f64);
    }

    fn family<'a>(&'a mut self, name: &'a str, help: &str, kind: &str) -> MetricFamily<'a> {
        // A text grows without an error.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        MetricFamily { page: self, name }
    }
}

/// The values under one name.
#[derive(Debug)]
pub struct MetricFamily<'a> {
    page: &'a mut MetricsPage,
    name: &'a str,
}

impl MetricFamily<'_> {
    pub fn put(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, value);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let text = &mut self.page.0;
        text.push_str(self.name);
        text.push_str(suffix);
        for (place, (label, of)) in labels.iter().enumerate() {
            let of = of.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            let _ = write!(text, r#"{}{label}="{of}""#, if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// What the system says of this process, under the names every exporter uses. Linux only: elsewhere there is nothing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProcessMetrics {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: usize,
    most_files: u64,
}

/// `/proc` counts in hundredths of a second on every architecture that Rust and Linux share.
const TICKS_PER_SECOND: f64 = 100.0;

impl ProcessMetrics {
    /// Reads files, so it is no work for a task.
    pub fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let (cpu_seconds, (resident_bytes, virtual_bytes)) = (cpu_seconds(&stat)?, memory(&status)?);
        // Newer kernels say at once how many there are; the others have to be asked for each.
        let files = std::fs::metadata("/proc/self/fd").ok()?.len() as usize;
        let open_files = if files > 0 { files } else { std::fs::read_dir("/proc/self/fd").ok()?.count() };
        let (most_files, _) = rlimit::getrlimit(rlimit::Resource::NOFILE).ok()?;
        Some(Self { cpu_seconds, resident_bytes, virtual_bytes, open_files, most_files })
    }

    pub fn write(&self, page: &mut MetricsPage) {
        page.counters("process_cpu_seconds_total", "Time on a processor.").put(&[], self.cpu_seconds);
        page.gauge("process_resident_memory_bytes", "Memory in use.", self.resident_bytes as f64);
        page.gauge("process_virtual_memory_bytes", "Memory asked for.", self.virtual_bytes as f64);
        page.gauge("process_open_fds", "Open files and sockets.", self.open_files as f64);
        page.gauge("process_max_fds", "How many there may be.", self.most_files as f64);
    }
}

/// The 14th and 15th field, counted behind the name in brackets, which may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn memory(status: &str) -> Option<(u64, u64)> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some((kib("VmRSS:")? * 1024, kib("VmSize:")? * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_under_their_bounds_and_add_up() {
        let times = DurationHistogram::default();
        [100, 101, 7_200_000_000].into_iter().for_each(|us| times.observe(Duration::from_micros(us)));
        times.observe_ms(-5);
        let mut page = MetricsPage::default();
        page.times("t_seconds", "Times.", &times);
        let text = page.into_text();
        for line in [
            "# TYPE t_seconds histogram",
            r#"t_seconds_bucket{le="0.0001"} 2"#,
            r#"t_seconds_bucket{le="0.00025"} 3"#,
            r#"t_seconds_bucket{le="3600"} 3"#,
            r#"t_seconds_bucket{le="+Inf"} 4"#,
            "t_seconds_sum 7200.000201",
            "t_seconds_count 4",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn sizes_are_counted_up_to_and_with_their_bound() {
        let sizes = SizeHistogram::default();
        [1, 2, 3, 512, 513].into_iter().for_each(|size| sizes.observe(size));
        let buckets: Vec<u64> = sizes.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        assert_eq!(buckets, [1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn what_has_no_name_is_other() {
        let named = LabeledCounter::new(&["sold_out", "busy", "other"]);
        ["busy", "nonsense", "busy", "other"].into_iter().for_each(|name| named.increment(name));
        assert_eq!(named.values().collect::<Vec<_>>(), [("sold_out", 0), ("busy", 2), ("other", 2)]);
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut page = MetricsPage::default();
        page.gauges("g", "Gauge.").put(&[("a", "x\"y\\z\n"), ("b", "")], 0.5);
        assert_eq!(page.into_text(), "# HELP g Gauge.\n# TYPE g gauge\ng{a=\"x\\\"y\\\\z\\n\",b=\"\"} 0.5\n");
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 1 0 99 1 2 3";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(memory("VmSize:\t 20 kB\nVmRSS:\t    3 kB\n"), Some((3 * 1024, 20 * 1024)));
        assert_eq!((cpu_seconds("nonsense"), memory("")), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_files() {
        let process = ProcessMetrics::read().expect("/proc is there");
        assert!(process.resident_bytes > 100_000 && process.open_files >= 3, "{process:?}");
    }
}
