//! Deletes sessions that have expired and codes that nobody counts any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::email_code::EMAIL_CODE_WINDOW_MS;

const INTERVAL: Duration = Duration::from_secs(600);
const BATCH_MAX: i64 = 500;
/// Pause between two batches, so that purchases are not delayed.
const BATCH_PAUSE: Duration = Duration::from_millis(50);

pub struct SignInCleanupJob(pub Arc<Context>);

impl BackgroundJob for SignInCleanupJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("sign_in_cleanup", INTERVAL, Duration::from_secs(300))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let context = &self.0;
        let deleted = context.store.delete_expired_sign_ins(context.now() - EMAIL_CODE_WINDOW_MS, BATCH_MAX).await?;
        context.counters.sign_ins_expired.fetch_add(deleted, Ordering::Relaxed);
        let unbound = context.store.delete_erased_mailboxes(BATCH_MAX).await?;
        let deleted = deleted.max(unbound);
        let is_full = BATCH_MAX.unsigned_abs() <= deleted;
        Ok(if is_full { NextRun::After(BATCH_PAUSE) } else { NextRun::AfterInterval })
    }
}
