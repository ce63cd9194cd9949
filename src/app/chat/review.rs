//! The review queue: chat messages that wait until the team approves or rejects them.

use std::sync::Arc;

use super::Chat;
use crate::app::error::Result;
use crate::domain::{
    Actor, AuditAction, AuditEntry, AuditEntryId, ChatMessage, MessageId, Permission, StreamId, audit,
};
use crate::protocol::{MessageView, SayReply, server};

impl Chat {
    pub async fn queue_for_review(self: &Arc<Self>, message: ChatMessage) -> Result<SayReply> {
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.queue_for_review(&message).await?;
                let (id, stream) = (message.id, message.stream);
                this.notify_team_of_review(stream, &MessageView::from(message));
                Ok(SayReply { id, pending_review: true })
            })
            .await
    }

    /// Messages that wait for review, oldest first: moderators see all of them, other users see their own.
    pub async fn review_queue(&self, actor: &Actor, stream: StreamId) -> Result<Vec<MessageView>> {
        self.stream_cache.authorize(actor, Permission::UseOwnData, stream).await?;
        let sees_all = self.stream_cache.allows(actor, Permission::Moderate, stream).await?;
        let of = (!sees_all).then_some(&actor.user);
        Ok(self.context.store.review_queue(stream, of).await?.into_iter().map(MessageView::from).collect())
    }

    /// Publishes a message from the review queue under its author's name.
    pub async fn approve(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        reason: Option<&str>,
    ) -> Result<()> {
        self.decide_review(actor, stream, id, AuditAction::Approve, reason).await
    }

    /// Rejects a message: it is never published. Its author is notified.
    pub async fn reject(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        reason: Option<&str>,
    ) -> Result<()> {
        self.decide_review(actor, stream, id, AuditAction::Reject, reason).await
    }

    async fn decide_review(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        kind: AuditAction,
        reason: Option<&str>,
    ) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let reason = audit::parse_reason(reason)?;
        let entry = AuditEntry { reason, ..self.audit.audit_entry(actor, stream, kind) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let say = kind == AuditAction::Approve;
                let message = this.context.store.decide_review(stream, id, say, &entry).await?;
                if say && let Err(error) = this.publisher.publish_event(stream, &message.event()).await {
                    let again = AuditEntry { id: AuditEntryId::new(), kind: AuditAction::Requeue, ..entry };
                    this.context.store.requeue_for_review(id, &again).await?;
                    return Err(error);
                }
                this.notify_team_reviewed(stream, id);
                let (user, name) = (Some(message.from.id), Some(message.from.name));
                this.audit.notify_affected_user(AuditEntry {
                    user,
                    name,
                    message: Some(id),
                    text: Some(message.text),
                    ..entry
                });
                Ok(())
            })
            .await
    }

    fn notify_team_of_review(&self, stream: StreamId, message: &MessageView) {
        self.publisher.send_to_moderators(stream, server::review(message));
    }

    /// Tells the team that a message needs no review anymore.
    pub fn notify_team_reviewed(&self, stream: StreamId, id: MessageId) {
        self.publisher.send_to_moderators(stream, server::reviewed(id));
    }
}
