//! Writes the words by which products are found. A write of a product only marks it: an import of thousands need not wait for this.

use std::sync::Arc;
use std::time::Duration;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::store::INDEXED_TOGETHER_MAX;

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
