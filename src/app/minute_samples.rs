//! How many watched, minute by minute; and how fast what is told reaches them.
//!
//! Each node looks at its rooms every few seconds and writes the most it saw of a minute once that is over. All nodes know the
//! same sum, so whoever writes last changes nothing; a node that dies loses a minute at most.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use super::{App, Result};
use crate::domain::report::minute_of;
use crate::domain::{Millis, StreamId, StreamStatus};
use crate::metrics::DurationHistogram;

const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);
/// Minutes that wait for a database that is away; past it the oldest are lost.
const UNWRITTEN_SAMPLES_MAX: usize = 20_000;
/// Looks in the last minute.
const DELIVERY_SAMPLES_MAX: usize = 12;

#[derive(Debug, Default)]
pub struct MinuteSamples {
    peak_viewers: Mutex<HashMap<(StreamId, Millis), i64>>,
    /// How deliveries were spread at each of the last looks, oldest first.
    delivery_histograms: Mutex<VecDeque<Vec<u64>>>,
}

impl MinuteSamples {
    fn record_viewers(&self, stream: StreamId, at: Millis, viewers: i64) {
        let mut seen = self.peak_viewers.lock().unwrap_or_else(|poison| poison.into_inner());
        let place = (stream, minute_of(at));
        if seen.len() >= UNWRITTEN_SAMPLES_MAX && !seen.contains_key(&place) {
            return;
        }
        let most = seen.entry(place).or_default();
        *most = viewers.max(*most);
    }

    /// The minutes before `now`'s, or all; they are the caller's to write.
    fn take_before(&self, before: Millis) -> Vec<(StreamId, Millis, i64)> {
        let mut seen = self.peak_viewers.lock().unwrap_or_else(|poison| poison.into_inner());
        seen.extract_if(|(_, minute), _| *minute < before)
            .map(|((stream, minute), viewers)| (stream, minute, viewers))
            .collect()
    }

    /// What is not written yet of a show.
    fn unwritten_of(&self, stream: StreamId) -> Vec<(Millis, i64)> {
        let seen = self.peak_viewers.lock().unwrap_or_else(|poison| poison.into_inner());
        seen.iter().filter(|((of, _), _)| *of == stream).map(|((_, minute), viewers)| (*minute, *viewers)).collect()
    }

    fn record_delivery_histogram(&self, spread: Vec<u64>) {
        let mut looks = self.delivery_histograms.lock().unwrap_or_else(|poison| poison.into_inner());
        looks.push_back(spread);
        if looks.len() > DELIVERY_SAMPLES_MAX {
            looks.pop_front();
        }
    }

    fn oldest_delivery_histogram(&self) -> Option<Vec<u64>> {
        self.delivery_histograms.lock().unwrap_or_else(|poison| poison.into_inner()).front().cloned()
    }
}

impl App {
    /// Who watched a show by minute, also what is not written yet.
    pub(super) async fn viewers_by_minute(&self, stream: StreamId) -> Result<Vec<(Millis, i64)>> {
        let mut minutes = self.store().viewers_by_minute(stream).await?;
        minutes.extend(self.0.minute_samples.unwritten_of(stream));
        Ok(minutes)
    }

    /// In so many milliseconds, or fewer, 99 of 100 frames of the last minute were with all viewers of their room on this node.
    pub(super) fn delivery_p99_ms(&self) -> Option<u64> {
        let before = self.0.minute_samples.oldest_delivery_histogram();
        DurationHistogram::p99_ms(
            before.as_deref().unwrap_or(&[]),
            &self.rooms().counters.delivery_times.bucket_counts(),
        )
    }

    fn take_minute_sample(&self) {
        let now = self.now();
        for room in self.rooms().all() {
            let live = self.cached_stream(room.stream).is_some_and(|show| show.stream().status == StreamStatus::Live);
            if live {
                self.0.minute_samples.record_viewers(room.stream, now, room.viewers_shown() as i64);
            }
        }
        self.0.minute_samples.record_delivery_histogram(self.rooms().counters.delivery_times.bucket_counts());
    }

    /// Writes what was seen before this time.
    pub(super) async fn flush_minute_samples(&self, before: Millis) {
        let over = self.0.minute_samples.take_before(before);
        if over.is_empty() {
            return;
        }
        if let Err(error) = self.store().record_viewers(&over).await {
            tracing::warn!(minutes = over.len(), error = %error, "viewers by minute are not written yet");
            over.into_iter()
                .for_each(|(stream, minute, viewers)| self.0.minute_samples.record_viewers(stream, minute, viewers));
        }
    }
}

pub async fn run_minute_samples(app: App) {
    loop {
        let last = app.0.stop.is_cancelled();
        app.take_minute_sample();
        app.flush_minute_samples(if last { Millis::MAX } else { minute_of(app.now()) }).await;
        if last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(SAMPLE_INTERVAL) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_keeps_the_most_and_is_given_once_it_is_over() {
        let (minutes, show) = (MinuteSamples::default(), StreamId::new());
        for (at, viewers) in [(60_000, 3), (90_000, 9), (119_999, 4), (120_000, 5)] {
            minutes.record_viewers(show, at, viewers);
        }
        assert_eq!(minutes.take_before(60_000), []);
        assert_eq!(minutes.take_before(120_000), [(show, 60_000, 9)]);
        assert_eq!(minutes.take_before(120_000), []);
        assert_eq!(minutes.unwritten_of(show), [(120_000, 5)]);
    }

    #[test]
    fn a_database_that_is_away_for_long_costs_no_memory_without_end() {
        let minutes = MinuteSamples::default();
        (0..UNWRITTEN_SAMPLES_MAX as i64 + 5).for_each(|n| minutes.record_viewers(StreamId::new(), n, 1));
        assert_eq!(minutes.take_before(Millis::MAX).len(), UNWRITTEN_SAMPLES_MAX);
    }
}
