//! What a broker did and how it feels: counters that only grow and measured times, for the metrics page.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Counters since the node started. All of them stay zero on the in-process broker.
#[derive(Default, Debug)]
pub struct BrokerMetrics {
    /// Redis servers, or partitions of a cluster, that this node speaks to.
    pub shards: AtomicUsize,
    /// How many of them are heard right now.
    pub shards_up: AtomicUsize,
    /// Links that were found dead or broke; each was built anew.
    pub link_failures: AtomicU64,
    /// From the death of a link until it was ready and every stream on it was asked for again.
    pub reconnect_time: Log2Histogram,
    /// From publishing a beat to hearing it on the bus, once a second and shard: the canary.
    pub heartbeat_latency: Log2Histogram,
    /// Calls of the numbering script, and the events in them.
    pub append_calls: AtomicU64,
    pub events_published: AtomicU64,
    /// Events in a batch.
    pub batch_size: Log2Histogram,
    /// How long a batch took, all its tries together.
    pub batch_time: Log2Histogram,
    /// Batches sent again after a fault.
    pub batches_retried: AtomicU64,
    /// Batches given up: their senders were told "busy".
    pub batches_failed: AtomicU64,
    /// Batches that reached nobody although this node listens: each rebuilds the link.
    pub batches_without_receiver: AtomicU64,
    /// Batches heard from the bus.
    pub batches_received: AtomicU64,
    /// Holes seen, filled from history, and left: these became a fresh start for the room.
    pub holes: AtomicU64,
    pub holes_filled: AtomicU64,
    pub restarts: AtomicU64,
    /// Messages of the bus dropped because a queue of this node was full. Log batches among them are fetched again.
    pub messages_dropped: AtomicU64,
    /// Values and order frames published, several in one message.
    pub publications: AtomicU64,
    pub publication_messages: AtomicU64,
    /// Streams this node is subscribed to.
    pub subscriptions: AtomicUsize,
}

impl BrokerMetrics {
    /// Every server of the bus is heard. True without one.
    pub fn is_up(&self) -> bool {
        self.shards_up.load(Ordering::Relaxed) == self.shards.load(Ordering::Relaxed)
    }
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

const BUCKETS: usize = 24;

/// Powers of two: bucket `n` counts values of at most `2^n` (microseconds, or events), the last one everything above.
#[derive(Debug, Default)]
pub struct Log2Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Log2Histogram {
    pub fn record(&self, value: u64) {
        let place = (u64::BITS - value.saturating_sub(1).leading_zeros()) as usize;
        self.buckets[place.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn record_duration(&self, time: Duration) {
        self.record(time.as_micros() as u64);
    }

    /// `(at most, how many)` of each bucket, smallest first, not cumulated; the last bound is `u64::MAX`.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets.iter().enumerate().map(|(place, count)| {
            (if place + 1 == BUCKETS { u64::MAX } else { 1 << place }, count.load(Ordering::Relaxed))
        })
    }

    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    pub fn count(&self) -> u64 {
        self.buckets().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_in_the_first_bucket_that_holds_it() {
        let histogram = Log2Histogram::default();
        for value in [0, 1, 2, 3, 4, 5, 1_024, 1_025, u64::MAX / 4] {
            histogram.record(value);
        }
        let filled: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(1, 2), (2, 1), (4, 2), (8, 1), (1_024, 1), (2_048, 1), (u64::MAX, 1)]);
        assert_eq!(histogram.count(), 9);
    }
}
