//! The data of a show's report: viewers by minute and pins, which are kept only for it, and sums of other tables. What a demo's
//! simulated viewers do ([`UserId::SIMULATED`](crate::domain::UserId::SIMULATED)) is left out.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Result, Store};
use crate::domain::report::{OfferSales, PinSpan};
use crate::domain::{Millis, OfferId, StreamId};

/// The minutes of a day: the most that a report shows.
const MINUTES_MAX: i64 = 1_440;
const PINS_MAX: i64 = 2_000;

type MinuteCounts = Vec<(Millis, i64)>;

impl Store {
    /// Records the peak of viewers in each of these minutes. Every node writes the number that it knows; the largest
    /// stays.
    pub async fn record_viewers(&self, peaks: &[(StreamId, Millis, i64)]) -> Result<()> {
        self.transaction(async |tx| {
            let set = "insert into viewers_by_minute (stream, minute, viewers) values ($1, $2, $3)
                on conflict (stream, minute) do update set viewers = excluded.viewers
                where viewers_by_minute.viewers < excluded.viewers";
            for (stream, minute, viewers) in peaks {
                tx.query(set).bind(stream.0).bind(minute).bind(viewers).execute().await?;
            }
            Ok(())
        })
        .await
    }

    /// Reads the viewers by minute: the last day of minutes, oldest first.
    pub async fn viewers_by_minute(&self, stream: StreamId) -> Result<MinuteCounts> {
        let read = "select minute, viewers from viewers_by_minute where stream = $1 order by minute desc limit $2";
        self.counts_by_minute(read, stream).await
    }

    /// Counts the orders placed in each minute, whatever their status is now.
    pub async fn orders_by_minute(&self, stream: StreamId) -> Result<MinuteCounts> {
        let read = "select created_at / 60000 * 60000 as at, cast(count(*) as bigint) from orders
            where offer in (select id from offers where stream = $1) and buyer not like 'crowd:%'
            group by 1 order by 1 desc limit $2";
        self.counts_by_minute(read, stream).await
    }

    /// Counts the published messages of each minute that are not deleted.
    pub async fn messages_by_minute(&self, stream: StreamId) -> Result<MinuteCounts> {
        let read = "select at / 60000 * 60000 as minute, cast(count(*) as bigint) from messages
            where stream = $1 and status = 'published' and deleted_by is null and user_id not like 'crowd:%'
            group by 1 order by 1 desc limit $2";
        self.counts_by_minute(read, stream).await
    }

    async fn counts_by_minute(&self, read: &'static str, stream: StreamId) -> Result<MinuteCounts> {
        let mut rows: MinuteCounts = self.query(read).bind(stream.0).bind(MINUTES_MAX).fetch_all().await?;
        rows.reverse();
        Ok(rows)
    }

    /// Reads which offers were pinned and how long, oldest first.
    pub async fn pin_spans(&self, stream: StreamId) -> Result<Vec<PinSpan>> {
        let read = "select offer, at, until from pins where stream = $1 order by at desc limit $2";
        let mut rows: Vec<(Uuid, i64, Option<i64>)> =
            self.query(read).bind(stream.0).bind(PINS_MAX).fetch_all().await?;
        rows.reverse();
        Ok(rows.into_iter().map(|(offer, at, until)| PinSpan { offer: OfferId(offer), at, until }).collect())
    }

    /// Sums up the orders of each offer of a show by status, in the order of the line-up.
    pub async fn sales_by_offer(&self, stream: StreamId) -> Result<Vec<OfferSales>> {
        let read =
            "select offer, status, cast(count(*) as bigint), cast(sum(qty) as bigint), cast(sum(amount) as bigint)
            from orders where offer in (select id from offers where stream = $1) and buyer not like 'crowd:%'
            group by offer, status";
        type StatusRow = (Uuid, String, i64, i64, i64);
        let rows: Vec<StatusRow> = self.query(read).bind(stream.0).fetch_all().await?;
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

    /// Counts the payment attempts of a show that were declined or failed.
    pub async fn count_failed_payments(&self, stream: StreamId) -> Result<i64> {
        let read = "select cast(count(*) as bigint) from payments p join orders o on o.id = p.order_id
            where o.offer in (select id from offers where stream = $1) and o.buyer not like 'crowd:%'
            and p.status in ('declined', 'failed')";
        self.query(read).bind(stream.0).fetch_value().await
    }
}
