//! Who waits for units to come back. A table of its own: the offer's hot row is never touched.

use uuid::Uuid;

use super::{Result, Store, in_transaction, now_in, on_reader};
use crate::domain::{Millis, OfferId, StreamId, UserId};

/// How many wait for an offer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StockAlertCount {
    pub offer: OfferId,
    pub stream: StreamId,
    pub users: i64,
    /// Nothing comes back there any more.
    pub closed: bool,
}

impl Store {
    /// Notes that somebody waits; twice is once. `false`: the offer is not on sale.
    pub async fn add_stock_alert(&self, offer: OfferId, user: &UserId) -> Result<bool> {
        let found = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let note = "insert into waiting (offer, user_id, stream, created_at)
                select o.id, $2, o.stream, $3 from offers o where o.id = $1 and o.stage in ('open', 'paused')
                on conflict (offer, user_id) do update set created_at = waiting.created_at";
            sqlx::query(note).bind(offer.0).bind(user.as_str()).bind(now).execute(&mut *tx).await?.rows_affected()
        });
        Ok(found > 0)
    }

    pub async fn remove_stock_alert(&self, offer: OfferId, user: &UserId) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let forget = "delete from waiting where offer = $1 and user_id = $2";
            sqlx::query(forget).bind(offer.0).bind(user.as_str()).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// What somebody waits for in a show.
    pub async fn stock_alerts_of(&self, user: &UserId, stream: StreamId) -> Result<Vec<OfferId>> {
        let read = "select offer from waiting where user_id = $1 and stream = $2 order by offer limit 500";
        let ids: Vec<Uuid> = on_reader!(self, pool =>
            sqlx::query_scalar(read).bind(user.as_str()).bind(stream.0).fetch_all(pool).await?);
        Ok(ids.into_iter().map(OfferId).collect())
    }

    /// How many wait, by offer: those of at most 10,000 offers.
    pub async fn stock_alert_counts(&self) -> Result<Vec<StockAlertCount>> {
        let read = "select c.offer, c.stream, c.people, o.stage = 'closed' from
                (select offer, stream, cast(count(*) as bigint) as people from waiting group by offer, stream) c
            join offers o on o.id = c.offer order by c.offer limit 10000";
        let rows: Vec<(Uuid, Uuid, i64, bool)> = on_reader!(self, pool => sqlx::query_as(read).fetch_all(pool).await?);
        let waiting = rows.into_iter().map(|(offer, stream, people, closed)| StockAlertCount {
            offer: OfferId(offer),
            stream: StreamId(stream),
            users: people,
            closed,
        });
        Ok(waiting.collect())
    }

    /// Forgets who waited for an offer.
    pub async fn delete_stock_alerts(&self, offer: OfferId) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            sqlx::query("delete from waiting where offer = $1").bind(offer.0).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
