//! Polls the versions of the streams that are open on this node, and of those whose tokens are used here: bans and revocations
//! take effect within two seconds, also while the broker is down.

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
        let mut polled: Vec<StreamId> = publisher.rooms.all().iter().map(|room| room.stream).collect();
        let elsewhere = publisher.rooms.streams_of_visitors();
        for stream in elsewhere.iter().filter(|stream| publisher.rooms.get(**stream).is_none()) {
            // Loads the stream at the first time. A token may name one that does not exist.
            if stream_cache.cached_stream(*stream).is_some() || stream_cache.find_stream(*stream).await.is_ok() {
                polled.push(*stream);
            }
        }
        for (stream, version, likes) in context.store.stream_versions(&polled).await? {
            let Some(cached) = stream_cache.cached_stream(stream) else { continue };
            if cached.version() < version {
                stream_cache.refresh_stream(stream);
            }
            if cached.update_likes(likes) {
                publisher.set_local_state(stream, StateChange::Likes(cached.likes()), false);
            }
        }
        for own in elsewhere {
            if let Some(cached) = stream_cache.cached_stream(own) {
                publisher.rooms.close_revoked_visitors(own, |user| cached.is_revoked(user));
            }
        }
        Ok(NextRun::AfterInterval)
    }
}
