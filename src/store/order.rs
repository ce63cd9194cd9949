//! Orders: their lines are reservations, and their own row has the number, the winning payment attempt and the time of payment.
//!
//! An order has the id of its first reservation. A purchase that nobody has paid or put together with others has no row of its own:
//! the selling path writes reservations only. A transaction that changes an order locks its lines in ascending order of their ids.
//!
//! A statement about the lines of one order compares `status || ''`, which fits no partial index. Until the first statistics of a new
//! table are there, PostgreSQL would read the index of all holds for it, and there may be 20,000.

use std::collections::HashMap;

use uuid::Uuid;

use super::quote::parse_quote;
use super::reservation::{ReservationRow, reservations};
use super::row::from_row;
use super::transaction::{Change, Transaction};
use super::{Error, Result, Store, ids_to_json, to_json};
use crate::domain::{
    IdempotencyKey, Millis, Order, OrderHeader, OrderId, OrderQuote, Placement, Refusal, RequestHash, Reservation,
    StreamId, UserId,
};

/// A line, with what the row of its order says.
struct OrderLineRow {
    number: Option<i64>,
    paid_at: Option<i64>,
    /// Only beside the first line: it is as long as all of them.
    quote: Option<String>,
    /// Only beside the first line too.
    placement: Option<String>,
    reservation: ReservationRow,
}

from_row!(OrderLineRow { number, paid_at, quote, placement } and reservation);

/// A query for lines of orders: what stands before the columns, and what after.
macro_rules! order_lines {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " select (select o.number from orders o where o.id = order_id) as number,
                (select o.paid_at from orders o where o.id = order_id) as paid_at,
                case when order_id = id then (select o.quote from orders o where o.id = order_id) end as quote,
                case when order_id = id then (select o.placement from orders o where o.id = order_id) end as placement,
                id, stream, offer, order_id, buyer, buyer_name, status, qty, returned, amount, currency, place, created_at,
                hold_until, reason, version ",
            $after
        )
    };
}

/// The status of the order with this id, by the same rule as [`Order::of_lines`].
macro_rules! order_status {
    ($id:literal) => {
        concat!(
            "(select case max(case l.status when 'capturing' then 7 when 'held' then 6 when 'placed' then 5
                    when 'sold' then case when l.returned < l.qty then 4 else 3 end
                    when 'cancelled' then case when l.reason in ('shop_cancel', 'not_paid_in_time', 'capture_failed')
                        then 2 else 0 end
                    when 'expired' then 1 else 0 end)
                when 7 then 'capturing' when 6 then 'held' when 5 then 'placed' when 4 then 'paid' when 3 then 'refunded'
                when 1 then 'expired' else 'cancelled' end
            from reservations l where l.order_id = ",
            $id,
            " or l.id = ",
            $id,
            ")"
        )
    };
}

pub(super) use order_status;

/// The whole order of any of its reservations.
const SELECT_ORDER: &str = order_lines!(
    "",
    "from reservations where id = $1 or order_id = (select r.order_id from reservations r where r.id = $1) order by id"
);

/// The result of a `cancel` with an idempotency key. (A key of `pay` is kept with its payment attempt, a key of
/// `refund` with its refund.)
#[derive(Clone, PartialEq, Debug)]
pub struct IdempotencyRecord {
    pub verb: &'static str,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub order: OrderId,
    /// `None`: the result is the order as it is now. Otherwise the code of the refusal.
    pub code: Option<&'static str>,
}

/// So many events of the outbox are counted at most.
const OUTBOX_COUNTED_MAX: i64 = 10_000;

/// A row of the outbox: an event that is delivered at least once.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxEvent {
    pub id: Uuid,
    pub topic: String,
    pub body: String,
    pub created_at: Millis,
}

/// Orders of several buyers. Materialized, because the planner would otherwise follow `order by id` and read everybody's.
const RECENT_ORDERS_ON_POSTGRES: &str = order_lines!(
    "with theirs as materialized (select * from reservations
        where buyer = any (array(select json_array_elements_text($1::json)))),
    changed as (select coalesce(order_id, id) as order_id, max(id::text) as latest from theirs
        where status in ('held', 'capturing') or changed_at > $2 group by 1 order by 2 desc limit 2000)",
    "from theirs where coalesce(order_id, id) in (select c.order_id from changed c) order by id desc"
);
const RECENT_ORDERS_ON_SQLITE: &str = order_lines!(
    "with theirs as materialized (select * from reservations where buyer in (select value from json_each($1))),
    changed as (select coalesce(order_id, id) as order_id, max(id) as latest from theirs
        where status in ('held', 'capturing') or changed_at > $2 group by 1 order by 2 desc limit 2000)",
    "from theirs where coalesce(order_id, id) in (select c.order_id from changed c) order by id desc"
);

/// A page of a buyer's orders. Materialized: otherwise the planner may read all reservations from the newest on, looking for those of
/// the buyer.
const ORDERS_OF_BUYER: &str = order_lines!(
    "with mine as materialized (select * from reservations where buyer = $1),
    page as (select id as page_id from mine where id < $2 and (order_id is null or order_id = id) and ($3 or stream = $4)
        order by id desc limit $5)",
    "from mine where coalesce(order_id, id) in (select page_id from page) order by id desc"
);

const ORDERS_BY_ID_ON_POSTGRES: &str = order_lines!(
    "",
    "from reservations where id = any (array(select value::uuid from json_array_elements_text($1::json)))
        or order_id = any (array(select value::uuid from json_array_elements_text($1::json)))"
);
const ORDERS_BY_ID_ON_SQLITE: &str = order_lines!(
    "",
    "from reservations where id in (select unhex(value) from json_each($1))
        or order_id in (select unhex(value) from json_each($1))"
);

/// Puts lines together to orders. The orders come in the order of their first line in `rows`.
fn into_orders(rows: Vec<OrderLineRow>) -> Result<Vec<Order>> {
    let mut found: Vec<(OrderHeader, Vec<Reservation>)> = Vec::new();
    let mut places: HashMap<OrderId, usize> = HashMap::new();
    for OrderLineRow { number, paid_at, quote, placement, reservation } in rows {
        let line = reservation.into_reservation()?;
        let place = *places.entry(line.order_id()).or_insert(found.len());
        let quote = quote.as_deref().map(parse_quote).transpose()?.map(Box::new);
        let placement = placement.as_deref().map(parse_placement).transpose()?;
        match found.get_mut(place) {
            Some((header, lines)) => {
                header.quote = header.quote.take().or(quote);
                header.placement = header.placement.or(placement);
                lines.push(line);
            }
            None => found.push((OrderHeader { number, paid_at, quote, placement }, vec![line])),
        }
    }
    let order = |(header, mut lines): (OrderHeader, Vec<Reservation>)| {
        lines.sort_unstable_by_key(|line| line.id);
        let mut lines = lines.into_iter();
        let first = lines.next()?;
        Some(Order::of_lines(header, first, lines.collect()))
    };
    Ok(found.into_iter().filter_map(order).collect())
}

fn parse_placement(text: &str) -> Result<Placement> {
    serde_json::from_str(text).map_err(|error| Error::CorruptRow(format!("placement of an order: {error}")))
}

/// Reads an order in a transaction.
pub(super) async fn read_order(tx: &mut Transaction<'_>, id: OrderId) -> Result<Order> {
    let rows: Vec<OrderLineRow> = tx.query(SELECT_ORDER).bind(id.0).fetch_all().await?;
    Ok(into_orders(rows)?.pop().ok_or(Refusal::NoSuchOrder)?)
}

/// Locks the lines of an order against its payment, whatever became of them.
pub(super) async fn lock_lines(tx: &mut Transaction<'_>, id: OrderId) -> Result<()> {
    if matches!(tx, Transaction::Postgres(_)) {
        let lock = "select id from reservations where id = $1 or order_id = $1 order by id for no key update";
        tx.query(lock).bind(id.0).fetch_values::<Uuid>().await?;
    }
    Ok(())
}

/// Locks the lines of an order, and gives the order without its number. Every change of an order or of its payment attempts holds
/// this lock, so what is read after it is current. Busy: lines joined or left the order while the lock was waited for.
pub(super) async fn lock_order(tx: &mut Transaction<'_>, id: OrderId) -> Result<Order> {
    Ok(lock_order_now(tx, id).await?.0)
}

/// The same, with the time at which it was locked.
pub(super) async fn lock_order_now(tx: &mut Transaction<'_>, id: OrderId) -> Result<(Order, Millis)> {
    let lock = tx.choose(
        reservations!("select", "from reservations where id = $1 or order_id = $1 order by id for no key update"),
        reservations!("select", "from reservations where id = $1 or order_id = $1 order by id"),
    );
    let rows: Vec<ReservationRow> = tx.query(lock).bind(id.0).fetch_all().await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let line = row.into_reservation()?;
        if line.order_id() != id {
            // It was put into another order a moment ago.
            return Err(Refusal::Busy { retry_ms: 100 }.into());
        }
        lines.push(line);
    }
    // PostgreSQL rechecks the rows that it found before it waited, and does not look for others.
    let now = match tx {
        Transaction::Postgres(_) => {
            let count = "select count(*), (extract(epoch from clock_timestamp()) * 1000)::bigint
                from reservations where id = $1 or order_id = $1";
            let (count, now): (i64, i64) = tx.query(count).bind(id.0).fetch_one().await?;
            if count != lines.len() as i64 {
                return Err(Refusal::Busy { retry_ms: 100 }.into());
            }
            now
        }
        Transaction::Sqlite(..) => tx.now().await?,
    };
    let mut lines = lines.into_iter();
    let first = lines.next().ok_or(Refusal::NoSuchOrder)?;
    Ok((Order::of_lines(OrderHeader::default(), first, lines.collect()), now))
}

/// Gives a purchase its own row as an order that is being paid, and makes it the line of that order.
const PAY_PURCHASE: Change = Change {
    postgres: &["with line as (update reservations set order_id = id where id = $1)
        insert into orders (id, stream, buyer, status, currency, created_at, changed_at, quote, total, joins)
            values ($1, $2, $3, 'paying', $4, $5, $6, $7, $8, $9)"],
    sqlite: &[
        "insert into orders (id, number, stream, buyer, status, currency, created_at, changed_at, quote, total, joins)
            select $1, (select coalesce(max(o.number), 1000) + 1 from orders o), $2, $3, 'paying', $4, $5, $6, $7, $8, $9",
        "update reservations set order_id = id where id = $1",
    ],
};

/// Notes that a locked order is being paid, and for what amount: from now on no line joins it. It gets its own row if it has none. The split
/// of a discount is written to the lines, where reports read it.
pub(super) async fn begin_paying(
    tx: &mut Transaction<'_>,
    order: &Order,
    quote: &OrderQuote,
    now: Millis,
) -> Result<()> {
    let (frozen, joins) = (to_json(quote)?, quote.joins.map(|parcel| parcel.0));
    let line = order.first_line();
    if line.order.is_none() {
        for text in tx.choose_change(&PAY_PURCHASE) {
            let insert = tx.query(text).bind(line.id.0).bind(line.stream.0).bind(line.buyer.as_str());
            let insert = insert.bind(&line.currency).bind(line.created_at).bind(now);
            insert.bind(&frozen).bind(quote.total).bind(joins).execute().await?;
        }
    } else {
        let set =
            "update orders set status = 'paying', quote = $2, total = $3, joins = $4, changed_at = $5 where id = $1";
        let set = tx.query(set).bind(order.id.0).bind(&frozen).bind(quote.total);
        set.bind(joins).bind(now).execute().await?;
    }
    if quote.coupon.is_some() {
        for line in &quote.lines {
            let split = "update reservations set discount = $2 where id = $1 and discount <> $2";
            tx.query(split).bind(line.reservation.0).bind(line.discount).execute().await?;
        }
    }
    Ok(())
}

impl Store {
    /// Reads the order of any of its reservations.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>> {
        let rows: Vec<OrderLineRow> = self.query(SELECT_ORDER).bind(id.0).fetch_all().await?;
        Ok(into_orders(rows)?.pop())
    }

    /// Reads several orders by their own ids, in no order.
    pub async fn orders_by_id(&self, ids: &[OrderId]) -> Result<Vec<Order>> {
        let read = self.choose(ORDERS_BY_ID_ON_POSTGRES, ORDERS_BY_ID_ON_SQLITE);
        let rows: Vec<OrderLineRow> =
            self.query(read).bind(ids_to_json(ids.iter().map(|id| id.0))?).fetch_all().await?;
        into_orders(rows)
    }

    /// Reads a page of a buyer's orders, newest first, before `after`.
    pub async fn orders_of_buyer(
        &self,
        buyer: &UserId,
        stream: Option<StreamId>,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Order>> {
        let before = after.map_or(Uuid::max(), |id| id.0);
        let (any, stream) = (stream.is_none(), stream.map_or(Uuid::nil(), |id| id.0));
        let query = self.query(ORDERS_OF_BUYER).bind(buyer.as_str()).bind(before).bind(any).bind(stream).bind(limit);
        let mut orders = into_orders(query.fetch_all().await?)?;
        orders.sort_unstable_by_key(|order| std::cmp::Reverse(order.id));
        Ok(orders)
    }

    /// Reads the orders of these buyers that are undecided or changed after `since`: the newest, at most 2,000.
    pub async fn recent_orders_of(&self, buyers: &[UserId], since: Millis) -> Result<Vec<Order>> {
        let read = self.choose(RECENT_ORDERS_ON_POSTGRES, RECENT_ORDERS_ON_SQLITE);
        let buyers = to_json(&buyers.iter().map(UserId::as_str).collect::<Vec<_>>())?;
        into_orders(self.query(read).bind(buyers).bind(since).fetch_all().await?)
    }

    /// Records the result of a request with an idempotency key; the first record stays.
    pub async fn insert_idempotency_record(&self, buyer: &UserId, record: &IdempotencyRecord) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            insert_idempotency_record(tx, buyer, record, now).await
        })
        .await
    }

    /// Reads the recorded result of an idempotency key: its order and, if the request was refused, the refusal's code.
    pub async fn find_idempotency_record(
        &self,
        buyer: &UserId,
        verb: &str,
        key: &IdempotencyKey,
    ) -> Result<Option<(RequestHash, OrderId, Option<String>)>> {
        let read = "select hash, subject_id, code from idempotency_keys where buyer = $1 and verb = $2 and key = $3";
        let row: Option<(Vec<u8>, Uuid, Option<String>)> =
            self.query(read).bind(buyer.as_str()).bind(verb).bind(key.as_str()).fetch_optional().await?;
        row.map(|(hash, order, code)| {
            let hash = hash.try_into().map_err(|_| Error::CorruptRow("hash of an idempotency key".to_owned()))?;
            Ok((hash, OrderId(order), code))
        })
        .transpose()
    }

    /// Reads the oldest events of the outbox: those that are not delivered yet.
    pub async fn outbox_events(&self, limit: i64) -> Result<Vec<OutboxEvent>> {
        let read = "select id, topic, body, created_at from outbox order by id limit $1";
        let rows: Vec<(Uuid, String, String, i64)> = self.query(read).bind(limit).fetch_all().await?;
        Ok(rows.into_iter().map(|(id, topic, body, created_at)| OutboxEvent { id, topic, body, created_at }).collect())
    }

    /// Counts the events that wait in the outbox, up to [`OUTBOX_COUNTED_MAX`]: it is asked often while there are many.
    pub async fn count_outbox_events(&self) -> Result<u64> {
        let count = "select cast(count(*) as bigint) from (select id from outbox limit $1) waiting";
        let events: i64 = self.query(count).bind(OUTBOX_COUNTED_MAX).fetch_value().await?;
        Ok(events.unsigned_abs())
    }

    /// Removes delivered events from the outbox. Gives the ids of those that this call removed: another node may have removed some
    /// first.
    pub async fn delete_outbox_events(&self, events: &[Uuid]) -> Result<Vec<Uuid>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let delete = self.choose(
            "delete from outbox
                where id = any (array(select value::uuid from json_array_elements_text($1::json))) returning id",
            "delete from outbox where id in (select unhex(value) from json_each($1)) returning id",
        );
        let events = ids_to_json(events.iter().copied())?;
        self.transaction(async |tx| tx.query(delete).bind(events).fetch_values().await).await
    }
}

pub(super) async fn insert_idempotency_record(
    tx: &mut Transaction<'_>,
    buyer: &UserId,
    record: &IdempotencyRecord,
    now: Millis,
) -> Result<()> {
    let insert = "insert into idempotency_keys (buyer, verb, key, hash, subject_id, code, created_at)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (buyer, verb, key) do nothing";
    tx.query(insert)
        .bind(buyer.as_str())
        .bind(record.verb)
        .bind(record.key.as_str())
        .bind(&record.hash[..])
        .bind(record.order.0)
        .bind(record.code)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::clock::Clock;

    /// The plan of PostgreSQL is tested in `tests/it/contract_store/query_plans.rs`, by what it reads.
    #[tokio::test]
    async fn recent_orders_are_found_by_index_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("shop.db").display());
        let Store::Sqlite(db) = Store::open(&url, Clock::system(), 1).await.unwrap() else { panic!("SQLite") };
        let explain = AssertSqlSafe(format!("explain query plan {RECENT_ORDERS_ON_SQLITE}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).bind("[]").bind(0).fetch_all(db.readers()).await.unwrap();
        let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
        assert!(steps.iter().any(|step| step.starts_with("SEARCH reservations USING INDEX")), "{steps:?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN reservations")), "{steps:?}");
    }
}
