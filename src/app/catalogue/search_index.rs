//! Writes the words by which products are found. A write of a product only marks it: an import of thousands need not wait for this.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::store::INDEXED_TOGETHER_MAX;

/// Words that no product has any more only make mistyped words find too much, so this job runs rarely.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3_600);
const INTERVAL: Duration = Duration::from_secs(2);
/// Between two steps while there is more: on SQLite, purchases wait for a step.
const PAUSE: Duration = Duration::from_millis(50);

pub struct SearchIndexJob(pub Arc<Context>);

impl BackgroundJob for SearchIndexJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("search_index", INTERVAL, Duration::from_secs(30))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let indexed = self.0.store.index_products().await?;
        Ok(if indexed < INDEXED_TOGETHER_MAX { NextRun::AfterInterval } else { NextRun::After(PAUSE) })
    }
}

/// Deletes words that no product has any more: a search for one would find nothing, and would not look for words that are like it.
pub struct SearchCleanupJob {
    context: Arc<Context>,
    /// The last word that was looked at.
    reached: String,
}

impl SearchCleanupJob {
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, reached: String::new() }
    }
}

impl BackgroundJob for SearchCleanupJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("search_cleanup", CLEANUP_INTERVAL, Duration::from_secs(30))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let (reached, deleted) = self.context.store.prune_search_words(&self.reached).await?;
        self.context.counters.search_words_deleted.fetch_add(deleted, Ordering::Relaxed);
        let next = if reached.is_some() { NextRun::After(PAUSE) } else { NextRun::AfterInterval };
        self.reached = reached.unwrap_or_default();
        Ok(next)
    }
}
