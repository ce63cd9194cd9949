//! Purchases that are in no order become a new one, in as few round trips as possible: most bags begin so. The orders of many buyers are
//! opened together in `open_new_orders.rs`.

use super::open_order::{IS_NOTED_ON_SQLITE, is_noted, move_what_was_noted, reservations};
use super::reservation::{ReservationRow, reservations};
use super::transaction::Transaction;
use super::{Result, ids_to_json};
use crate::domain::{Order, OrderHeader, OrderId, Refusal, Reservation, ReservationId, UserId, check_joinable};

/// Locks reservations of the buyer `$2` if all that were given are in no order, and the buyer has no open order in their show; none of them
/// otherwise.
const LOCK_ON_POSTGRES: &str = reservations!(
    "select",
    "from reservations r where r.id = any (array(select value::uuid from json_array_elements_text($1::json)))
        and r.buyer = $2 and r.order_id is null
        and not exists (select 1 from reservations g
            where g.id = any (array(select value::uuid from json_array_elements_text($1::json)))
                and (g.order_id is not null or g.buyer <> $2))
        and not exists (select 1 from orders o where o.buyer = $2 and o.stream = r.stream and o.status = 'open')
        order by r.id for no key update of r"
);
const LOCK_ON_SQLITE: &str = reservations!(
    "select",
    "from reservations r where r.id in (select unhex(value) from json_each($1)) and r.buyer = $2 and r.order_id is null
        and not exists (select 1 from reservations g where g.id in (select unhex(value) from json_each($1))
            and (g.order_id is not null or g.buyer <> $2))
        and not exists (select 1 from orders o where o.buyer = $2 and o.stream = r.stream and o.status = 'open')
        order by r.id"
);

/// The order `$2` with the lines `$1`. Gives its number, and whether anything was noted on the lines; no row: the buyer has opened another
/// order in that show.
const OPEN_ON_POSTGRES: &str = concat!(
    "with at as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now),
    made as (insert into orders (id, stream, buyer, status, currency, created_at, changed_at)
        values ($2, $3, $4, 'open', $5, $6, (select now from at)) on conflict do nothing returning number),
    joined as (update reservations set order_id = $2, version = version + 1, changed_at = (select now from at)
        where id = any (array(select value::uuid from json_array_elements_text($1::json)))
            and exists (select 1 from made))
    select number, ",
    is_noted!("select value::uuid from json_array_elements_text($1::json)"),
    " from made"
);

const INSERT_ON_SQLITE: &str =
    "insert into orders (id, number, stream, buyer, status, currency, created_at, changed_at)
    select $1, (select coalesce(max(o.number), 1000) + 1 from orders o), $2, $3, 'open', $4, $5, $6 where true
    on conflict do nothing returning number";
const JOIN_ON_SQLITE: &str = "update reservations set order_id = $2, version = version + 1, changed_at = $3
    where id in (select unhex(value) from json_each($1))";

/// `None`: some of them are in an order, or the buyer has an open one, or they are not the buyer's.
pub(super) async fn open_new_order(
    tx: &mut Transaction<'_>,
    buyer: &UserId,
    ids: &[ReservationId],
) -> Result<Option<Order>> {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let given = ids_to_json(distinct.iter().map(|id| id.0))?;
    let lock = tx.choose(LOCK_ON_POSTGRES, LOCK_ON_SQLITE);
    let rows: Vec<ReservationRow> = tx.query(lock).bind(&given).bind(buyer.as_str()).fetch_all().await?;
    let mut lines = reservations(rows)?;
    if lines.is_empty() || lines.len() != distinct.len() {
        return Ok(None);
    }
    check_joinable(&lines)?;
    let id = lines[0].id;
    // Another request of this buyer has opened an order with other reservations at the same moment.
    let made = open(tx, &lines[0], &given).await?;
    let (number, is_noted) = made.ok_or(Refusal::Busy { retry_ms: 100 })?;
    if is_noted {
        move_what_was_noted(tx, id, &given).await?;
    }
    for line in &mut lines {
        line.order = Some(id);
        line.version += 1;
    }
    let mut lines = lines.into_iter();
    let header = OrderHeader { number: Some(number), ..OrderHeader::default() };
    Ok(lines.next().map(|first| Order::of_lines(header, first, lines.collect())))
}

/// Makes the row of the order, and the reservations its lines.
async fn open(tx: &mut Transaction<'_>, first: &Reservation, given: &str) -> Result<Option<(i64, bool)>> {
    let (id, stream, buyer): (OrderId, _, _) = (first.id, first.stream.0, first.buyer.as_str());
    if matches!(tx, Transaction::Postgres(_)) {
        let query = tx.query(OPEN_ON_POSTGRES).bind(given).bind(id.0).bind(stream).bind(buyer);
        return query.bind(&first.currency).bind(first.created_at).fetch_optional().await;
    }
    let now = tx.now().await?;
    let insert = tx.query(INSERT_ON_SQLITE).bind(id.0).bind(stream).bind(buyer);
    let insert = insert.bind(&first.currency).bind(first.created_at).bind(now);
    let Some(number) = insert.fetch_optional_value::<i64>().await? else { return Ok(None) };
    tx.query(JOIN_ON_SQLITE).bind(given).bind(id.0).bind(now).execute().await?;
    Ok(Some((number, tx.query(IS_NOTED_ON_SQLITE).bind(given).fetch_value().await?)))
}
