//! Adds orders to the sums of which reports are made. The store lets one node at a time do it; the others find nothing to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::Millis;

const INTERVAL: Duration = Duration::from_secs(2);
/// How many times the time that it took a run pauses: on SQLite, purchases wait for it.
const PAUSE_PER_WORK: u32 = 10;
/// The same while it catches up.
const PAUSE_PER_WORK_BEHIND: u32 = 4;
/// Orders that are not decided are summed when they are this old. In a flash sale all of them are young, and its purchases need the
/// database more than the reports do.
const UNDECIDED_WAIT_MS: Millis = 60_000;
/// How often the orders that are not summed are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

pub struct OrderSumJob {
    context: Arc<Context>,
    counted_at: Option<Instant>,
}

impl OrderSumJob {
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, counted_at: None }
    }
}

impl BackgroundJob for OrderSumJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("order_sums", INTERVAL, Duration::from_secs(60))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let began = Instant::now();
        let store = &self.context.store;
        let progress = store.sum_orders(UNDECIDED_WAIT_MS).await?;
        if self.counted_at.is_none_or(|at| COUNT_INTERVAL <= at.elapsed()) {
            let unsummed = store.count_unsummed_orders().await?;
            self.context.counters.orders_unsummed.store(unsummed, Ordering::Relaxed);
            self.counted_at = Some(Instant::now());
        }
        let is_catching_up = progress.has_more && !progress.is_elsewhere;
        Ok(NextRun::After(match is_catching_up {
            true => began.elapsed() * PAUSE_PER_WORK_BEHIND,
            false => INTERVAL.max(began.elapsed() * PAUSE_PER_WORK),
        }))
    }
}
