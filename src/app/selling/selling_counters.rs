//! Counters of selling on this node.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::{DurationHistogram, SizeHistogram};

/// Counters of selling on this node since it started.
#[derive(Debug, Default)]
pub struct SellingCounters {
    /// Transactions, including failed attempts.
    pub batches: AtomicU64,
    /// Purchase requests in them.
    pub requests: AtomicU64,
    /// Batches retried after a transient fault.
    pub retried_batches: AtomicU64,
    /// Batches split to find a bad row: should be 0.
    pub split_batches: AtomicU64,
    /// Requests that wait for an answer now.
    pub waiting_requests: AtomicU64,
    /// Requests of each batch, and how long one attempt took.
    pub batch_sizes: SizeHistogram,
    pub batch_duration: DurationHistogram,
}

pub fn add_count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
