//! Erases delivery addresses that nobody needs any more: of orders that ended or were sent long ago, at once of users who asked
//! for it, and saved ones that were not used for years.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::Millis;

const INTERVAL: Duration = Duration::from_secs(600);
/// Pause between two batches, so that purchases are not delayed.
const BATCH_PAUSE: Duration = Duration::from_millis(50);
/// How long a saved address is kept that nobody saved again: after two years it is most likely wrong.
const SAVED_MAX_MS: Millis = 2 * 365 * 86_400_000;

pub struct AddressRetentionJob(pub Arc<Context>);

impl BackgroundJob for AddressRetentionJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("address_retention", INTERVAL, Duration::from_secs(300))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        // Without a retention time only those go whose users asked for it.
        let before = self.0.address_kept_ms().map_or(0, |kept_ms| self.0.now() - kept_ms);
        erase_old_addresses(&self.0, before).await?;
        delete_unused_addresses(&self.0).await?;
        Ok(NextRun::AfterInterval)
    }
}

async fn erase_old_addresses(context: &Context, before: Millis) -> Result<()> {
    let mut erased = 0;
    loop {
        let batch = context.store.erase_addresses_before(before).await?;
        context.counters.addresses_erased.fetch_add(batch, Ordering::Relaxed);
        erased += batch;
        if batch == 0 || context.stop.is_cancelled() {
            break;
        }
        tokio::time::sleep(BATCH_PAUSE).await;
    }
    if erased > 0 {
        tracing::info!(addresses = erased, "addresses that are no longer needed were erased");
    }
    Ok(())
}

async fn delete_unused_addresses(context: &Context) -> Result<()> {
    let before = context.now() - SAVED_MAX_MS;
    while context.store.delete_saved_addresses_before(before).await? > 0 && !context.stop.is_cancelled() {
        tokio::time::sleep(BATCH_PAUSE).await;
    }
    Ok(())
}
