//! Buyers in a closed loop, each waiting for a reply before the next purchase, or in an open loop at a fixed rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::contender::{CheckoutBackend, Contender};

/// The result of one implementation in one round.
#[derive(Debug)]
pub struct LoadResult {
    sold: u64,
    took: Duration,
    /// Microseconds from the purchase (in an open loop: from when it was due) to the reply.
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

/// `buyers` concurrent buyers for this long; every purchase has a new buyer.
pub async fn closed_loop(contender: &Contender, buyers: usize, length: Duration) -> anyhow::Result<LoadResult> {
    let (start, next) = (Instant::now(), contender.buyer_numbers.clone());
    let mut buyer_tasks = JoinSet::new();
    for _ in 0..buyers {
        let (backend, next) = (contender.backend(), next.clone());
        buyer_tasks.spawn(async move {
            let buy = |number| {
                let backend = backend.clone();
                async move { backend.buy(number).await }
            };
            buy_until(start + length, &next, buy).await
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = buyer_tasks.join_next().await {
        all.append(&mut latencies??);
    }
    LoadResult::of(all, start.elapsed())
}

/// The same for any kind of purchase.
pub async fn closed_loop_of(
    next: &AtomicU64,
    buyers: usize,
    length: Duration,
    purchase: impl AsyncFn(u64) -> anyhow::Result<()>,
) -> anyhow::Result<LoadResult> {
    let start = Instant::now();
    let purchase = &purchase;
    let each = (0..buyers).map(|_| buy_until(start + length, next, move |number| purchase(number)));
    let all = futures_util::future::try_join_all(each).await?;
    LoadResult::of(all.into_iter().flatten(), start.elapsed())
}

/// One purchase after the other. Gives how long each took, in microseconds.
async fn buy_until<F: Future<Output = anyhow::Result<()>>>(
    end: Instant,
    next: &AtomicU64,
    purchase: impl Fn(u64) -> F,
) -> anyhow::Result<Vec<u64>> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let sent_at = Instant::now();
        purchase(next_number(next)).await?;
        latencies.push(sent_at.elapsed().as_micros() as u64);
    }
    Ok(latencies)
}

/// Purchases at `rate` per second, whatever the replies do. Latency counts from the moment each was due.
pub async fn open_loop(contender: &Contender, rate: u64, length: Duration) -> anyhow::Result<LoadResult> {
    const TICK: Duration = Duration::from_millis(1);
    let (start, next) = (Instant::now(), contender.buyer_numbers.clone());
    let total = (rate as f64 * length.as_secs_f64()) as u64;
    let (mut started, mut buyer_tasks) = (0, JoinSet::new());
    while started < total {
        let due = ((start.elapsed().as_secs_f64() * rate as f64) as u64).min(total);
        while started < due {
            let intended = start + Duration::from_secs_f64(started as f64 / rate as f64);
            let (backend, number): (Arc<CheckoutBackend>, u64) = (contender.backend(), next_number(&next));
            buyer_tasks.spawn(async move {
                backend.buy(number).await?;
                anyhow::Ok(intended.elapsed().as_micros() as u64)
            });
            started += 1;
        }
        tokio::time::sleep(TICK).await;
    }
    let mut all = Vec::with_capacity(total as usize);
    while let Some(latency) = buyer_tasks.join_next().await {
        all.push(latency??);
    }
    ensure!(all.len() as u64 == total, "{} of {total} got a reply", all.len());
    LoadResult::of(all, start.elapsed())
}

fn next_number(next: &AtomicU64) -> u64 {
    next.fetch_add(1, Ordering::Relaxed)
}
