//! The rules of a show's talk: slow mode, links, who may speak, muted words, the notice and the pinned comment.

use super::{App, Result};
use crate::domain::{
    Action, Actor, ChatText, Deed, DeedKind, Event, LiveStream, MessageId, MutedWord, Refusal, RulesForm, Speaker,
    StreamId, UserId, Words, chat,
};
use crate::protocol::{ChatRulesView, StateChange, json_bytes};

impl App {
    /// Changes the rules that are given.
    pub async fn set_rules(&self, actor: &Actor, stream: StreamId, form: RulesForm) -> Result<ChatRulesView> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        form.slow_s.map(chat::slow_ms).transpose()?;
        if form == RulesForm::default() {
            return Err(Refusal::bad_request("no rule is given").into());
        }
        let deed = Deed { detail: Some(form.words()), ..self.deed(actor, stream, DeedKind::Rules) };
        let app = self.clone();
        self.write(async move { Ok(app.show_rules(&app.store().set_rules(stream, &form, &deed).await?)) }).await
    }

    /// The muted words: never shown to anybody but those who keep order.
    pub async fn words(&self, actor: &Actor, stream: StreamId) -> Result<Vec<MutedWord>> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        Ok(self.store().words(stream).await?.list().to_vec())
    }

    /// Puts another list in its place.
    pub async fn set_words(&self, actor: &Actor, stream: StreamId, words: Vec<MutedWord>) -> Result<Vec<MutedWord>> {
        let show = self.find_show_for(actor, Action::Moderate, stream).await?;
        let words = Words::parse(words)?;
        let detail = Some(format!("{} words", words.list().len()));
        let deed = Deed { detail, ..self.deed(actor, stream, DeedKind::Words) };
        let app = self.clone();
        self.write(async move {
            app.store().set_words(stream, &words, &deed).await?;
            app.read_again(stream, &show).await?;
            // The others read the list again because the version of the rules rose.
            app.show_rules(&show.stream());
            Ok(words.list().to_vec())
        })
        .await
    }

    /// Shows a notice until another takes its place; an empty text takes it away.
    pub async fn announce(&self, actor: &Actor, stream: StreamId, text: &str) -> Result<ChatRulesView> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        let text = if text.trim().is_empty() { None } else { Some(ChatText::parse(text)?.into_string()) };
        let (app, from) = (self.clone(), Speaker::from(actor));
        let deed = Deed { detail: text.clone(), ..self.deed(actor, stream, DeedKind::Announce) };
        self.write(async move {
            let changed = app.store().set_notice(stream, text.as_deref(), &deed).await?;
            if let Some(text) = text {
                app.tell(stream, &Event::Announced { text, from }).await;
            }
            Ok(app.show_rules(&changed))
        })
        .await
    }

    /// Puts a message above the others until another takes its place.
    pub async fn pin_message(&self, actor: &Actor, stream: StreamId, id: MessageId) -> Result<ChatRulesView> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        let message = self.said(stream, id).await?;
        let (user, name) = (Some(message.from.id.clone()), Some(message.from.name.clone()));
        let deed = Deed { user, name, message: Some(id), ..self.deed(actor, stream, DeedKind::PinMessage) };
        let app = self.clone();
        self.write(async move { Ok(app.show_rules(&app.store().pin_message(&message, &deed).await?)) }).await
    }

    pub async fn unpin_message(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        let deed = self.deed(actor, stream, DeedKind::UnpinMessage);
        let app = self.clone();
        self.write(async move {
            if let Some(changed) = app.store().unpin_message(stream, &deed).await? {
                app.show_rules(&changed);
            }
            Ok(())
        })
        .await
    }

    /// What was taken away does not stand above the rest.
    pub(super) async fn unpin_what_is_gone(&self, stream: StreamId, message: Option<MessageId>, user: Option<&UserId>) {
        match self.store().unpin_what_is_gone(stream, message, user).await {
            Ok(Some(changed)) => drop(self.show_rules(&changed)),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(stream.id = %stream, error = %error, "a comment that is gone is still pinned");
            }
        }
    }

    pub(super) fn show_rules(&self, stream: &LiveStream) -> ChatRulesView {
        if let Some(show) = self.known_show(stream.id) {
            show.set_stream(stream);
        }
        let view = rules_view(stream, self.epoch());
        self.show(stream.id, &rules_change(&view), false);
        view
    }
}

pub(super) fn rules_view(stream: &LiveStream, epoch: i64) -> ChatRulesView {
    ChatRulesView::of(&stream.chat, [epoch, stream.version])
}

pub(super) fn rules_change(view: &ChatRulesView) -> StateChange {
    StateChange::Chat { v: view.v, json: json_bytes(view) }
}
