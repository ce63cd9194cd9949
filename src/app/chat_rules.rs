//! The rules of a show's talk: slow mode, links, who may speak, muted words, the notice and the pinned comment.

use super::{App, Result};
use crate::domain::{
    Actor, AuditAction, AuditEntry, Author, BlockedWord, Blocklist, ChatRulesForm, ChatText, Event, LiveStream,
    MessageId, Permission, Refusal, StreamId, UserId, chat,
};
use crate::protocol::{ChatRulesView, StateChange, json_bytes};

impl App {
    /// Changes the rules that are given.
    pub async fn set_chat_rules(&self, actor: &Actor, stream: StreamId, form: ChatRulesForm) -> Result<ChatRulesView> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        form.slow_s.map(chat::slow_ms).transpose()?;
        if form == ChatRulesForm::default() {
            return Err(Refusal::bad_request("no rule is given").into());
        }
        let deed = AuditEntry { detail: Some(form.describe()), ..self.audit_entry(actor, stream, AuditAction::Rules) };
        let app = self.clone();
        self.spawn_write(async move { Ok(app.publish_chat_rules(&app.store().set_rules(stream, &form, &deed).await?)) })
            .await
    }

    /// The muted words: never shown to anybody but those who keep order.
    pub async fn blocklist(&self, actor: &Actor, stream: StreamId) -> Result<Vec<BlockedWord>> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        Ok(self.store().blocklist(stream).await?.words().to_vec())
    }

    /// Puts another list in its place.
    pub async fn set_blocklist(
        &self,
        actor: &Actor,
        stream: StreamId,
        words: Vec<BlockedWord>,
    ) -> Result<Vec<BlockedWord>> {
        let show = self.authorize(actor, Permission::Moderate, stream).await?;
        let words = Blocklist::parse(words)?;
        let detail = Some(format!("{} words", words.words().len()));
        let deed = AuditEntry { detail, ..self.audit_entry(actor, stream, AuditAction::Blocklist) };
        let app = self.clone();
        self.spawn_write(async move {
            app.store().set_blocklist(stream, &words, &deed).await?;
            app.reload_stream(stream, &show).await?;
            // The others read the list again because the version of the rules rose.
            app.publish_chat_rules(&show.stream());
            Ok(words.words().to_vec())
        })
        .await
    }

    /// Shows a notice until another takes its place; an empty text takes it away.
    pub async fn announce(&self, actor: &Actor, stream: StreamId, text: &str) -> Result<ChatRulesView> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        let text = if text.trim().is_empty() { None } else { Some(ChatText::parse(text)?.into_string()) };
        let (app, from) = (self.clone(), Author::from(actor));
        let deed = AuditEntry { detail: text.clone(), ..self.audit_entry(actor, stream, AuditAction::Announce) };
        self.spawn_write(async move {
            let changed = app.store().set_notice(stream, text.as_deref(), &deed).await?;
            if let Some(text) = text {
                app.publish_committed_event(stream, &Event::Announced { text, from }).await;
            }
            Ok(app.publish_chat_rules(&changed))
        })
        .await
    }

    /// Puts a message above the others until another takes its place.
    pub async fn pin_message(&self, actor: &Actor, stream: StreamId, id: MessageId) -> Result<ChatRulesView> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        let message = self.visible_message(stream, id).await?;
        let (user, name) = (Some(message.from.id.clone()), Some(message.from.name.clone()));
        let deed =
            AuditEntry { user, name, message: Some(id), ..self.audit_entry(actor, stream, AuditAction::PinMessage) };
        let app = self.clone();
        self.spawn_write(async move { Ok(app.publish_chat_rules(&app.store().pin_message(&message, &deed).await?)) })
            .await
    }

    pub async fn unpin_message(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        let deed = self.audit_entry(actor, stream, AuditAction::UnpinMessage);
        let app = self.clone();
        self.spawn_write(async move {
            if let Some(changed) = app.store().unpin_message(stream, &deed).await? {
                app.publish_chat_rules(&changed);
            }
            Ok(())
        })
        .await
    }

    /// What was taken away does not stand above the rest.
    pub(super) async fn unpin_deleted_message(
        &self,
        stream: StreamId,
        message: Option<MessageId>,
        user: Option<&UserId>,
    ) {
        match self.store().unpin_removed_message(stream, message, user).await {
            Ok(Some(changed)) => drop(self.publish_chat_rules(&changed)),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(stream.id = %stream, error = %error, "a comment that is gone is still pinned");
            }
        }
    }

    pub(super) fn publish_chat_rules(&self, stream: &LiveStream) -> ChatRulesView {
        if let Some(show) = self.cached_stream(stream.id) {
            show.update_stream(stream);
        }
        let view = chat_rules_view(stream, self.epoch());
        self.publish_state(stream.id, &chat_rules_change(&view), false);
        view
    }
}

pub(super) fn chat_rules_view(stream: &LiveStream, epoch: i64) -> ChatRulesView {
    ChatRulesView::of(&stream.chat, [epoch, stream.version])
}

pub(super) fn chat_rules_change(view: &ChatRulesView) -> StateChange {
    StateChange::Chat { v: view.v, json: json_bytes(view) }
}
