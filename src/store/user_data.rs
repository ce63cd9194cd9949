//! What is forgotten: a person's data when they ask, and talk when it is old.

use uuid::Uuid;

use super::{Result, Store, in_transaction, now_in};
use crate::domain::{MessageId, Millis, StreamId, UserId};

/// What an erasure found, and what it had to leave.
#[derive(Clone, PartialEq, Debug)]
pub struct ErasureReport {
    pub messages: u64,
    /// Orders whose buyer's name and address went; amounts and the buyer's id stay with them.
    pub orders: u64,
    /// Mutes and bans that still hold: by the id alone.
    pub sanctions: u64,
    /// Entries of the logs of actions that still name the person's id.
    pub audit_entries: u64,
    /// Shows in which something of theirs may be on screens.
    pub streams: Vec<StreamId>,
}

/// Messages that one turn of the sweeper deletes.
const DELETE_BATCH_MAX: i64 = 500;

impl Store {
    /// Forgets what a person said, how they were called, where their orders went and what they wait for. Their id stays where it holds something together: orders, mutes and bans
    /// that still hold, what the team did.
    pub async fn erase_user_data(&self, user: &UserId) -> Result<ErasureReport> {
        let user = user.as_str();
        Ok(in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let where_said = "select distinct stream from messages where user_id = $1
                union select id from streams where pinned_user = $1";
            let streams: Vec<Uuid> = sqlx::query_scalar(where_said).bind(user).fetch_all(&mut *tx).await?;
            let quoted = "update messages set reply_name = '', reply_body = ''
                where reply_to in (select id from messages where user_id = $1)";
            sqlx::query(quoted).bind(user).execute(&mut *tx).await?;
            let messages = sqlx::query("delete from messages where user_id = $1")
                .bind(user)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let unpin = "update streams set version = version + 1, pinned_message = null, pinned_user = null, pinned_name = null,
                pinned_body = null where pinned_user = $1";
            sqlx::query(unpin).bind(user).execute(&mut *tx).await?;
            let orders = sqlx::query("update orders set buyer_name = '' where buyer = $1")
                .bind(user)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let delivered = "delete from addresses where order_id in (select id from orders where buyer = $1)";
            sqlx::query(delivered).bind(user).execute(&mut *tx).await?;
            // What they called themselves when they opened an invite.
            sqlx::query("update helpers set name = user_id where user_id = $1").bind(user).execute(&mut *tx).await?;
            sqlx::query("delete from waiting where user_id = $1").bind(user).execute(&mut *tx).await?;
            let over = "delete from sanctions where user_id = $1 and until is not null and until <= $2";
            sqlx::query(over).bind(user).bind(now).execute(&mut *tx).await?;
            let sanctions = sqlx::query("update sanctions set user_name = '' where user_id = $1")
                .bind(user)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let done_to = sqlx::query("update actions set user_name = null, reason = null where user_id = $1")
                .bind(user)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let done_by = sqlx::query("update actions set by_name = '' where by_user = $1")
                .bind(user)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let streams = streams.into_iter().map(StreamId).collect();
            ErasureReport { messages, orders, sanctions, audit_entries: done_to + done_by, streams }
        }))
    }

    /// Forgets what is quoted in a show and not there any more: an answer may be written after what it answers was deleted.
    pub async fn erase_orphaned_quotes(&self, stream: StreamId) -> Result<()> {
        let forget = "update messages set reply_name = '', reply_body = '' where stream = $1 and reply_body <> ''
            and not exists (select 1 from messages q where q.id = messages.reply_to)";
        in_transaction!(self, |tx, _dialect| {
            sqlx::query(forget).bind(stream.0).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Deletes the oldest messages said before `before`, a few at a time; gives how many. To be called until it gives none.
    pub async fn delete_messages_before(&self, before: Millis) -> Result<u64> {
        Ok(in_transaction!(self, |tx, _dialect| {
            // Ids are made as time goes by, so the primary key finds the oldest.
            let delete =
                "delete from messages where id in (select id from messages where id < $1 order by id limit $2)";
            sqlx::query(delete)
                .bind(MessageId::first_at(before).0)
                .bind(DELETE_BATCH_MAX)
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }
}
