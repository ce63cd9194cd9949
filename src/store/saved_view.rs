//! Saved views of the seller's desk.

use super::{Result, Store};
use crate::domain::saved_view::SAVED_VIEWS_MAX;
use crate::domain::{Refusal, SavedView, UserId};

impl Store {
    /// The views of a user, in the order of the alphabet.
    pub async fn saved_views(&self, user: &UserId) -> Result<Vec<SavedView>> {
        let read = "select name, query from saved_views where user_id = $1 order by name limit $2";
        let rows: Vec<(String, String)> =
            self.query(read).bind(user.as_str()).bind(SAVED_VIEWS_MAX).fetch_all().await?;
        Ok(rows.into_iter().map(|(name, query)| SavedView { name, query }).collect())
    }

    /// Saves a view; it replaces the one with its name.
    pub async fn save_view(&self, user: &UserId, view: &SavedView) -> Result<()> {
        self.transaction(async |tx| {
            let count = "select cast(count(*) as bigint) from saved_views where user_id = $1 and name <> $2";
            let others: i64 = tx.query(count).bind(user.as_str()).bind(&view.name).fetch_value().await?;
            if SAVED_VIEWS_MAX <= others {
                return Err(Refusal::bad_field("name", "cannot be added: you have 30 saved views.").into());
            }
            let write = "insert into saved_views (user_id, name, query) values ($1, $2, $3)
                on conflict (user_id, name) do update set query = excluded.query";
            tx.query(write).bind(user.as_str()).bind(&view.name).bind(&view.query).execute().await?;
            Ok(())
        })
        .await
    }

    /// Removes a view. To remove it again is no error.
    pub async fn remove_view(&self, user: &UserId, name: &str) -> Result<()> {
        let delete = "delete from saved_views where user_id = $1 and name = $2";
        self.transaction(async |tx| tx.query(delete).bind(user.as_str()).bind(name).execute().await).await?;
        Ok(())
    }
}
