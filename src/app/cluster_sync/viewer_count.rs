//! The number of viewers of a stream on all nodes (presence).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::ClusterSync;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::StreamId;
use crate::room::Room;

/// Publishes this node's viewer count of each stream and shows the sum; withdraws the counts at shutdown.
pub struct ViewerCountJob {
    cluster_sync: Arc<ClusterSync>,
    /// The streams whose count of this node the others know.
    published: HashSet<StreamId>,
}

impl ViewerCountJob {
    pub fn new(cluster_sync: Arc<ClusterSync>) -> Self {
        Self { cluster_sync, published: HashSet::new() }
    }
}

impl BackgroundJob for ViewerCountJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("viewer_count", Duration::from_secs(2), Duration::from_secs(10)).with_run_at_stop()
    }

    async fn run(&mut self, is_last: bool) -> Result<NextRun> {
        let publisher = &self.cluster_sync.publisher;
        let count = |room: &Arc<Room>| (room.stream, if is_last { 0 } else { room.viewers() as u64 });
        let mut counts: Vec<(StreamId, u64)> = publisher.rooms.all().iter().map(count).collect();
        let open: HashSet<StreamId> = counts.iter().map(|(stream, _)| *stream).collect();
        // A room that was closed since then: withdraw its count too.
        counts.extend(self.published.difference(&open).map(|stream| (*stream, 0)));
        self.published = open;
        for (stream, remote_viewers) in publisher.broker.sync_presence(counts).await {
            if let Some(room) = publisher.rooms.get(stream) {
                room.set_remote_viewers(remote_viewers);
            }
        }
        Ok(NextRun::AfterInterval)
    }
}
