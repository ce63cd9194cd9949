//! What a show's report is made of: viewers by minute and pins, which nothing else keeps, and sums of what others keep.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Result, Store, in_transaction, on_reader};
use crate::domain::report::{OfferSales, PinSpan};
use crate::domain::{Millis, OfferId, StreamId};

/// A day of minutes: what a report shows at most.
const MINUTES_MAX: i64 = 1_440;
const PINS_MAX: i64 = 2_000;

type MinuteCounts = Vec<(Millis, i64)>;

impl Store {
    /// Keeps the most who watched in each of these minutes. Every node writes what it knows; the largest stays.
    pub async fn record_viewers(&self, seen: &[(StreamId, Millis, i64)]) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let set = "insert into minutes (stream, minute, viewers) values ($1, $2, $3)
                on conflict (stream, minute) do update set viewers = excluded.viewers
                where minutes.viewers < excluded.viewers";
            for (stream, minute, viewers) in seen {
                sqlx::query(set).bind(stream.0).bind(minute).bind(viewers).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Who watched, by minute: the last day of them, oldest first.
    pub async fn viewers_by_minute(&self, stream: StreamId) -> Result<MinuteCounts> {
        let read = "select minute, viewers from minutes where stream = $1 order by minute desc limit $2";
        self.counts_by_minute(read, stream).await
    }

    /// Orders placed, by minute, whatever became of them.
    pub async fn orders_by_minute(&self, stream: StreamId) -> Result<MinuteCounts> {
        let read = "select created_at / 60000 * 60000 as at, cast(count(*) as bigint) from orders
            where offer in (select id from offers where stream = $1) group by 1 order by 1 desc limit $2";
        self.counts_by_minute(read, stream).await
    }

    /// Messages that stand, by minute.
    pub async fn messages_by_minute(&self, stream: StreamId) -> Result<MinuteCounts> {
        let read = "select at / 60000 * 60000 as minute, cast(count(*) as bigint) from messages
            where stream = $1 and status = 'said' and deleted_by is null group by 1 order by 1 desc limit $2";
        self.counts_by_minute(read, stream).await
    }

    async fn counts_by_minute(&self, read: &'static str, stream: StreamId) -> Result<MinuteCounts> {
        let mut rows: MinuteCounts = on_reader!(self, pool =>
            sqlx::query_as(read).bind(stream.0).bind(MINUTES_MAX).fetch_all(pool).await?);
        rows.reverse();
        Ok(rows)
    }

    /// What was pinned, oldest first.
    pub async fn pin_spans(&self, stream: StreamId) -> Result<Vec<PinSpan>> {
        let read = "select offer, at, until from pins where stream = $1 order by at desc limit $2";
        let mut rows: Vec<(Uuid, i64, Option<i64>)> = on_reader!(self, pool =>
            sqlx::query_as(read).bind(stream.0).bind(PINS_MAX).fetch_all(pool).await?);
        rows.reverse();
        Ok(rows.into_iter().map(|(offer, at, until)| PinSpan { offer: OfferId(offer), at, until }).collect())
    }

    /// Every offer of a show and what became of its orders, in the order in which they were made.
    pub async fn sales_by_offer(&self, stream: StreamId) -> Result<Vec<OfferSales>> {
        let read =
            "select offer, status, cast(count(*) as bigint), cast(sum(qty) as bigint), cast(sum(amount) as bigint)
            from orders where offer in (select id from offers where stream = $1) group by offer, status";
        type Row = (Uuid, String, i64, i64, i64);
        let rows: Vec<Row> = on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_all(pool).await?);
        let mut sums: HashMap<Uuid, Vec<(String, i64, i64, i64)>> = HashMap::new();
        for (offer, status, orders, units, amount) in rows {
            sums.entry(offer).or_default().push((status, orders, units, amount));
        }
        let offers = self.offers_of_stream(stream).await?;
        Ok(offers
            .into_iter()
            .map(|offer| {
                let mut sales = OfferSales {
                    offer: offer.id,
                    title: offer.title,
                    titles: offer.titles,
                    variant_name: offer.variant_name,
                    variant_names: offer.variant_names,
                    kind: offer.kind,
                    price: offer.terms.price,
                    opens_at: offer.terms.opens_at,
                    closes_at: offer.terms.closes_at,
                    paid: 0,
                    held: 0,
                    expired: 0,
                    cancelled: 0,
                    refunded: 0,
                    units: 0,
                    amount: 0,
                };
                for (status, orders, units, amount) in sums.remove(&offer.id.0).unwrap_or_default() {
                    match status.as_str() {
                        "paid" => (sales.paid, sales.units, sales.amount) = (orders, units, amount),
                        "expired" => sales.expired = orders,
                        "cancelled" => sales.cancelled = orders,
                        "refunded" => sales.refunded = orders,
                        _ => sales.held += orders,
                    }
                }
                sales
            })
            .collect())
    }

    /// Tries to take money in a show that came to nothing.
    pub async fn count_failed_payments(&self, stream: StreamId) -> Result<i64> {
        let read = "select cast(count(*) as bigint) from payments p join orders o on o.id = p.order_id
            where o.offer in (select id from offers where stream = $1) and p.status in ('declined', 'failed')";
        Ok(on_reader!(self, pool => sqlx::query_scalar(read).bind(stream.0).fetch_one(pool).await?))
    }
}
