//! Polls the versions of the streams that are open on this node.

use std::sync::Arc;
use std::time::Duration;

use super::ClusterSync;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::StreamId;
use crate::protocol::StateChange;

/// Detects, within a second, changes of open streams that no event announced.
pub struct StreamPollJob(pub Arc<ClusterSync>);

impl BackgroundJob for StreamPollJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("stream_poll", Duration::from_secs(1), Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let ClusterSync { context, publisher, stream_cache, .. } = &*self.0;
        let open: Vec<StreamId> = publisher.rooms.all().iter().map(|room| room.stream).collect();
        for (stream, version, likes) in context.store.stream_versions(&open).await? {
            let Some(cached) = stream_cache.cached_stream(stream) else { continue };
            if cached.version() < version {
                stream_cache.refresh_stream(stream);
            }
            if cached.update_likes(likes) {
                publisher.set_local_state(stream, StateChange::Likes(cached.likes()), false);
            }
        }
        Ok(NextRun::AfterInterval)
    }
}
