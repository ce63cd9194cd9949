//! The data of a show's report: viewers by minute and pins, which are kept only for it, and sums of orders (`order_sums.rs`). What a
//! demo's simulated viewers do ([`UserId::SIMULATED`](crate::domain::UserId::SIMULATED)) is left out.

use std::collections::HashMap;

use uuid::Uuid;

use super::address_retention::{CLOCKS_DIFFER_MS, ID_TIME_MAX};
use super::reservation::line_status;
use super::{Result, Store, require_known};
use crate::domain::report::{OfferSales, PinSpan};
use crate::domain::{Millis, OfferId, OrderId, OrderStatus, StreamId};

/// The minutes of a day: the most that a report shows.
const MINUTES_MAX: i64 = 1_440;
const PINS_MAX: i64 = 2_000;

type MinuteCounts = Vec<(Millis, i64)>;

/// A show's sales in a few numbers.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct SalesTotals {
    pub orders_held: i64,
    pub orders_paid: i64,
    pub units_paid: i64,
    pub amount_paid: i64,
    pub orders_refunded: i64,
    pub amount_refunded: i64,
    pub orders_expired: i64,
    pub orders_cancelled: i64,
}

/// The orders of one offer by status, with the units and the amount of those that are paid.
#[derive(Clone, Copy, Default)]
struct OrderFigures {
    held: i64,
    paid: i64,
    units: i64,
    amount: i64,
    refunded: i64,
    amount_refunded: i64,
    expired: i64,
    cancelled: i64,
}

/// The orders of one offer by status: what is summed, and what changed since. One statement, so that it sees one moment.
/// `$since`: the orders `o` that are not summed, of each row `m`; `$unsettled` and `$refunded`: the orders `o` of each row `u`.
macro_rules! order_figures {
    ($since:literal, $unsettled:literal, $refunded:literal) => {
        concat!(
            "with mine as materialized (select * from offer_sums where stream = $1),
            changing as (
                select o.offer, ",
            line_status!("o."),
            " as status, o.qty, o.amount - o.discount as amount from mine m ",
            $since,
            " union all
                select o.offer, ",
            line_status!("o."),
            ", o.qty, o.amount - o.discount from mine m join unsettled_orders u on u.offer = m.offer ",
            $unsettled,
            "),
            refunds_since as (
                select o.offer, o.qty, o.amount - o.discount as amount from unsummed_refunds u ",
            $refunded,
            " join mine m on m.offer = o.offer where o.place <= m.position
                    and not exists (select 1 from unsettled_orders x where x.order_id = u.order_id)
            ),
            -- Units that came back of lines of which others did not: the line still counts as paid.
            partly as (
                select r.offer, l.qty, l.goods as amount from refund_lines l
                    join refunds f on f.order_id = l.order_id and f.n = l.n
                    join reservations r on r.id = l.reservation
                    where l.stream = $1 and (f.status = 'done' or f.was_done = 1) and r.returned < r.qty and r.buyer not like 'crowd:%'
            )
            select offer, 'paid' as status, paid as orders, units_paid as units, amount_paid as amount from mine
            union all select offer, 'expired', expired, 0, 0 from mine
            union all select offer, 'cancelled', cancelled, 0, 0 from mine
            union all select offer, 'refunded', refunded, 0, amount_refunded from mine
            union all select offer, status, count(*), cast(sum(qty) as bigint), cast(sum(amount) as bigint) from changing
                group by offer, status
            union all select offer, 'paid', -count(*), cast(-sum(qty) as bigint), cast(-sum(amount) as bigint)
                from refunds_since group by offer
            union all select offer, 'refunded', count(*), 0, cast(sum(amount) as bigint) from refunds_since group by offer
            union all select offer, 'paid', 0, cast(-sum(qty) as bigint), cast(-sum(amount) as bigint) from partly group by offer
            union all select offer, 'refunded', 0, 0, cast(sum(amount) as bigint) from partly group by offer"
        )
    };
}

/// Written as joins, they turn into joins over the whole table once the statistics say so. `offset 0` keeps them look-ups.
const ORDER_FIGURES_ON_POSTGRES: &str = order_figures!(
    "cross join lateral (select * from reservations where offer = m.offer and place > m.position
        and buyer not like 'crowd:%' offset 0) o",
    "cross join lateral (select * from reservations where id = u.order_id offset 0) o",
    "cross join lateral (select * from reservations where id = u.order_id offset 0) o"
);
const ORDER_FIGURES_ON_SQLITE: &str = order_figures!(
    "join reservations o on o.offer = m.offer and o.place > m.position and o.buyer not like 'crowd:%'",
    "join reservations o on o.id = u.order_id",
    "join reservations o on o.id = u.order_id"
);

const ORDERS_BY_MINUTE_ON_POSTGRES: &str = "
    with mine as materialized (select offer, position from offer_sums where stream = $1)
    select minute, cast(sum(orders) as bigint) from (
        select minute, orders from orders_by_minute where stream = $1
        union all select o.created_at / 60000 * 60000, 1 from mine m
            cross join lateral (select created_at from reservations where offer = m.offer and place > m.position
                and buyer not like 'crowd:%' offset 0) o) counted
    group by minute order by minute desc limit $2";
const ORDERS_BY_MINUTE_ON_SQLITE: &str = "
    with mine as materialized (select offer, position from offer_sums where stream = $1)
    select minute, cast(sum(orders) as bigint) from (
        select minute, orders from orders_by_minute where stream = $1
        union all select o.created_at / 60000 * 60000, 1 from mine m
            join reservations o on o.offer = m.offer and o.place > m.position and o.buyer not like 'crowd:%') counted
    group by minute order by minute desc limit $2";

const FAILED_PAYMENTS_ON_POSTGRES: &str = "select count(*) from (select order_id from payments
        where status in ('declined', 'failed') and order_id >= $2 and order_id <= $3 offset 0) p
    cross join lateral (select offer, buyer from reservations where id = p.order_id offset 0) o
    where o.buyer not like 'crowd:%' and o.offer in (select offer from offer_sums where stream = $1)";
const FAILED_PAYMENTS_ON_SQLITE: &str = "select count(*) from payments p join reservations o on o.id = p.order_id
    where p.status in ('declined', 'failed') and p.order_id >= $2 and p.order_id <= $3 and o.buyer not like 'crowd:%'
        and o.offer in (select offer from offer_sums where stream = $1)";

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
        let read = self.choose(ORDERS_BY_MINUTE_ON_POSTGRES, ORDERS_BY_MINUTE_ON_SQLITE);
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
        let mut rows: MinuteCounts = self.report_query(read).bind(stream.0).bind(MINUTES_MAX).fetch_all().await?;
        rows.reverse();
        Ok(rows)
    }

    /// Reads which offers were pinned and how long, oldest first.
    pub async fn pin_spans(&self, stream: StreamId) -> Result<Vec<PinSpan>> {
        let read = "select offer, at, until from pins where stream = $1 order by at desc limit $2";
        let mut rows: Vec<(Uuid, i64, Option<i64>)> =
            self.report_query(read).bind(stream.0).bind(PINS_MAX).fetch_all().await?;
        rows.reverse();
        Ok(rows.into_iter().map(|(offer, at, until)| PinSpan { offer: OfferId(offer), at, until }).collect())
    }

    /// Sums up the sales of a show.
    pub async fn sales_totals(&self, stream: StreamId) -> Result<SalesTotals> {
        let mut totals = SalesTotals::default();
        for figures in self.order_figures(stream).await?.values() {
            totals.orders_held += figures.held;
            totals.orders_paid += figures.paid;
            totals.units_paid += figures.units;
            totals.amount_paid += figures.amount;
            totals.orders_refunded += figures.refunded;
            totals.amount_refunded += figures.amount_refunded;
            totals.orders_expired += figures.expired;
            totals.orders_cancelled += figures.cancelled;
        }
        Ok(totals)
    }

    /// Sums up the orders of each offer of a show by status, in the order of the line-up.
    pub async fn sales_by_offer(&self, stream: StreamId) -> Result<Vec<OfferSales>> {
        let sums = self.order_figures(stream).await?;
        let offers = self.offers_of_stream(stream).await?;
        Ok(offers
            .into_iter()
            .map(|offer| {
                let of = sums.get(&offer.id.0).copied().unwrap_or_default();
                OfferSales {
                    offer: offer.id,
                    title: offer.title,
                    titles: offer.titles,
                    variant_name: offer.variant_name,
                    variant_names: offer.variant_names,
                    kind: offer.kind,
                    price: offer.terms.price,
                    opens_at: offer.terms.opens_at,
                    closes_at: offer.terms.closes_at,
                    paid: of.paid,
                    held: of.held,
                    expired: of.expired,
                    cancelled: of.cancelled,
                    refunded: of.refunded,
                    units: of.units,
                    amount: of.amount,
                }
            })
            .collect())
    }

    async fn order_figures(&self, stream: StreamId) -> Result<HashMap<Uuid, OrderFigures>> {
        let read = self.choose(ORDER_FIGURES_ON_POSTGRES, ORDER_FIGURES_ON_SQLITE);
        let rows: Vec<(Uuid, String, i64, i64, i64)> = self.report_query(read).bind(stream.0).fetch_all().await?;
        let mut sums: HashMap<Uuid, OrderFigures> = HashMap::new();
        for (offer, status, orders, units, amount) in rows {
            let of = sums.entry(offer).or_default();
            match require_known(OrderStatus::parse(&status), "order status", &status)? {
                OrderStatus::Paid => {
                    of.paid += orders;
                    of.units += units;
                    of.amount += amount;
                }
                OrderStatus::Refunded => {
                    of.refunded += orders;
                    of.amount_refunded += amount;
                }
                OrderStatus::Expired => of.expired += orders,
                OrderStatus::Cancelled => of.cancelled += orders,
                OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Placed => of.held += orders,
            }
        }
        Ok(sums)
    }

    /// Counts the payment attempts of a show that were declined or failed.
    pub async fn count_failed_payments(&self, stream: StreamId) -> Result<i64> {
        let read = "select created_at, ended_at from streams where id = $1";
        let show: Option<(i64, Option<i64>)> = self.report_query(read).bind(stream.0).fetch_optional().await?;
        let Some((created_at, ended_at)) = show else { return Ok(0) };
        // An order's id begins with its time, so only the failed payments of those days are looked at.
        let first = OrderId::first_at(created_at.saturating_sub(CLOCKS_DIFFER_MS));
        let last =
            OrderId::first_at(ended_at.map_or(ID_TIME_MAX, |at| at.saturating_add(CLOCKS_DIFFER_MS)).min(ID_TIME_MAX));
        let read = self.choose(FAILED_PAYMENTS_ON_POSTGRES, FAILED_PAYMENTS_ON_SQLITE);
        self.report_query(read).bind(stream.0).bind(first.0).bind(last.0).fetch_value().await
    }
}
