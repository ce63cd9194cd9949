//! Buyers: closed loop, each waiting for an answer before the next; or open loop, at their own rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::contender::{CheckoutBackend, Contender};

/// What one contender did in one round.
#[derive(Debug)]
pub struct LoadResult {
    sold: u64,
    took: Duration,
    /// Microseconds from the press (open loop: from when it should have come) to the answer.
    latency: Histogram<u64>,
}

impl LoadResult {
    pub fn per_second(&self) -> f64 {
        self.sold as f64 / self.took.as_secs_f64()
    }

    pub fn p50_ms(&self) -> f64 {
        self.latency.value_at_quantile(0.5) as f64 / 1e3
    }

    pub fn p99_ms(&self) -> f64 {
        self.latency.value_at_quantile(0.99) as f64 / 1e3
    }

    fn of(latencies: impl IntoIterator<Item = u64>, took: Duration) -> anyhow::Result<Self> {
        let mut latency = Histogram::new(3)?;
        for one in latencies {
            latency.record(one)?;
        }
        Ok(Self { sold: latency.len(), took, latency })
    }
}

/// `buyers` at once, for a while; each is somebody new every time.
pub async fn closed_loop(contender: &Contender, buyers: usize, length: Duration) -> anyhow::Result<LoadResult> {
    let (begun, next) = (Instant::now(), contender.buyer_numbers.clone());
    let mut crowd = JoinSet::new();
    for _ in 0..buyers {
        let (till, next) = (contender.backend(), next.clone());
        crowd.spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < length {
                let pressed = Instant::now();
                till.buy(next_number(&next)).await?;
                latencies.push(pressed.elapsed().as_micros() as u64);
            }
            anyhow::Ok(latencies)
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = crowd.join_next().await {
        all.append(&mut latencies??);
    }
    LoadResult::of(all, begun.elapsed())
}

/// Buyers who come at `rate` whatever the answers do. Latency counts from the moment each should have come.
pub async fn open_loop(contender: &Contender, rate: u64, length: Duration) -> anyhow::Result<LoadResult> {
    const TICK: Duration = Duration::from_millis(1);
    let (begun, next) = (Instant::now(), contender.buyer_numbers.clone());
    let total = (rate as f64 * length.as_secs_f64()) as u64;
    let (mut come, mut crowd) = (0, JoinSet::new());
    while come < total {
        let due = ((begun.elapsed().as_secs_f64() * rate as f64) as u64).min(total);
        while come < due {
            let intended = begun + Duration::from_secs_f64(come as f64 / rate as f64);
            let (till, number): (Arc<CheckoutBackend>, u64) = (contender.backend(), next_number(&next));
            crowd.spawn(async move {
                till.buy(number).await?;
                anyhow::Ok(intended.elapsed().as_micros() as u64)
            });
            come += 1;
        }
        tokio::time::sleep(TICK).await;
    }
    let mut all = Vec::with_capacity(total as usize);
    while let Some(latency) = crowd.join_next().await {
        all.push(latency??);
    }
    ensure!(all.len() as u64 == total, "{} of {total} were answered", all.len());
    LoadResult::of(all, begun.elapsed())
}

fn next_number(next: &AtomicU64) -> u64 {
    next.fetch_add(1, Ordering::Relaxed)
}
