//! Talk: who says what, and what was said. Talk is told first and written behind; a crash may lose a second.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::tally::answered;
use super::{App, Result};
use crate::domain::{Action, Actor, ChatMessage, ChatText, MessageId, Refusal, Ruling, Speaker, StreamId};
use crate::protocol::{MessageView, Said};

/// Messages that wait to be written. Full (the database is away) means talk is refused as busy.
pub const KEPT_WAITING_MAX: usize = 8_192;
const BATCH_MAX: usize = 500;
/// How long a message waits for company before it is written.
pub(super) const BATCH_WAIT: Duration = Duration::from_millis(200);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
pub(super) const WRITTEN_BEHIND_MS: i64 = 2_000;
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

/// What the writer is given.
#[derive(Debug)]
pub enum Kept {
    Message(ChatMessage),
    /// Answered once everything before it is in the store.
    Flush(oneshot::Sender<()>),
}

impl App {
    pub async fn say(&self, actor: &Actor, stream: StreamId, text: &str, reply_to: Option<MessageId>) -> Result<Said> {
        let answer = self.put_in_talk(actor, stream, text, reply_to).await;
        answered(&self.tally().says, &answer, |said| if said.held { "held" } else { "said" });
        answer
    }

    async fn put_in_talk(
        &self,
        actor: &Actor,
        stream: StreamId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<Said> {
        actor.may(Action::Talk, Some(stream))?;
        // A host of another show is a viewer here: by name in the talk, and under the viewers' budget.
        let actor = &actor.clone().within(stream);
        let text = ChatText::parse(text)?.into_string();
        let show = self.find_show(stream).await?;
        let kept = self.0.said.clone().try_reserve_owned().map_err(|_| Refusal::Busy { retry_ms: 1_000 })?;
        let now = self.now();
        let ruling = show.take_floor(actor, &text, now, self.0.settings.chat)?;
        let reply = match reply_to {
            Some(id) => Some(self.said(stream, id).await.inspect_err(|_| show.unsaid(actor))?.quote()),
            None => None,
        };
        let from = Speaker::from(actor);
        let message = ChatMessage { id: MessageId::new(), stream, at: now, from, text, reply, deleted: false };
        if ruling == Ruling::Hold {
            return self.hold(message).await.inspect_err(|_| show.unsaid(actor));
        }
        let id = message.id;
        let (app, speaker) = (self.clone(), actor.clone());
        // What is told is kept too, also when the one who said it leaves meanwhile.
        self.write(async move {
            if let Err(error) = app.log(stream, &message.event()).await {
                show.unsaid(&speaker);
                return Err(error);
            }
            kept.send(Kept::Message(message));
            Ok(Said { id, held: false })
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

    /// A message that everybody may see. Talk is told before it is written, here and on other nodes: that takes a second.
    pub(super) async fn said(&self, stream: StreamId, id: MessageId) -> Result<ChatMessage> {
        let give_up = id.made_at().min(self.now()) + WRITTEN_BEHIND_MS;
        let mut flushed = false;
        loop {
            if let Some(message) = self.store().message(stream, id).await? {
                return Ok(message);
            }
            if give_up < self.now() || (flushed && !self.0.broker.is_shared()) {
                return Err(Refusal::NoSuchMessage.into());
            }
            if flushed {
                sleep(BATCH_WAIT).await;
            }
            self.flush_chat().await;
            flushed = true;
        }
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
