//! Metrics per minute of each stream: the peak number of viewers, and how fast broadcasts reach them.
//!
//! Each node samples its rooms every few seconds and writes the peak of a minute once the minute is over. All nodes
//! know the same cluster-wide count, so it does not matter which node writes last; a node that dies loses at most a
//! minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Streams;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::report::minute_of;
use crate::domain::{Millis, StreamId, StreamStatus};
use crate::metrics::DurationHistogram;

const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);
/// Samples kept while the database is unavailable. Above this, samples of new minutes are dropped.
const UNWRITTEN_SAMPLES_MAX: usize = 20_000;
/// Samples in the last minute.
const DELIVERY_SAMPLES_MAX: usize = 12;

#[derive(Debug, Default)]
pub struct MinuteSamples {
    peak_viewers: Mutex<HashMap<(StreamId, Millis), i64>>,
    /// Histograms of the delivery time at each of the last samples, oldest first.
    delivery_histograms: Mutex<VecDeque<Vec<u64>>>,
}

impl MinuteSamples {
    fn record_viewers(&self, stream: StreamId, at: Millis, viewers: i64) {
        let mut seen = self.peak_viewers.lock().unwrap_or_else(|poison| poison.into_inner());
        let key = (stream, minute_of(at));
        if seen.len() >= UNWRITTEN_SAMPLES_MAX && !seen.contains_key(&key) {
            return;
        }
        let peak = seen.entry(key).or_default();
        *peak = viewers.max(*peak);
    }

    /// Removes and returns the samples of minutes before `before`; the caller must write them.
    fn take_before(&self, before: Millis) -> Vec<(StreamId, Millis, i64)> {
        let mut seen = self.peak_viewers.lock().unwrap_or_else(|poison| poison.into_inner());
        seen.extract_if(|(_, minute), _| *minute < before)
            .map(|((stream, minute), viewers)| (stream, minute, viewers))
            .collect()
    }

    /// The samples of a stream that are not written yet.
    fn unwritten_of(&self, stream: StreamId) -> Vec<(Millis, i64)> {
        let seen = self.peak_viewers.lock().unwrap_or_else(|poison| poison.into_inner());
        seen.iter().filter(|((of, _), _)| *of == stream).map(|((_, minute), viewers)| (*minute, *viewers)).collect()
    }

    fn record_delivery_histogram(&self, histogram: Vec<u64>) {
        let mut histograms = self.delivery_histograms.lock().unwrap_or_else(|poison| poison.into_inner());
        histograms.push_back(histogram);
        if histograms.len() > DELIVERY_SAMPLES_MAX {
            histograms.pop_front();
        }
    }

    fn oldest_delivery_histogram(&self) -> Option<Vec<u64>> {
        self.delivery_histograms.lock().unwrap_or_else(|poison| poison.into_inner()).front().cloned()
    }
}

impl Streams {
    /// Viewers of a stream by minute, including what is not written yet.
    pub async fn viewers_by_minute(&self, stream: StreamId) -> Result<Vec<(Millis, i64)>> {
        let mut minutes = self.context.store.viewers_by_minute(stream).await?;
        minutes.extend(self.minute_samples.unwritten_of(stream));
        Ok(minutes)
    }

    /// The 99th percentile of the delivery time in the last minute: 99 of 100 frames were sent to all viewers of their
    /// room on this node within this many milliseconds.
    pub fn delivery_p99_ms(&self) -> Option<u64> {
        let before = self.minute_samples.oldest_delivery_histogram();
        DurationHistogram::p99_ms(
            before.as_deref().unwrap_or(&[]),
            &self.publisher.rooms.counters.delivery_times.bucket_counts(),
        )
    }

    fn take_minute_sample(&self) {
        let now = self.context.now();
        for room in self.publisher.rooms.all() {
            let is_live = self
                .stream_cache
                .cached_stream(room.stream)
                .is_some_and(|cached| cached.stream().status == StreamStatus::Live);
            if is_live {
                self.minute_samples.record_viewers(room.stream, now, room.viewers_shown() as i64);
            }
        }
        self.minute_samples.record_delivery_histogram(self.publisher.rooms.counters.delivery_times.bucket_counts());
    }

    /// Writes the samples taken before this time.
    pub async fn flush_minute_samples(&self, before: Millis) -> Result<()> {
        let samples = self.minute_samples.take_before(before);
        if samples.is_empty() {
            return Ok(());
        }
        self.context.store.record_viewers(&samples).await.inspect_err(|error| {
            tracing::warn!(minutes = samples.len(), error = %error, "viewers per minute could not be written yet");
            for (stream, minute, viewers) in &samples {
                self.minute_samples.record_viewers(*stream, *minute, *viewers);
            }
        })?;
        Ok(())
    }
}

/// Samples the viewers of live streams, and writes the minutes that are over; at shutdown also the present one.
pub struct MinuteSampleJob(pub Arc<Streams>);

impl BackgroundJob for MinuteSampleJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("minute_samples", SAMPLE_INTERVAL, Duration::from_secs(10)).with_run_at_stop()
    }

    async fn run(&mut self, is_last: bool) -> Result<NextRun> {
        let streams = &self.0;
        streams.take_minute_sample();
        let before = if is_last { Millis::MAX } else { minute_of(streams.context.now()) };
        streams.flush_minute_samples(before).await?;
        Ok(NextRun::AfterInterval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minute_keeps_its_peak_and_is_returned_once_it_is_over() {
        let (minutes, stream) = (MinuteSamples::default(), StreamId::new());
        for (at, viewers) in [(60_000, 3), (90_000, 9), (119_999, 4), (120_000, 5)] {
            minutes.record_viewers(stream, at, viewers);
        }
        assert_eq!(minutes.take_before(60_000), []);
        assert_eq!(minutes.take_before(120_000), [(stream, 60_000, 9)]);
        assert_eq!(minutes.take_before(120_000), []);
        assert_eq!(minutes.unwritten_of(stream), [(120_000, 5)]);
    }

    #[test]
    fn unwritten_samples_are_bounded() {
        let minutes = MinuteSamples::default();
        (0..UNWRITTEN_SAMPLES_MAX as i64 + 5).for_each(|n| minutes.record_viewers(StreamId::new(), n, 1));
        assert_eq!(minutes.take_before(Millis::MAX).len(), UNWRITTEN_SAMPLES_MAX);
    }
}
