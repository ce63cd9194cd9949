//! Stock alerts: users who asked to be notified when units of an offer are back. They have a table of their own, so the
//! offer's hot row is never touched.

use uuid::Uuid;

use super::{Result, Store, ids_to_json};
use crate::domain::{OfferId, StreamId, UserId};

/// Offers that one query counts, so that none takes long.
const OFFERS_COUNTED_TOGETHER_MAX: usize = 1_000;

/// How many users have a stock alert for an offer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StockAlertCount {
    pub offer: OfferId,
    pub stream: StreamId,
    pub users: i64,
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

    /// Counts the stock alerts of these offers; an offer without any is not among the counts.
    pub async fn stock_alert_counts(&self, offers: &[OfferId]) -> Result<Vec<StockAlertCount>> {
        let read = self.choose(
            "select offer, stream, count(*) from stock_alerts
                where offer = any (array(select value::uuid from json_array_elements_text($1::json)))
                group by offer, stream order by offer",
            "select offer, stream, count(*) from stock_alerts where offer in (select unhex(value) from json_each($1))
                group by offer, stream order by offer",
        );
        let mut found = Vec::new();
        for offers in offers.chunks(OFFERS_COUNTED_TOGETHER_MAX) {
            let ids = ids_to_json(offers.iter().map(|id| id.0))?;
            let rows: Vec<(Uuid, Uuid, i64)> = self.query(read).bind(ids).fetch_all().await?;
            let count =
                |(offer, stream, users)| StockAlertCount { offer: OfferId(offer), stream: StreamId(stream), users };
            found.extend(rows.into_iter().map(count));
        }
        Ok(found)
    }

    /// Finds closed offers that have stock alerts, at most 100: an alert was added while the offer was being closed, or the node
    /// that closed it ended.
    pub async fn closed_offers_with_stock_alerts(&self) -> Result<Vec<OfferId>> {
        // Goes from offer to offer along the index, whatever the number of alerts.
        let read = "with recursive alerted (offer) as (
                select (select a.offer from stock_alerts a order by a.offer limit 1)
                union all
                select (select a.offer from stock_alerts a where a.offer > alerted.offer order by a.offer limit 1)
                    from alerted where alerted.offer is not null
            )
            select o.id from alerted join offers o on o.id = alerted.offer where o.stage = 'closed' limit 100";
        let ids: Vec<Uuid> = self.query(read).fetch_values().await?;
        Ok(ids.into_iter().map(OfferId).collect())
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
