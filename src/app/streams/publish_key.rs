//! The keys with which encoders publish the video of a show: who may make, replace and revoke them, and whether one is still valid.

use std::sync::Arc;

use super::Streams;
use crate::app::error::Result;
use crate::domain::publish_key::{KEY_USE_STEP_MS, PublishKeyChange, PublishKeys};
use crate::domain::{Actor, AuditAction, Refusal, StreamId, StreamStatus};

impl Streams {
    /// What is known of the publish keys of a show.
    pub async fn publish_keys(&self, actor: &Actor, id: StreamId) -> Result<PublishKeys> {
        self.authorize_change(actor, id).await?;
        Ok(self.context.store.publish_keys(id).await?)
    }

    /// Makes, replaces or revokes the publish keys of a show, with an entry in the audit log. Gives the generation in which a key is
    /// good from now on, on every node. No key is made for a show that has ended.
    pub async fn change_publish_keys(
        self: &Arc<Self>,
        actor: &Actor,
        id: StreamId,
        change: PublishKeyChange,
    ) -> Result<i64> {
        self.authorize_change(actor, id).await?;
        if change != PublishKeyChange::Revoke && self.stream(id).await?.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded.into());
        }
        let kind = match change {
            PublishKeyChange::Add => AuditAction::CreatePublishKey,
            PublishKeyChange::Replace => AuditAction::RotatePublishKey,
            PublishKeyChange::Revoke => AuditAction::EndPublishKeys,
        };
        let entry = self.stream_entry(actor, id, kind);
        let this = self.clone();
        self.context
            .spawn_write(async move { Ok(this.context.store.change_publish_keys(id, change, &entry).await?) })
            .await
    }

    /// Whether an encoder with a key of this generation may publish: the key was not revoked, and the show has not ended. The use is
    /// recorded.
    pub async fn admit_publisher(self: &Arc<Self>, id: StreamId, generation: i64) -> Result<bool> {
        let keys = self.context.store.publish_keys(id).await?;
        if keys.generation != generation || self.stream(id).await?.status == StreamStatus::Ended {
            return Ok(false);
        }
        if keys.used_at.is_none_or(|at| at + KEY_USE_STEP_MS <= self.context.now()) {
            let this = self.clone();
            // The encoder does not wait for the note.
            self.context.spawn(async move {
                if let Err(error) = this.context.store.touch_publish_keys(id, generation).await {
                    tracing::warn!(stream.id = %id, error = %error, "the use of a publish key was not recorded");
                }
            });
        }
        Ok(true)
    }
}
