//! Chat messages: posting, listing and writing them. A message is broadcast first and written to the store in the
//! background (write-behind); a crash may lose about a second of chat.

use std::sync::Arc;

use tokio::time::sleep;

use super::Chat;
use super::writer::{CHAT_BATCH_WAIT, WRITE_BEHIND_MS};
use crate::app::counters::count_outcome;
use crate::app::error::Result;
use crate::domain::{
    Actor, Author, ChatDecision, ChatMessage, ChatText, MessageId, Millis, Permission, Refusal, StreamId,
};
use crate::protocol::{MessageView, SayReply};

impl Chat {
    pub async fn say(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<SayReply> {
        let outcome = self.post_message(actor, stream, text, reply_to).await;
        count_outcome(&self.context.counters.chat_outcomes, &outcome, |reply| {
            if reply.pending_review { "pending_review" } else { "sent" }
        });
        outcome
    }

    async fn post_message(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<SayReply> {
        let cached = self.stream_cache.authorize(actor, Permission::Chat, stream).await?;
        // A host of another stream is a viewer here: displayed as one, and subject to the rate limits of viewers.
        let actor = &actor.clone().scoped_to(stream);
        let text = ChatText::parse(text)?.into_string();
        if !actor.is_team() && self.context.staff_names().would_confuse(&actor.user, actor.name.as_str()) {
            return Err(Refusal::NameClaimsRole.into());
        }
        let writer_slot = self.writer.reserve()?;
        let now = self.context.now();
        let decision = cached.admit_message(actor, &text, now, self.context.settings.chat)?;
        let reply = match reply_to {
            Some(id) => {
                Some(self.visible_message(stream, id).await.inspect_err(|_| cached.retract_message(actor))?.quote())
            }
            None => None,
        };
        let from = Author::from(actor);
        let message = ChatMessage { id: MessageId::new(), stream, at: now, from, text, reply, deleted: false };
        if decision == ChatDecision::Review {
            return self.queue_for_review(message).await.inspect_err(|_| cached.retract_message(actor));
        }
        let id = message.id;
        let (this, author) = (self.clone(), actor.clone());
        // A published message is stored even if its author disconnects in the meantime.
        self.context
            .spawn_write(async move {
                if let Err(error) = this.publisher.publish_event(stream, &message.event()).await {
                    cached.retract_message(&author);
                    return Err(error);
                }
                writer_slot.write(message);
                Ok(SayReply { id, pending_review: false })
            })
            .await
    }

    /// A page of messages, newest first; moderators also see deleted ones.
    pub async fn messages(
        &self,
        actor: &Actor,
        stream: StreamId,
        (after, until): (Option<MessageId>, Option<Millis>),
        limit: i64,
    ) -> Result<Vec<MessageView>> {
        self.stream_cache.find_stream(stream).await?;
        self.flush().await;
        let with_deleted = self.stream_cache.allows(actor, Permission::Moderate, stream).await?;
        let messages = self.context.store.messages_until(stream, (after, until), limit, with_deleted).await?;
        Ok(messages.into_iter().map(MessageView::from).collect())
    }

    /// A message that everyone may see. A message is broadcast before it is written, here and on other nodes, so it may
    /// take about a second until the store has it.
    pub async fn visible_message(&self, stream: StreamId, id: MessageId) -> Result<ChatMessage> {
        let give_up = id.created_at().min(self.context.now()) + WRITE_BEHIND_MS;
        let mut flushed = false;
        loop {
            if let Some(message) = self.context.store.message(stream, id).await? {
                return Ok(message);
            }
            if give_up < self.context.now() || (flushed && !self.publisher.broker.is_shared()) {
                return Err(Refusal::NoSuchMessage.into());
            }
            if flushed {
                sleep(CHAT_BATCH_WAIT).await;
            }
            self.flush().await;
            flushed = true;
        }
    }
}
