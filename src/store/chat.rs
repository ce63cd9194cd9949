//! Chat messages.

use uuid::Uuid;

use super::address_retention::ID_TIME_MAX;
use super::audit::insert_audit_entry;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::{AuditEntry, Author, ChatMessage, MessageId, Millis, Quote, Refusal, Role, StreamId, UserId};

/// What readers may see of a message, as `messages.status` has it.
pub(super) const PUBLISHED: &str = "published";
pub(super) const PENDING_REVIEW: &str = "pending_review";
pub(super) const REJECTED: &str = "rejected";

/// The clock of the node that made the id and that of the message may differ by as much.
const CLOCKS_DIFFER_MS: Millis = 60_000;

pub(super) struct MessageRow {
    id: Uuid,
    stream: Uuid,
    at: i64,
    pub user_id: String,
    pub user_name: String,
    user_role: String,
    body: String,
    deleted_by: Option<String>,
    reply_to: Option<Uuid>,
    reply_user: Option<String>,
    reply_name: Option<String>,
    reply_body: Option<String>,
    status: String,
}

from_row!(MessageRow {
    id,
    stream,
    at,
    user_id,
    user_name,
    user_role,
    body,
    deleted_by,
    reply_to,
    reply_user,
    reply_name,
    reply_body,
    status
});

/// Every column of a message; a condition follows. The author of a quoted message is known only while that message is
/// published and not deleted.
macro_rules! messages {
    ($condition:literal) => {
        concat!(
            "select id, stream, at, user_id, user_name, user_role, body, deleted_by, reply_to, reply_name, reply_body,
            (select q.user_id from messages q
                where q.id = messages.reply_to and q.status = 'published' and q.deleted_by is null) as reply_user,
            status from messages ",
            $condition
        )
    };
}
pub(super) use messages;

/// Writes a message; if it is there already, it stays as it is.
///
/// If another node muted or banned the author at the moment when the message was sent, the message is deleted like the
/// ones before it. One second more is allowed for clocks that differ.
pub(super) async fn insert_message(
    tx: &mut Transaction<'_>,
    message: &ChatMessage,
    status: &'static str,
) -> Result<()> {
    let insert =
        "insert into messages (id, stream, at, user_id, user_name, user_role, body, reply_to, reply_name, reply_body,
            status, deleted_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
            (select min(s.by_user) from sanctions s where s.stream = $2 and s.user_id = $4 and s.created_at >= $3 - 1000
                and $6 not in ('host', 'admin', 'owner')))
        on conflict (id) do nothing";
    let quote = message.reply.as_ref();
    tx.query(insert)
        .bind(message.id.0)
        .bind(message.stream.0)
        .bind(message.at)
        .bind(message.from.id.as_str())
        .bind(&message.from.name)
        .bind(message.from.role.name())
        .bind(&message.text)
        .bind(quote.map(|quote| quote.id.0))
        .bind(quote.map(|quote| &*quote.name))
        .bind(quote.map(|quote| &*quote.text))
        .bind(status)
        .execute()
        .await?;
    Ok(())
}

/// Reads a message, whatever its status.
pub async fn read_message(tx: &mut Transaction<'_>, stream: StreamId, id: MessageId) -> Result<MessageRow> {
    let read = messages!("where id = $1 and stream = $2");
    let row: Option<MessageRow> = tx.query(read).bind(id.0).bind(stream.0).fetch_optional().await?;
    Ok(row.ok_or(Refusal::NoSuchMessage)?)
}

impl MessageRow {
    /// Writes the audit log entry of an action on this message; its author is the affected user.
    pub async fn insert_audit_entry(&self, tx: &mut Transaction<'_>, entry: &AuditEntry) -> Result<()> {
        let (user, name) = (UserId::parse(&self.user_id).ok(), Some(self.user_name.clone()));
        insert_audit_entry(tx, &AuditEntry { user, name, message: Some(MessageId(self.id)), ..entry.clone() }).await
    }

    pub fn into_message(self) -> Result<ChatMessage> {
        let id = UserId::parse(&self.user_id).map_err(|_| Error::CorruptRow(format!("user `{}`", self.user_id)))?;
        let quoted = self.reply_to.zip(self.reply_user.and_then(|user| UserId::parse(&user).ok()));
        Ok(ChatMessage {
            id: MessageId(self.id),
            stream: StreamId(self.stream),
            at: self.at,
            from: Author { id, name: self.user_name, role: Role::parse(&self.user_role).unwrap_or(Role::Viewer) },
            text: self.body,
            reply: quoted.map(|(id, user)| Quote {
                id: MessageId(id),
                user,
                name: self.reply_name.unwrap_or_default(),
                text: self.reply_body.unwrap_or_default(),
            }),
            deleted: self.deleted_by.is_some(),
        })
    }
}

impl Store {
    /// Writes a batch of published messages; messages that are there already stay as they are.
    pub async fn insert_messages(&self, messages: &[ChatMessage]) -> Result<()> {
        self.transaction(async |tx| {
            for message in messages {
                insert_message(tx, message, PUBLISHED).await?;
            }
            Ok(())
        })
        .await
    }

    /// Reads a page of a show's published messages, newest first, before `after`. Deleted messages are left out, unless
    /// `with_deleted` is set.
    pub async fn messages(
        &self,
        stream: StreamId,
        after: Option<MessageId>,
        limit: i64,
        with_deleted: bool,
    ) -> Result<Vec<ChatMessage>> {
        self.messages_until(stream, (after, None), limit, with_deleted).await
    }

    /// Reads a page of a show's published messages, newest first, before `after` and sent at `until` or earlier. Deleted messages are left
    /// out, unless `with_deleted` is set.
    pub async fn messages_until(
        &self,
        stream: StreamId,
        (after, until): (Option<MessageId>, Option<Millis>),
        limit: i64,
        with_deleted: bool,
    ) -> Result<Vec<ChatMessage>> {
        let read = messages!(
            "where stream = $1 and id < $2 and status = 'published' and ($3 or deleted_by is null) and at <= $5
            order by id desc limit $4"
        );
        let before = after.map_or(Uuid::max(), |id| id.0);
        // An id has the time of its message, so the newer ones are not read.
        let beyond = until.map(|at| MessageId::first_at(at.saturating_add(CLOCKS_DIFFER_MS).clamp(0, ID_TIME_MAX)).0);
        let before = beyond.map_or(before, |beyond| before.min(beyond));
        let rows: Vec<MessageRow> = self
            .query(read)
            .bind(stream.0)
            .bind(before)
            .bind(with_deleted)
            .bind(limit)
            .bind(until.unwrap_or(Millis::MAX))
            .fetch_all()
            .await?;
        rows.into_iter().map(MessageRow::into_message).collect()
    }

    /// Reads every message of a show after `after`, oldest first, each with its status: also messages that were deleted
    /// or rejected, or wait in the review queue.
    pub async fn messages_after(
        &self,
        stream: StreamId,
        after: Option<MessageId>,
        limit: i64,
    ) -> Result<Vec<(ChatMessage, &'static str)>> {
        let read = messages!("where stream = $1 and id > $2 order by id limit $3");
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<MessageRow> = self.report_query(read).bind(stream.0).bind(after).bind(limit).fetch_all().await?;
        let with_status = |row: MessageRow| {
            let status = [PENDING_REVIEW, REJECTED].into_iter().find(|name| *name == row.status).unwrap_or(PUBLISHED);
            Ok((row.into_message()?, status))
        };
        rows.into_iter().map(with_status).collect()
    }

    /// Reads a message that everybody may see.
    pub async fn message(&self, stream: StreamId, id: MessageId) -> Result<Option<ChatMessage>> {
        let read = messages!("where id = $1 and stream = $2 and status = 'published' and deleted_by is null");
        let row: Option<MessageRow> = self.query(read).bind(id.0).bind(stream.0).fetch_optional().await?;
        row.map(MessageRow::into_message).transpose()
    }

    /// Deletes a message permanently, also one in the review queue. Gives its author; `None`: it was deleted before.
    pub async fn delete_message(&self, stream: StreamId, id: MessageId, entry: &AuditEntry) -> Result<Option<UserId>> {
        let deleted = self
            .transaction(async |tx| {
                let row = read_message(tx, stream, id).await?;
                let delete = "update messages set deleted_by = $2 where id = $1 and deleted_by is null";
                if tx.query(delete).bind(id.0).bind(entry.by.id.as_str()).execute().await? == 0 {
                    return Ok(None);
                }
                row.insert_audit_entry(tx, entry).await?;
                Ok(Some(row))
            })
            .await?;
        deleted.map(|row| Ok(row.into_message()?.from.id)).transpose()
    }

    /// Counts the messages of a show for its report.
    pub async fn count_messages(&self, stream: StreamId) -> Result<i64> {
        let read = "select count(*) from messages
            where stream = $1 and status = 'published' and deleted_by is null and user_id not like 'crowd:%'";
        self.report_query(read).bind(stream.0).fetch_value().await
    }
}
