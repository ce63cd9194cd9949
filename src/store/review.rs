//! Messages that wait for the team.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::chat::{MessageRow, insert_message, messages};
use super::{Result, Store, in_transaction, on_reader};
use crate::domain::chat::REVIEW_QUEUE_MAX;
use crate::domain::{AuditEntry, ChatMessage, MessageId, Refusal, StreamId, UserId};

const REVIEW_QUEUE_RETRY_MS: i64 = 30_000;

impl Store {
    /// Puts a message with those that wait, unless there are as many as may.
    pub async fn queue_for_review(&self, message: &ChatMessage) -> Result<()> {
        in_transaction!(self, |tx, dialect| {
            // One at a time, so that the queue has its length; on SQLite the transaction sees to that.
            let lock = dialect.pick(
                "select version from streams where id = $1 for no key update",
                "select version from streams where id = $1",
            );
            let there: Option<i64> = sqlx::query_scalar(lock).bind(message.stream.0).fetch_optional(&mut *tx).await?;
            there.ok_or(Refusal::NoSuchStream)?;
            let count = "select count(*) from messages where stream = $1 and status = 'held' and deleted_by is null";
            let waiting: i64 = sqlx::query_scalar(count).bind(message.stream.0).fetch_one(&mut *tx).await?;
            if waiting >= REVIEW_QUEUE_MAX {
                Err(Refusal::ReviewQueueFull { retry_ms: REVIEW_QUEUE_RETRY_MS })?;
            }
            insert_message!(tx, message, "held");
        });
        Ok(())
    }

    /// What waits in a show, oldest first; `of`: only this person's.
    pub async fn held(&self, stream: StreamId, of: Option<&UserId>) -> Result<Vec<ChatMessage>> {
        let read = messages!(
            "where stream = $1 and status = 'held' and deleted_by is null and ($2 = '' or user_id = $2) order by id limit $3"
        );
        let who = of.map_or("", UserId::as_str);
        let rows: Vec<MessageRow> = on_reader!(self, pool =>
            sqlx::query_as(read).bind(stream.0).bind(who).bind(REVIEW_QUEUE_MAX).fetch_all(pool).await?);
        rows.into_iter().map(MessageRow::message).collect()
    }

    /// Decides about one that waits: `said` or `hidden`. Refused: it does not wait, or not any more.
    pub async fn decide_review(
        &self,
        stream: StreamId,
        id: MessageId,
        say: bool,
        deed: &AuditEntry,
    ) -> Result<ChatMessage> {
        let row = in_transaction!(self, |tx, _dialect| {
            let set = "update messages set status = $3 where id = $1 and stream = $2 and status = 'held' and deleted_by is null";
            let done = sqlx::query(set)
                .bind(id.0)
                .bind(stream.0)
                .bind(if say { "said" } else { "hidden" })
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let read = messages!("where id = $1 and stream = $2");
            let row: Option<MessageRow> =
                sqlx::query_as(read).bind(id.0).bind(stream.0).fetch_optional(&mut *tx).await?;
            let row = row.ok_or(Refusal::NoSuchMessage)?;
            if done == 0 {
                Err(Refusal::WrongStatus("the message does not wait for anybody"))?;
            }
            let user = UserId::parse(&row.user_id).ok();
            let deed = AuditEntry { user, name: Some(row.user_name.clone()), message: Some(id), ..deed.clone() };
            insert_audit_entry!(tx, &deed);
            row
        });
        row.message()
    }

    /// It could not be told after all: it waits again.
    pub async fn requeue_for_review(&self, id: MessageId, deed: Uuid) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let set = "update messages set status = 'held' where id = $1 and status = 'said'";
            sqlx::query(set).bind(id.0).execute(&mut *tx).await?;
            sqlx::query("delete from actions where id = $1").bind(deed).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
