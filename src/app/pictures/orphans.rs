//! Deletes pictures that nothing has named for a day: uploads that were given up, and pictures of products that have others now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::{Pictures, storage_fault};
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{Millis, PictureSize};
use crate::metrics::increment;

const INTERVAL: Duration = Duration::from_secs(600);
/// How long a picture stays that nothing names.
pub const UNNAMED_KEPT_MS: Millis = 24 * 3_600 * 1_000;
/// A picture is looked at again after this time.
pub const LOOK_AGAIN_MS: Millis = 6 * 3_600 * 1_000;
/// Pictures that one run looks at, so that no run takes long.
const LOOKED_AT_MAX: i64 = 200;
/// How long the files of one picture may take to be deleted.
const DELETE_DEADLINE: Duration = Duration::from_secs(60);
/// After this time a run begins no other picture: with the deadline it ends long before another node may take its pictures over.
const DELETED_WITHIN: Duration = Duration::from_secs(600);

pub struct OrphanPictureJob(pub Arc<Pictures>);

impl BackgroundJob for OrphanPictureJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("orphan_pictures", INTERVAL, Duration::from_secs(120))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.delete_orphans().await?;
        Ok(NextRun::AfterInterval)
    }
}

impl Pictures {
    /// One round: looks at the pictures that were not looked at for longest, and deletes those whose time is over.
    pub async fn delete_orphans(&self) -> Result<()> {
        let Some(storage) = &self.storage else { return Ok(()) };
        let store = &self.context.store;
        let now = store.now().await?;
        let condemned =
            store.look_for_orphan_pictures(now, now - LOOK_AGAIN_MS, now - UNNAMED_KEPT_MS, LOOKED_AT_MAX).await?;
        let began = Instant::now();
        for hash in condemned {
            // What is left belongs to another node after its time, and is deleted by a later run of any node.
            if self.context.stop.is_cancelled() || DELETED_WITHIN < began.elapsed() {
                break;
            }
            // The files first: a picture whose files could not be deleted is deleted by a later run.
            let deleted = timeout(DELETE_DEADLINE, storage.delete(hash)).await;
            deleted
                .map_err(|_| storage_fault("the files were not deleted in time".to_owned()))?
                .map_err(storage_fault)?;
            PictureSize::ALL.iter().for_each(|size| drop(self.files.remove(&(hash, *size))));
            store.forget_picture(hash, now).await?;
            increment(&self.context.counters.pictures_deleted);
        }
        Ok(())
    }
}
