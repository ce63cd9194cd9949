//! The delivery address that a person saved for the next purchase.

use super::{Error, Result, Store};
use crate::domain::{Address, Millis, UserId};

/// Saved addresses that one call of [`Store::delete_saved_addresses_before`] deletes at most.
const DELETE_BATCH_MAX: i64 = 500;

impl Store {
    pub async fn saved_address(&self, user: &UserId) -> Result<Option<Address>> {
        let read = "select address from saved_addresses where user_id = $1";
        let stored: Option<String> = self.query(read).bind(user.as_str()).fetch_optional_value().await?;
        let parse = |text: String| serde_json::from_str(&text).map_err(|error| Error::CorruptRow(error.to_string()));
        stored.map(parse).transpose()
    }

    /// Replaces the one before.
    pub async fn save_address(&self, user: &UserId, address: &Address) -> Result<()> {
        let text = serde_json::to_string(address).map_err(|error| Error::CorruptRow(error.to_string()))?;
        let write = "insert into saved_addresses (user_id, address, changed_at) values ($1, $2, $3)
            on conflict (user_id) do update set address = excluded.address, changed_at = excluded.changed_at";
        self.transaction(async |tx| {
            let now = tx.now().await?;
            tx.query(write).bind(user.as_str()).bind(text).bind(now).execute().await?;
            Ok(())
        })
        .await
    }

    pub async fn delete_saved_address(&self, user: &UserId) -> Result<()> {
        self.transaction(async |tx| {
            tx.query("delete from saved_addresses where user_id = $1").bind(user.as_str()).execute().await?;
            Ok(())
        })
        .await
    }

    /// Deletes addresses that were last saved before this time, at most 500 at a time, and gives how many. Call it until it gives 0.
    pub async fn delete_saved_addresses_before(&self, before: Millis) -> Result<u64> {
        let delete = "delete from saved_addresses where user_id in
            (select user_id from saved_addresses where changed_at < $1 order by changed_at limit $2)";
        self.transaction(async |tx| tx.query(delete).bind(before).bind(DELETE_BATCH_MAX).execute().await).await
    }
}
