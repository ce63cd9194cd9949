//! Which publish keys of a show are valid. A key is signed with the generation in which it was made, and is not stored itself.

use super::audit::insert_audit_entry;
use super::{Result, Store};
use crate::domain::publish_key::{KEY_USE_STEP_MS, PublishKeyChange, PublishKeys};
use crate::domain::{AuditEntry, StreamId};

impl Store {
    /// What is known of the keys of a show; generation 0 where none was made since this table exists.
    pub async fn publish_keys(&self, stream: StreamId) -> Result<PublishKeys> {
        let read = "select generation, made_at, used_at from publish_keys where stream = $1";
        let row: Option<(i64, Option<i64>, Option<i64>)> = self.query(read).bind(stream.0).fetch_optional().await?;
        let keys = row.map(|(generation, made_at, used_at)| PublishKeys { generation, made_at, used_at });
        Ok(keys.unwrap_or_default())
    }

    /// Makes, replaces or revokes the keys of a show. Gives the generation in which a key is valid from now on.
    pub async fn change_publish_keys(
        &self,
        stream: StreamId,
        change: PublishKeyChange,
        entry: &AuditEntry,
    ) -> Result<i64> {
        let step = i64::from(change != PublishKeyChange::Add);
        let write = "insert into publish_keys (stream, generation, made_at) values ($1, $2, $3)
            on conflict (stream) do update set generation = publish_keys.generation + $2, made_at = $3,
                used_at = case when $2 = 0 then publish_keys.used_at end
            returning generation";
        self.transaction(async |tx| {
            let made_at = (change != PublishKeyChange::Revoke).then_some(tx.now().await?);
            let generation = tx.query(write).bind(stream.0).bind(step).bind(made_at).fetch_value().await?;
            insert_audit_entry(tx, entry).await?;
            Ok(generation)
        })
        .await
    }

    /// Writes down that an encoder came with a key of this generation, unless that was written in the last minute.
    pub async fn touch_publish_keys(&self, stream: StreamId, generation: i64) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let write = "update publish_keys set used_at = $3
                where stream = $1 and generation = $2 and (used_at is null or used_at < $3)";
            tx.query(write).bind(stream.0).bind(generation).bind(now - now % KEY_USE_STEP_MS).execute().await.map(drop)
        })
        .await
    }
}
