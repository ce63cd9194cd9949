//! The chat rules of a stream: slow mode, links, who may write, the blocklist, the notice and the pinned message.

use std::sync::Arc;

use super::Chat;
use crate::app::error::Result;
use crate::app::state_changes::{chat_rules_change, chat_rules_view};
use crate::domain::{
    Actor, AuditAction, AuditEntry, Author, BlockedWord, Blocklist, ChatRulesForm, ChatText, Event, LiveStream,
    MessageId, Permission, Refusal, StreamId, UserId, chat,
};
use crate::protocol::ChatRulesView;

impl Chat {
    /// Changes the rules that are given; the others stay.
    pub async fn set_chat_rules(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        form: ChatRulesForm,
    ) -> Result<ChatRulesView> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        form.slow_s.map(chat::slow_ms).transpose()?;
        if form == ChatRulesForm::default() {
            return Err(Refusal::invalid_value("slow_s", "or another rule is required.").into());
        }
        let entry =
            AuditEntry { detail: Some(form.describe()), ..self.audit.audit_entry(actor, stream, AuditAction::Rules) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                Ok(this.publish_chat_rules(&this.context.store.set_rules(stream, &form, &entry).await?))
            })
            .await
    }

    /// The blocklist. Only moderators may see it.
    pub async fn blocklist(&self, actor: &Actor, stream: StreamId) -> Result<Vec<BlockedWord>> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        Ok(self.context.store.blocklist(stream).await?.words().to_vec())
    }

    /// Replaces the blocklist.
    pub async fn set_blocklist(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        words: Vec<BlockedWord>,
    ) -> Result<Vec<BlockedWord>> {
        let cached = self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let blocklist = Blocklist::parse(words)?;
        let detail = Some(format!("{} words", blocklist.words().len()));
        let entry = AuditEntry { detail, ..self.audit.audit_entry(actor, stream, AuditAction::Blocklist) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.set_blocklist(stream, &blocklist, &entry).await?;
                this.stream_cache.reload_stream(stream, &cached).await?;
                // Other nodes reload the blocklist because the version of the rules rose.
                this.publish_chat_rules(&cached.stream());
                Ok(blocklist.words().to_vec())
            })
            .await
    }

    /// Shows a notice until the next one replaces it; an empty text removes it.
    pub async fn set_notice(self: &Arc<Self>, actor: &Actor, stream: StreamId, text: &str) -> Result<ChatRulesView> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let text = if text.trim().is_empty() { None } else { Some(ChatText::parse(text)?.into_string()) };
        let (this, from) = (self.clone(), Author::from(actor));
        let entry = AuditEntry { detail: text.clone(), ..self.audit.audit_entry(actor, stream, AuditAction::Announce) };
        self.context
            .spawn_write(async move {
                let changed = this.context.store.set_notice(stream, text.as_deref(), &entry).await?;
                if let Some(text) = text {
                    this.publisher.publish_committed_event(stream, &Event::Announced { text, from }).await;
                }
                Ok(this.publish_chat_rules(&changed))
            })
            .await
    }

    /// Pins a message above the chat until another message replaces it.
    pub async fn pin_message(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
    ) -> Result<ChatRulesView> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let message = self.visible_message(stream, id).await?;
        let (user, name) = (Some(message.from.id.clone()), Some(message.from.name.clone()));
        let entry = AuditEntry {
            user,
            name,
            message: Some(id),
            ..self.audit.audit_entry(actor, stream, AuditAction::PinMessage)
        };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                Ok(this.publish_chat_rules(&this.context.store.pin_message(&message, &entry).await?))
            })
            .await
    }

    pub async fn unpin_message(self: &Arc<Self>, actor: &Actor, stream: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let entry = self.audit.audit_entry(actor, stream, AuditAction::UnpinMessage);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                if let Some(changed) = this.context.store.unpin_message(stream, &entry).await? {
                    this.publish_chat_rules(&changed);
                }
                Ok(())
            })
            .await
    }

    /// Unpins a message that was deleted, or whose author was muted or banned.
    pub async fn unpin_deleted_message(&self, stream: StreamId, message: Option<MessageId>, user: Option<&UserId>) {
        match self.context.store.unpin_removed_message(stream, message, user).await {
            Ok(Some(changed)) => drop(self.publish_chat_rules(&changed)),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(stream.id = %stream, error = %error, "a deleted message is still pinned");
            }
        }
    }

    pub fn publish_chat_rules(&self, stream: &LiveStream) -> ChatRulesView {
        self.stream_cache.update_stream(stream);
        let view = chat_rules_view(stream, self.context.epoch());
        self.publisher.publish_state(stream.id, &chat_rules_change(&view), false);
        view
    }
}
