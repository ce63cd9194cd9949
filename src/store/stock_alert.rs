//! Stock alerts: users who asked to be notified when units of an offer are back. They have a table of their own, so the
//! offer's hot row is never touched.

use uuid::Uuid;

use super::{Result, Store};
use crate::domain::{OfferId, StreamId, UserId};

/// How many users have a stock alert for an offer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StockAlertCount {
    pub offer: OfferId,
    pub stream: StreamId,
    pub users: i64,
    /// The offer is closed: no units come back.
    pub closed: bool,
}

impl Store {
    /// Adds a user's stock alert; to add it again changes nothing. `false`: the offer is not on sale.
    pub async fn add_stock_alert(&self, offer: OfferId, user: &UserId) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let insert = "insert into stock_alerts (offer, user_id, stream, created_at)
                select o.id, $2, o.stream, $3 from offers o where o.id = $1 and o.stage in ('open', 'paused')
                on conflict (offer, user_id) do update set created_at = stock_alerts.created_at";
            Ok(tx.query(insert).bind(offer.0).bind(user.as_str()).bind(now).execute().await? > 0)
        })
        .await
    }

    pub async fn remove_stock_alert(&self, offer: OfferId, user: &UserId) -> Result<()> {
        self.transaction(async |tx| {
            let delete = "delete from stock_alerts where offer = $1 and user_id = $2";
            tx.query(delete).bind(offer.0).bind(user.as_str()).execute().await?;
            Ok(())
        })
        .await
    }

    /// Finds the offers of a show for which a user has a stock alert.
    pub async fn stock_alerts_of(&self, user: &UserId, stream: StreamId) -> Result<Vec<OfferId>> {
        let read = "select offer from stock_alerts where user_id = $1 and stream = $2 order by offer limit 500";
        let ids: Vec<Uuid> = self.query(read).bind(user.as_str()).bind(stream.0).fetch_values().await?;
        Ok(ids.into_iter().map(OfferId).collect())
    }

    /// Counts the stock alerts by offer, for at most 10,000 offers.
    pub async fn stock_alert_counts(&self) -> Result<Vec<StockAlertCount>> {
        let read = "select c.offer, c.stream, c.users, o.stage = 'closed' from
                (select offer, stream, cast(count(*) as bigint) as users from stock_alerts group by offer, stream) c
            join offers o on o.id = c.offer order by c.offer limit 10000";
        let rows: Vec<(Uuid, Uuid, i64, bool)> = self.query(read).fetch_all().await?;
        let count = |(offer, stream, users, closed)| StockAlertCount {
            offer: OfferId(offer),
            stream: StreamId(stream),
            users,
            closed,
        };
        Ok(rows.into_iter().map(count).collect())
    }

    /// Deletes the stock alerts of an offer.
    pub async fn delete_stock_alerts(&self, offer: OfferId) -> Result<()> {
        self.transaction(async |tx| {
            tx.query("delete from stock_alerts where offer = $1").bind(offer.0).execute().await?;
            Ok(())
        })
        .await
    }
}
