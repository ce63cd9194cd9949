//! Talk that is kept, and who is kept quiet.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::{Error, Result, Store, in_transaction, now_in, on_reader};
use crate::domain::{
    AuditEntry, Author, ChatMessage, MessageId, Millis, Quote, Refusal, Role, Sanction, SanctionKind, StreamId, UserId,
};

#[derive(sqlx::FromRow)]
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

/// Every column of a message, and which ones. What was quoted has an author only while it stands.
macro_rules! messages {
    ($which:literal) => {
        concat!(
            "select id, stream, at, user_id, user_name, user_role, body, deleted_by, reply_to, reply_name, reply_body,
            (select q.user_id from messages q where q.id = messages.reply_to and q.status = 'said' and q.deleted_by is null)
            as reply_user, status from messages ",
            $which
        )
    };
}
pub(super) use messages;

/// One written a moment after its author was silenced on another node goes with what they said before; a second is left for
/// clocks that differ.
macro_rules! insert_message {
    ($tx:ident, $message:expr, $status:literal) => {{
        let message: &$crate::domain::ChatMessage = $message;
        let insert = concat!(
            "insert into messages (id, stream, at, user_id, user_name, user_role, body, reply_to, reply_name, reply_body,
                status, deleted_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '",
            $status,
            "', (select min(s.by_user) from sanctions s where s.stream = $2 and s.user_id = $4 and s.created_at >= $3 - 1000
                and $6 not in ('host', 'admin')))
            on conflict (id) do nothing"
        );
        let reply = message.reply.as_ref();
        sqlx::query(insert)
            .bind(message.id.0)
            .bind(message.stream.0)
            .bind(message.at)
            .bind(message.from.id.as_str())
            .bind(&message.from.name)
            .bind(message.from.role.name())
            .bind(&message.text)
            .bind(reply.map(|quote| quote.id.0))
            .bind(reply.map(|quote| &*quote.name))
            .bind(reply.map(|quote| &*quote.text))
            .execute(&mut *$tx)
            .await?;
    }};
}
pub(super) use insert_message;

impl MessageRow {
    pub fn message(self) -> Result<ChatMessage> {
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
    /// Writes a batch of messages; ones already there stay as they are.
    pub async fn insert_messages(&self, messages: &[ChatMessage]) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            for message in messages {
                insert_message!(tx, message, "said");
            }
        });
        Ok(())
    }

    /// A page of a show's talk, newest first, before `after`; deleted ones are left out unless asked for.
    pub async fn messages(
        &self,
        stream: StreamId,
        after: Option<MessageId>,
        limit: i64,
        with_deleted: bool,
    ) -> Result<Vec<ChatMessage>> {
        let read = messages!(
            "where stream = $1 and id < $2 and status = 'said' and ($3 or deleted_by is null) order by id desc limit $4"
        );
        let before = after.map_or(Uuid::max(), |id| id.0);
        let rows: Vec<MessageRow> = on_reader!(self, pool => sqlx::query_as(read)
            .bind(stream.0).bind(before).bind(with_deleted).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(MessageRow::message).collect()
    }

    /// Everything said in a show after `after`, oldest first, also what was taken away or waits; and which of those it is.
    pub async fn messages_after(
        &self,
        stream: StreamId,
        after: Option<MessageId>,
        limit: i64,
    ) -> Result<Vec<(ChatMessage, &'static str)>> {
        let read = messages!("where stream = $1 and id > $2 order by id limit $3");
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<MessageRow> = on_reader!(self, pool =>
            sqlx::query_as(read).bind(stream.0).bind(after).bind(limit).fetch_all(pool).await?);
        let named = |row: MessageRow| {
            let status = ["held", "hidden"].into_iter().find(|name| *name == row.status).unwrap_or("said");
            Ok((row.message()?, status))
        };
        rows.into_iter().map(named).collect()
    }

    /// A message that everybody may see.
    pub async fn message(&self, stream: StreamId, id: MessageId) -> Result<Option<ChatMessage>> {
        let read = messages!("where id = $1 and stream = $2 and status = 'said' and deleted_by is null");
        let row: Option<MessageRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(id.0).bind(stream.0).fetch_optional(pool).await?);
        row.map(MessageRow::message).transpose()
    }

    /// Takes a message away, for good also where it waits. Gives whose it was; `None`: it was gone already.
    pub async fn delete_message(&self, stream: StreamId, id: MessageId, deed: &AuditEntry) -> Result<Option<UserId>> {
        let row = in_transaction!(self, |tx, _dialect| {
            let read = messages!("where id = $1 and stream = $2");
            let row: Option<MessageRow> =
                sqlx::query_as(read).bind(id.0).bind(stream.0).fetch_optional(&mut *tx).await?;
            let row = row.ok_or(Refusal::NoSuchMessage)?;
            let delete = "update messages set deleted_by = $2 where id = $1 and deleted_by is null";
            let gone =
                sqlx::query(delete).bind(id.0).bind(deed.by.id.as_str()).execute(&mut *tx).await?.rows_affected();
            if gone > 0 {
                let user = UserId::parse(&row.user_id).ok();
                let deed = AuditEntry { user, name: Some(row.user_name.clone()), message: Some(id), ..deed.clone() };
                insert_audit_entry!(tx, &deed);
            }
            (gone > 0).then_some(row)
        });
        row.map(|row| Ok(row.message()?.from.id)).transpose()
    }

    pub async fn count_messages(&self, stream: StreamId) -> Result<i64> {
        let read = "select count(*) from messages where stream = $1 and status = 'said' and deleted_by is null";
        Ok(on_reader!(self, pool => sqlx::query_scalar(read).bind(stream.0).fetch_one(pool).await?))
    }

    /// Mutes or bans, and takes away what the person said before. What was told a moment ago and is not written yet goes as it
    /// is written.
    pub async fn add_sanction(&self, stream: StreamId, sanction: &Sanction, deed: &AuditEntry) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let set = "insert into sanctions (stream, user_id, kind, user_name, until, by_user, created_at, reason)
                values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (stream, user_id, kind)
                do update set until = excluded.until, by_user = excluded.by_user, user_name = excluded.user_name,
                created_at = excluded.created_at, reason = excluded.reason";
            sqlx::query(set)
                .bind(stream.0)
                .bind(sanction.user.as_str())
                .bind(sanction.kind.name())
                .bind(&sanction.name)
                .bind(sanction.until)
                .bind(&sanction.by)
                .bind(now)
                .bind(&sanction.reason)
                .execute(&mut *tx)
                .await?;
            let sweep = "update messages set deleted_by = $3 where user_id = $2 and stream = $1 and deleted_by is null";
            sqlx::query(sweep).bind(stream.0).bind(sanction.user.as_str()).bind(&sanction.by).execute(&mut *tx).await?;
            insert_audit_entry!(tx, deed);
        });
        Ok(())
    }

    /// Takes away what a person said until `until`, or a second later by another node's clock, and was being written while they
    /// were silenced.
    pub async fn delete_messages_of(&self, stream: StreamId, user: &UserId, until: Millis, by: &str) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let sweep = "update messages set deleted_by = $3
                where user_id = $2 and stream = $1 and deleted_by is null and at <= $4";
            sqlx::query(sweep)
                .bind(stream.0)
                .bind(user.as_str())
                .bind(by)
                .bind(until + 1_000)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// `false`: there was none.
    pub async fn lift_sanction(
        &self,
        stream: StreamId,
        user: &UserId,
        kind: SanctionKind,
        deed: &AuditEntry,
    ) -> Result<bool> {
        let gone = in_transaction!(self, |tx, _dialect| {
            let lift = "delete from sanctions where stream = $1 and user_id = $2 and kind = $3";
            let gone = sqlx::query(lift)
                .bind(stream.0)
                .bind(user.as_str())
                .bind(kind.name())
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if gone > 0 {
                insert_audit_entry!(tx, deed);
            }
            gone
        });
        Ok(gone > 0)
    }

    /// Mutes that still hold at `now`, and bans.
    pub async fn sanctions(&self, stream: StreamId, now: Millis) -> Result<Vec<Sanction>> {
        let read = "select user_id, user_name, kind, until, by_user, reason from sanctions
            where stream = $1 and (until is null or until > $2) order by created_at desc limit 5000";
        type Row = (String, String, String, Option<i64>, String, Option<String>);
        let rows: Vec<Row> =
            on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).bind(now).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(user, name, kind, until, by, reason)| {
                let user = UserId::parse(&user).map_err(|_| Error::CorruptRow(format!("user `{user}`")))?;
                let kind = if kind == SanctionKind::Ban.name() { SanctionKind::Ban } else { SanctionKind::Mute };
                Ok(Sanction { user, name, kind, until, by, reason })
            })
            .collect()
    }

    /// Whether someone last spoke as one who runs the show.
    pub async fn last_spoke_as_host(&self, stream: StreamId, user: &UserId) -> Result<bool> {
        let read = "select user_role from messages where stream = $1 and user_id = $2 order by id desc limit 1";
        let role: Option<String> = on_reader!(self, pool =>
            sqlx::query_scalar(read).bind(stream.0).bind(user.as_str()).fetch_optional(pool).await?);
        Ok(role.is_some_and(|role| matches!(Role::parse(&role), Some(Role::Host | Role::Admin))))
    }

    /// The name someone last spoke under, for the list of the muted.
    pub async fn last_name_of(&self, stream: StreamId, user: &UserId) -> Result<Option<String>> {
        let read = "select user_name from messages where stream = $1 and user_id = $2 order by id desc limit 1";
        Ok(on_reader!(self, pool =>
            sqlx::query_scalar(read).bind(stream.0).bind(user.as_str()).fetch_optional(pool).await?))
    }
}
