//! Broker metrics: counters that only grow, and measured times.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Counters since the node started. All of them stay zero on the in-process broker.
#[derive(Default, Debug)]
pub struct BrokerMetrics {
    /// Redis servers, or partitions of a Redis Cluster, that this node connects to.
    pub shards: AtomicUsize,
    /// How many of them are connected now.
    pub shards_up: AtomicUsize,
    /// Links that broke or timed out; each was built again.
    pub link_failures: AtomicU64,
    /// From the failure of a link until it was ready again and every stream on it was resynced.
    pub reconnect_time: Log2Histogram,
    /// From publishing a heartbeat to receiving it from the broker, once a second per shard.
    pub heartbeat_latency: Log2Histogram,
    /// Calls of the append script, and the events in them.
    pub append_calls: AtomicU64,
    pub events_published: AtomicU64,
    /// Events in a batch.
    pub batch_size: Log2Histogram,
    /// How long publishing a batch took, including its retries.
    pub batch_time: Log2Histogram,
    /// Batches that were sent again after a fault.
    pub batches_retried: AtomicU64,
    /// Batches that failed permanently: their senders received the refusal `busy`.
    pub batches_failed: AtomicU64,
    /// Batches that Redis delivered to no subscriber although this node is subscribed. Each causes a reconnect.
    pub batches_without_receiver: AtomicU64,
    /// Batches received from the broker.
    pub batches_received: AtomicU64,
    /// Holes found, holes filled from history, and holes that could not be filled: these restarted the room with a
    /// snapshot.
    pub holes: AtomicU64,
    pub holes_filled: AtomicU64,
    pub restarts: AtomicU64,
    /// Calls that read history: when a room opens, at a hole, after a new link, and for clients who were away for longer
    /// than a room's ring buffer reaches back.
    pub history_calls: AtomicU64,
    /// Batches of an epoch that had ended when they arrived. They were ignored.
    pub late_batches: AtomicU64,
    /// Messages from the broker that were dropped because a queue of this node was full. Dropped event batches are read
    /// again from history.
    pub messages_dropped: AtomicU64,
    /// State values and order frames that were published; several of them share one message.
    pub publications: AtomicU64,
    pub publication_messages: AtomicU64,
    /// Streams to which this node is subscribed.
    pub subscriptions: AtomicUsize,
}

impl BrokerMetrics {
    /// Whether every server is connected. True without a server.
    pub fn is_up(&self) -> bool {
        self.shards_up.load(Ordering::Relaxed) == self.shards.load(Ordering::Relaxed)
    }
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

const BUCKETS: usize = 24;

/// Powers of two: bucket `n` counts values of at most `2^n` (microseconds, or events); the last bucket counts
/// everything above.
#[derive(Debug, Default)]
pub struct Log2Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Log2Histogram {
    pub fn record(&self, value: u64) {
        let index = (u64::BITS - value.saturating_sub(1).leading_zeros()) as usize;
        self.buckets[index.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn record_duration(&self, time: Duration) {
        self.record(time.as_micros() as u64);
    }

    /// `(upper bound, count)` of each bucket, smallest first, not cumulative; the last bound is `u64::MAX`.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets.iter().enumerate().map(|(index, count)| {
            (if index + 1 == BUCKETS { u64::MAX } else { 1 << index }, count.load(Ordering::Relaxed))
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
    fn value_is_counted_in_the_first_bucket_that_holds_it() {
        let histogram = Log2Histogram::default();
        for value in [0, 1, 2, 3, 4, 5, 1_024, 1_025, u64::MAX / 4] {
            histogram.record(value);
        }
        let filled: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(1, 2), (2, 1), (4, 2), (8, 1), (1_024, 1), (2_048, 1), (u64::MAX, 1)]);
        assert_eq!(histogram.count(), 9);
    }
}
