//! Messages that wait for the team: put there, said or hidden.

use super::{App, Result};
use crate::domain::{
    Actor, AuditAction, AuditEntry, ChatMessage, MessageId, Permission, Refusal, Role, StreamId, audit,
};
use crate::protocol::{MessageView, SayReply};

impl App {
    pub(super) async fn queue_for_review(&self, message: ChatMessage) -> Result<SayReply> {
        let app = self.clone();
        self.spawn_write(async move {
            app.store().queue_for_review(&message).await?;
            let (id, stream) = (message.id, message.stream);
            app.notify_team_of_review(stream, &MessageView::from(message));
            Ok(SayReply { id, pending_review: true })
        })
        .await
    }

    /// What waits, oldest first: all of it for those who keep order, their own for everybody else.
    pub async fn held(&self, actor: &Actor, stream: StreamId) -> Result<Vec<MessageView>> {
        if actor.role == Role::Guest {
            return Err(Refusal::SignIn.into());
        }
        self.find_stream(stream).await?;
        let of = self.authorize(actor, Permission::Moderate, stream).await.is_err().then_some(&actor.user);
        Ok(self.store().review_queue(stream, of).await?.into_iter().map(MessageView::from).collect())
    }

    /// Says a message that waits, under its author's name.
    pub async fn approve(&self, actor: &Actor, stream: StreamId, id: MessageId, reason: Option<&str>) -> Result<()> {
        self.decide_review(actor, stream, id, AuditAction::Approve, reason).await
    }

    /// It is never said. Its author is told.
    pub async fn reject(&self, actor: &Actor, stream: StreamId, id: MessageId, reason: Option<&str>) -> Result<()> {
        self.decide_review(actor, stream, id, AuditAction::Reject, reason).await
    }

    async fn decide_review(
        &self,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        kind: AuditAction,
        reason: Option<&str>,
    ) -> Result<()> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        let reason = audit::parse_reason(reason)?;
        let deed = AuditEntry { reason, ..self.audit_entry(actor, stream, kind) };
        let app = self.clone();
        self.spawn_write(async move {
            let say = kind == AuditAction::Approve;
            let message = app.store().decide_review(stream, id, say, &deed).await?;
            if say && let Err(error) = app.publish_event(stream, &message.event()).await {
                app.store().requeue_for_review(id, deed.id.0).await?;
                return Err(error);
            }
            app.notify_team_reviewed(stream, id);
            let (user, name) = (Some(message.from.id), Some(message.from.name));
            app.notify_affected_user(AuditEntry { user, name, message: Some(id), text: Some(message.text), ..deed });
            Ok(())
        })
        .await
    }
}
