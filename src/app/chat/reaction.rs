//! Reactions: summed in memory, shown as one number, written to the store in the background.

use std::sync::Arc;
use std::time::Duration;

use super::Chat;
use crate::app::error::{Error, Result};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::reaction::ReactionKind;
use crate::domain::{Actor, Permission, StreamId, reaction};
use crate::protocol::StateChange;

impl Chat {
    /// Counts reactions: each is a like, and viewers learn how many of each emoji came in.
    pub async fn react(&self, actor: &Actor, stream: StreamId, kind: ReactionKind, count: i64) -> Result<()> {
        let cached = self.stream_cache.authorize(actor, Permission::React, stream).await?;
        let count = reaction::validate_count(count)?;
        let (likes, counts) = cached.add_reactions(actor, kind, count, self.context.now())?;
        // Other nodes get the sum when it is written together with everyone else's, within a second.
        self.publisher.set_local_state(stream, StateChange::Likes(likes), false);
        if kind != ReactionKind::Heart {
            let node = self.reaction_node;
            self.publisher.set_local_state(stream, StateChange::Reactions { node, counts }, false);
        }
        Ok(())
    }

    /// Writes the likes that were added since the last time. Likes that could not be written are kept for the next run.
    pub async fn flush_likes(&self) -> Result<()> {
        let mut result = Ok(());
        for (id, cached) in self.stream_cache.streams_with_unsaved_likes() {
            let likes = cached.take_unsaved_likes();
            if likes == 0 {
                continue;
            }
            match self.context.store.add_likes(id, likes).await {
                Ok(sum) => {
                    cached.update_likes(sum);
                    let shown = sum + cached.simulated_likes();
                    self.publisher.publish_state(id, &StateChange::Likes(shown), false);
                    if let Some(counts) = cached.take_unpublished_reactions() {
                        let node = self.reaction_node;
                        self.publisher.publish_state(id, &StateChange::Reactions { node, counts }, false);
                    }
                }
                Err(error) => {
                    tracing::warn!(stream.id = %id, likes, error = %error, "likes could not be written yet");
                    cached.restore_unsaved_likes(likes);
                    result = Err(Error::Unavailable);
                }
            }
        }
        result
    }
}

/// Writes likes to the store, once more at shutdown.
pub struct LikesJob(pub Arc<Chat>);

impl BackgroundJob for LikesJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("likes", Duration::from_secs(1), Duration::from_secs(10)).with_run_at_stop()
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.flush_likes().await.map(|()| NextRun::AfterInterval)
    }
}
