//! Talk: who says what, and what was said. Talk is told first and written behind; a crash may lose a second.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::counters::count_outcome;
use super::{App, Result};
use crate::domain::{Actor, Author, ChatDecision, ChatMessage, ChatText, MessageId, Permission, Refusal, StreamId};
use crate::protocol::{MessageView, SayReply};

/// Messages that wait to be written. Full (the database is away) means talk is refused as busy.
pub const CHAT_WRITE_QUEUE_MAX: usize = 8_192;
const CHAT_BATCH_MAX: usize = 500;
/// How long a message waits for company before it is written.
pub(super) const CHAT_BATCH_WAIT: Duration = Duration::from_millis(200);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
pub(super) const WRITE_BEHIND_MS: i64 = 2_000;
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

/// What the writer is given.
#[derive(Debug)]
pub enum ChatWriterCommand {
    Message(ChatMessage),
    /// Answered once everything before it is in the store.
    Flush(oneshot::Sender<()>),
}

impl App {
    pub async fn say(
        &self,
        actor: &Actor,
        stream: StreamId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<SayReply> {
        let answer = self.post_message(actor, stream, text, reply_to).await;
        count_outcome(
            &self.counters().chat_outcomes,
            &answer,
            |said| if said.pending_review { "held" } else { "said" },
        );
        answer
    }

    async fn post_message(
        &self,
        actor: &Actor,
        stream: StreamId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<SayReply> {
        actor.authorize(Permission::Chat, Some(stream))?;
        // A host of another show is a viewer here: by name in the talk, and under the viewers' budget.
        let actor = &actor.clone().scoped_to(stream);
        let text = ChatText::parse(text)?.into_string();
        let show = self.find_stream(stream).await?;
        let writer_slot =
            self.0.chat_writer.clone().try_reserve_owned().map_err(|_| Refusal::Busy { retry_ms: 1_000 })?;
        let now = self.now();
        let ruling = show.admit_message(actor, &text, now, self.0.settings.chat)?;
        let reply = match reply_to {
            Some(id) => {
                Some(self.visible_message(stream, id).await.inspect_err(|_| show.retract_message(actor))?.quote())
            }
            None => None,
        };
        let from = Author::from(actor);
        let message = ChatMessage { id: MessageId::new(), stream, at: now, from, text, reply, deleted: false };
        if ruling == ChatDecision::Review {
            return self.queue_for_review(message).await.inspect_err(|_| show.retract_message(actor));
        }
        let id = message.id;
        let (app, speaker) = (self.clone(), actor.clone());
        // What is told is kept too, also when the one who said it leaves meanwhile.
        self.spawn_write(async move {
            if let Err(error) = app.publish_event(stream, &message.event()).await {
                show.retract_message(&speaker);
                return Err(error);
            }
            writer_slot.send(ChatWriterCommand::Message(message));
            Ok(SayReply { id, pending_review: false })
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
        self.find_stream(stream).await?;
        self.flush_chat().await;
        let with_deleted = actor.authorize(Permission::Moderate, Some(stream)).is_ok();
        let messages = self.store().messages(stream, after, limit, with_deleted).await?;
        Ok(messages.into_iter().map(MessageView::from).collect())
    }

    /// A message that everybody may see. Talk is told before it is written, here and on other nodes: that takes a second.
    pub(super) async fn visible_message(&self, stream: StreamId, id: MessageId) -> Result<ChatMessage> {
        let give_up = id.created_at().min(self.now()) + WRITE_BEHIND_MS;
        let mut flushed = false;
        loop {
            if let Some(message) = self.store().message(stream, id).await? {
                return Ok(message);
            }
            if give_up < self.now() || (flushed && !self.0.broker.is_shared()) {
                return Err(Refusal::NoSuchMessage.into());
            }
            if flushed {
                sleep(CHAT_BATCH_WAIT).await;
            }
            self.flush_chat().await;
            flushed = true;
        }
    }

    /// Waits until what was said so far is in the store, as far as it can be.
    pub(super) async fn flush_chat(&self) {
        let (done, flushed) = oneshot::channel();
        let ask = async {
            if self.0.chat_writer.send(ChatWriterCommand::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH_DEADLINE, ask).await;
    }
}

/// The writer: gathers messages for a moment and writes them together. Ends when asked to, with nothing left behind.
pub async fn run_chat_writer(app: App, mut commands: mpsc::Receiver<ChatWriterCommand>) {
    loop {
        let first = tokio::select! {
            first = commands.recv() => first,
            () = app.0.stop.cancelled() => {
                commands.close();
                commands.recv().await
            }
        };
        let Some(first) = first else { return };
        let (batch, flushes) = collect_batch(first, &mut commands).await;
        while let Err(error) = app.store().insert_messages(&batch).await {
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

async fn collect_batch(
    first: ChatWriterCommand,
    commands: &mut mpsc::Receiver<ChatWriterCommand>,
) -> (Vec<ChatMessage>, Vec<oneshot::Sender<()>>) {
    let (mut batch, mut flushes) = (Vec::new(), Vec::new());
    let end = Instant::now() + CHAT_BATCH_WAIT;
    let mut next = Some(first);
    while let Some(kept) = next {
        match kept {
            ChatWriterCommand::Message(message) => batch.push(message),
            ChatWriterCommand::Flush(done) => flushes.push(done),
        }
        if batch.len() >= CHAT_BATCH_MAX {
            break;
        }
        // Somebody waits: take what is here and write.
        next = if flushes.is_empty() {
            timeout_at(end, commands.recv()).await.ok().flatten()
        } else {
            commands.try_recv().ok()
        };
    }
    (batch, flushes)
}
