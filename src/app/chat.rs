//! Talk: say, delete, mute, ban, slow mode, notices. Talk is told first and written behind; a crash may lose a second.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::tally::answered;
use super::{App, Result};
use crate::domain::{
    Action, Actor, ChatMessage, ChatText, Event, LiveStream, MessageId, Refusal, Sanction, SanctionKind, Speaker,
    StreamId, UserId, chat,
};
use crate::protocol::{ChatRulesView, Close, MessageView, SanctionView, StateChange, json_bytes};
use crate::store;

/// Messages that wait to be written. Full (the database is away) means talk is refused as busy.
pub const KEPT_WAITING_MAX: usize = 8_192;
const BATCH_MAX: usize = 500;
/// How long a message waits for company before it is written.
const BATCH_WAIT: Duration = Duration::from_millis(200);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const WRITTEN_BEHIND_MS: i64 = 2_000;
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

/// What the writer is given.
#[derive(Debug)]
pub enum Kept {
    Message(ChatMessage),
    /// Answered once everything before it is in the store.
    Flush(oneshot::Sender<()>),
}

impl App {
    pub async fn say(&self, actor: &Actor, stream: StreamId, text: &str) -> Result<MessageId> {
        let answer = self.put_in_talk(actor, stream, text).await;
        answered(&self.tally().says, &answer, |_| "said");
        answer
    }

    async fn put_in_talk(&self, actor: &Actor, stream: StreamId, text: &str) -> Result<MessageId> {
        actor.may(Action::Talk, Some(stream))?;
        // A host of another show is a viewer here: by name in the talk, and under the viewers' budget.
        let actor = &actor.clone().within(stream);
        let text = ChatText::parse(text)?;
        let show = self.find_show(stream).await?;
        let kept = self.0.said.clone().try_reserve_owned().map_err(|_| Refusal::Busy { retry_ms: 1_000 })?;
        show.take_floor(actor, self.now(), self.0.settings.chat)?;
        let message = ChatMessage {
            id: MessageId::new(),
            stream,
            at: self.now(),
            from: Speaker::from(actor),
            text: text.into_string(),
            deleted: false,
        };
        let id = message.id;
        let (app, speaker) = (self.clone(), actor.clone());
        // What is told is kept too, also when the one who said it leaves meanwhile.
        self.write(async move {
            if let Err(error) = app.log(stream, &message.event()).await {
                show.unsaid(&speaker, message.at);
                return Err(error);
            }
            kept.send(Kept::Message(message));
            Ok(id)
        })
        .await
    }

    /// A page of talk, newest first; those who moderate see what was deleted.
    pub async fn messages(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<MessageId>,
        limit: i64,
    ) -> Result<Vec<MessageView>> {
        self.find_show(stream).await?;
        self.flush_chat().await;
        let with_deleted = actor.may(Action::Moderate, Some(stream)).is_ok();
        let messages = self.store().messages(stream, after, limit, with_deleted).await?;
        Ok(messages.into_iter().map(MessageView::from).collect())
    }

    pub async fn delete_message(&self, actor: &Actor, stream: StreamId, id: MessageId) -> Result<()> {
        actor.may(Action::Moderate, Some(stream))?;
        self.flush_chat().await;
        let (app, by) = (self.clone(), actor.user.clone());
        self.write(async move {
            // Another node may have told it and not written it yet: that takes a second at most.
            let give_up = id.made_at().min(app.now()) + WRITTEN_BEHIND_MS;
            let deleted = loop {
                match app.store().delete_message(stream, id, &by).await {
                    Err(store::Error::Refused(Refusal::NoSuchMessage))
                        if app.0.broker.is_shared() && app.now() < give_up =>
                    {
                        sleep(BATCH_WAIT).await;
                    }
                    settled => break settled?,
                }
            };
            if deleted {
                app.tell(stream, &Event::Deleted { id }).await;
            }
            Ok(())
        })
        .await
    }

    pub async fn mute(&self, actor: &Actor, stream: StreamId, user: UserId, seconds: i64) -> Result<SanctionView> {
        let until = Some(self.now() + Sanction::mute_ms(seconds)?);
        self.sanction(actor, stream, user, SanctionKind::Mute, until).await
    }

    pub async fn ban(&self, actor: &Actor, stream: StreamId, user: UserId) -> Result<SanctionView> {
        self.sanction(actor, stream, user, SanctionKind::Ban, None).await
    }

    async fn sanction(
        &self,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        kind: SanctionKind,
        until: Option<i64>,
    ) -> Result<SanctionView> {
        actor.may(Action::Moderate, Some(stream))?;
        if user == actor.user {
            return Err(Refusal::bad_request("you cannot do this to yourself").into());
        }
        let show = self.find_show(stream).await?;
        let (app, by) = (self.clone(), actor.user.to_string());
        self.write(async move {
            app.flush_chat().await;
            let name = app.store().name_of(stream, &user).await?.unwrap_or_else(|| user.to_string());
            let sanction = Sanction { user: user.clone(), name: name.clone(), kind, until, by };
            app.store().sanction(stream, &sanction).await?;
            show.add_sanction(sanction.clone());
            match until {
                Some(until) => app.tell(stream, &Event::Muted { user, name, until }).await,
                None => {
                    app.rooms().close_user(stream, &user, Close::Banned);
                    app.tell(stream, &Event::Banned { user, name }).await;
                }
            }
            Ok(SanctionView::from(sanction))
        })
        .await
    }

    pub async fn lift(&self, actor: &Actor, stream: StreamId, user: UserId, kind: SanctionKind) -> Result<()> {
        actor.may(Action::Moderate, Some(stream))?;
        let show = self.find_show(stream).await?;
        let app = self.clone();
        self.write(async move {
            let lifted = app.store().lift(stream, &user, kind).await?;
            show.lift(&user, kind);
            if lifted {
                app.tell(stream, &Event::Unmuted { user }).await;
            }
            Ok(())
        })
        .await
    }

    pub async fn sanctions(&self, actor: &Actor, stream: StreamId) -> Result<Vec<SanctionView>> {
        actor.may(Action::Moderate, Some(stream))?;
        let show = self.find_show(stream).await?;
        Ok(show.sanctions(self.now()).into_iter().map(SanctionView::from).collect())
    }

    pub async fn slow_mode(&self, actor: &Actor, stream: StreamId, seconds: i64) -> Result<ChatRulesView> {
        actor.may(Action::Moderate, Some(stream))?;
        let slow_ms = chat::slow_ms(seconds)?;
        self.find_show(stream).await?;
        let app = self.clone();
        self.write(async move { Ok(app.show_rules(&app.store().set_slow_mode(stream, slow_ms).await?)) }).await
    }

    /// Shows a notice until another takes its place; an empty text takes it away.
    pub async fn announce(&self, actor: &Actor, stream: StreamId, text: &str) -> Result<ChatRulesView> {
        actor.may(Action::Moderate, Some(stream))?;
        let text = if text.trim().is_empty() { None } else { Some(ChatText::parse(text)?.into_string()) };
        self.find_show(stream).await?;
        let (app, from) = (self.clone(), Speaker::from(actor));
        self.write(async move {
            let changed = app.store().set_notice(stream, text.as_deref()).await?;
            if let Some(text) = text {
                app.tell(stream, &Event::Announced { text, from }).await;
            }
            Ok(app.show_rules(&changed))
        })
        .await
    }

    fn show_rules(&self, stream: &LiveStream) -> ChatRulesView {
        if let Some(show) = self.known_show(stream.id) {
            show.set_stream(stream);
        }
        let view = rules_view(stream, self.epoch());
        self.show(stream.id, &rules_change(&view), false);
        view
    }

    /// Waits until what was said so far is in the store, as far as it can be.
    pub(super) async fn flush_chat(&self) {
        let (done, flushed) = oneshot::channel();
        let ask = async {
            if self.0.said.send(Kept::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH_DEADLINE, ask).await;
    }
}

pub(super) fn rules_view(stream: &LiveStream, epoch: i64) -> ChatRulesView {
    ChatRulesView::of(&stream.chat, [epoch, stream.version])
}

pub(super) fn rules_change(view: &ChatRulesView) -> StateChange {
    StateChange::Chat { v: view.v, json: json_bytes(view) }
}

/// The writer: gathers messages for a moment and writes them together. Ends when asked to, with nothing left behind.
pub async fn keep(app: App, mut said: mpsc::Receiver<Kept>) {
    loop {
        let first = tokio::select! {
            first = said.recv() => first,
            () = app.0.stop.cancelled() => {
                said.close();
                said.recv().await
            }
        };
        let Some(first) = first else { return };
        let (batch, flushes) = gather(first, &mut said).await;
        while let Err(error) = app.store().keep_messages(&batch).await {
            tracing::error!(error = %error, messages = batch.len(), "talk is not kept yet");
            if app.0.stop.is_cancelled() {
                tracing::error!(messages = batch.len(), "talk was lost: the store is away and the server stops");
                break;
            }
            sleep(RETRY_PAUSE).await;
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

async fn gather(first: Kept, said: &mut mpsc::Receiver<Kept>) -> (Vec<ChatMessage>, Vec<oneshot::Sender<()>>) {
    let (mut batch, mut flushes) = (Vec::new(), Vec::new());
    let end = Instant::now() + BATCH_WAIT;
    let mut next = Some(first);
    while let Some(kept) = next {
        match kept {
            Kept::Message(message) => batch.push(message),
            Kept::Flush(done) => flushes.push(done),
        }
        if batch.len() >= BATCH_MAX {
            break;
        }
        // Somebody waits: take what is here and write.
        next =
            if flushes.is_empty() { timeout_at(end, said.recv()).await.ok().flatten() } else { said.try_recv().ok() };
    }
    (batch, flushes)
}
