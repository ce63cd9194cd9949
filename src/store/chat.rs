//! Talk that is kept, and who is kept quiet.

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, now_in, on_reader};
use crate::domain::{ChatMessage, MessageId, Millis, Refusal, Role, Sanction, SanctionKind, Speaker, StreamId, UserId};

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: Uuid,
    stream: Uuid,
    at: i64,
    user_id: String,
    user_name: String,
    user_role: String,
    body: String,
    deleted_by: Option<String>,
}

impl MessageRow {
    fn message(self) -> Result<ChatMessage> {
        let id = UserId::parse(&self.user_id).map_err(|_| Error::Unreadable(format!("user `{}`", self.user_id)))?;
        Ok(ChatMessage {
            id: MessageId(self.id),
            stream: StreamId(self.stream),
            at: self.at,
            from: Speaker { id, name: self.user_name, role: Role::parse(&self.user_role).unwrap_or(Role::Viewer) },
            text: self.body,
            deleted: self.deleted_by.is_some(),
        })
    }
}

impl Store {
    /// Writes a batch of messages; ones already there stay as they are.
    pub async fn keep_messages(&self, messages: &[ChatMessage]) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let insert = "insert into messages (id, stream, at, user_id, user_name, user_role, body)
                values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing";
            for message in messages {
                sqlx::query(insert)
                    .bind(message.id.0)
                    .bind(message.stream.0)
                    .bind(message.at)
                    .bind(message.from.id.as_str())
                    .bind(&message.from.name)
                    .bind(message.from.role.name())
                    .bind(&message.text)
                    .execute(&mut *tx)
                    .await?;
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
        let read = "select id, stream, at, user_id, user_name, user_role, body, deleted_by from messages
            where stream = $1 and id < $2 and ($3 or deleted_by is null) order by id desc limit $4";
        let before = after.map_or(Uuid::max(), |id| id.0);
        let rows: Vec<MessageRow> = on_reader!(self, pool => sqlx::query_as(read)
            .bind(stream.0).bind(before).bind(with_deleted).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(MessageRow::message).collect()
    }

    /// Takes a message away. `false`: it was gone already.
    pub async fn delete_message(&self, stream: StreamId, id: MessageId, by: &UserId) -> Result<bool> {
        let gone = in_transaction!(self, |tx, _dialect| {
            let there: Option<i64> = sqlx::query_scalar("select at from messages where id = $1 and stream = $2")
                .bind(id.0)
                .bind(stream.0)
                .fetch_optional(&mut *tx)
                .await?;
            there.ok_or(Refusal::NoSuchMessage)?;
            let delete = "update messages set deleted_by = $2 where id = $1 and deleted_by is null";
            sqlx::query(delete).bind(id.0).bind(by.as_str()).execute(&mut *tx).await?.rows_affected()
        });
        Ok(gone > 0)
    }

    pub async fn count_messages(&self, stream: StreamId) -> Result<i64> {
        let read = "select count(*) from messages where stream = $1 and deleted_by is null";
        Ok(on_reader!(self, pool => sqlx::query_scalar(read).bind(stream.0).fetch_one(pool).await?))
    }

    pub async fn sanction(&self, stream: StreamId, sanction: &Sanction) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let set = "insert into sanctions (stream, user_id, kind, user_name, until, by_user, created_at)
                values ($1, $2, $3, $4, $5, $6, $7) on conflict (stream, user_id, kind)
                do update set until = excluded.until, by_user = excluded.by_user, user_name = excluded.user_name";
            sqlx::query(set)
                .bind(stream.0)
                .bind(sanction.user.as_str())
                .bind(sanction.kind.name())
                .bind(&sanction.name)
                .bind(sanction.until)
                .bind(&sanction.by)
                .bind(now)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// `false`: there was none.
    pub async fn lift(&self, stream: StreamId, user: &UserId, kind: SanctionKind) -> Result<bool> {
        let gone = in_transaction!(self, |tx, _dialect| {
            let lift = "delete from sanctions where stream = $1 and user_id = $2 and kind = $3";
            sqlx::query(lift)
                .bind(stream.0)
                .bind(user.as_str())
                .bind(kind.name())
                .execute(&mut *tx)
                .await?
                .rows_affected()
        });
        Ok(gone > 0)
    }

    /// Mutes that still hold at `now`, and bans.
    pub async fn sanctions(&self, stream: StreamId, now: Millis) -> Result<Vec<Sanction>> {
        let read = "select user_id, user_name, kind, until, by_user from sanctions
            where stream = $1 and (until is null or until > $2) order by created_at desc limit 5000";
        type Row = (String, String, String, Option<i64>, String);
        let rows: Vec<Row> =
            on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).bind(now).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(user, name, kind, until, by)| {
                let user = UserId::parse(&user).map_err(|_| Error::Unreadable(format!("user `{user}`")))?;
                let kind = if kind == SanctionKind::Ban.name() { SanctionKind::Ban } else { SanctionKind::Mute };
                Ok(Sanction { user, name, kind, until, by })
            })
            .collect()
    }

    /// The name someone last spoke under, for the list of the muted.
    pub async fn name_of(&self, stream: StreamId, user: &UserId) -> Result<Option<String>> {
        let read = "select user_name from messages where stream = $1 and user_id = $2 order by id desc limit 1";
        Ok(on_reader!(self, pool =>
            sqlx::query_scalar(read).bind(stream.0).bind(user.as_str()).fetch_optional(pool).await?))
    }
}
