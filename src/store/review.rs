//! The review queue: chat messages that are published only after a decision of the team.

use super::chat::{MessageRow, PENDING_REVIEW, PUBLISHED, REJECTED, insert_message, messages, read_message};
use super::{Result, Store};
use crate::domain::chat::REVIEW_QUEUE_MAX;
use crate::domain::{AuditEntry, ChatMessage, MessageId, Refusal, StreamId, UserId};

const REVIEW_QUEUE_RETRY_MS: i64 = 30_000;

impl Store {
    /// Puts a message into the review queue of its show. Refused when the queue is full.
    pub async fn queue_for_review(&self, message: &ChatMessage) -> Result<()> {
        self.transaction(async |tx| {
            // One message at a time, so that the queue keeps its limit. On SQLite the transaction is the lock.
            let lock = tx.choose(
                "select version from streams where id = $1 for no key update",
                "select version from streams where id = $1",
            );
            let version: Option<i64> = tx.query(lock).bind(message.stream.0).fetch_optional_value().await?;
            version.ok_or(Refusal::NoSuchStream)?;
            let count = "select count(*) from messages
                where stream = $1 and status = 'pending_review' and deleted_by is null";
            let queued: i64 = tx.query(count).bind(message.stream.0).fetch_value().await?;
            if queued >= REVIEW_QUEUE_MAX {
                return Err(Refusal::ReviewQueueFull { retry_ms: REVIEW_QUEUE_RETRY_MS }.into());
            }
            insert_message(tx, message, PENDING_REVIEW).await
        })
        .await
    }

    /// Reads the review queue of a show, oldest first. `of`: only the messages of this user.
    pub async fn review_queue(&self, stream: StreamId, of: Option<&UserId>) -> Result<Vec<ChatMessage>> {
        let read = messages!(
            "where stream = $1 and status = 'pending_review' and deleted_by is null and ($2 = '' or user_id = $2)
            order by id limit $3"
        );
        let user = of.map_or("", UserId::as_str);
        let rows: Vec<MessageRow> =
            self.query(read).bind(stream.0).bind(user).bind(REVIEW_QUEUE_MAX).fetch_all().await?;
        rows.into_iter().map(MessageRow::into_message).collect()
    }

    /// Publishes (`approve`) or rejects a message of the review queue. Refused if the message is not in the queue, or no
    /// longer.
    pub async fn decide_review(
        &self,
        stream: StreamId,
        id: MessageId,
        approve: bool,
        entry: &AuditEntry,
    ) -> Result<ChatMessage> {
        let row = self
            .transaction(async |tx| {
                let set = "update messages set status = $3
                    where id = $1 and stream = $2 and status = 'pending_review' and deleted_by is null";
                let status = if approve { PUBLISHED } else { REJECTED };
                let decided = tx.query(set).bind(id.0).bind(stream.0).bind(status).execute().await?;
                let row = read_message(tx, stream, id).await?;
                if decided == 0 {
                    return Err(Refusal::WrongStatus("The message is not in the review queue.").into());
                }
                row.insert_audit_entry(tx, entry).await?;
                Ok(row)
            })
            .await?;
        row.into_message()
    }

    /// Puts an approved message back into the review queue because it could not be broadcast. `entry`, the one of the approval with
    /// another id and kind, says so in the audit log.
    pub async fn requeue_for_review(&self, id: MessageId, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            let set = "update messages set status = 'pending_review' where id = $1 and status = 'published'";
            tx.query(set).bind(id.0).execute().await?;
            read_message(tx, entry.stream, id).await?.insert_audit_entry(tx, entry).await
        })
        .await
    }
}
