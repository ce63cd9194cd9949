//! The new orders of many buyers in one transaction: it takes as many round trips as the order of one buyer (`open_new_order.rs`).

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use super::open_new_order::open_new_order;
use super::open_order::{move_what_was_noted, reservations};
use super::quote::{quote_of, quotes_without_coupons};
use super::reservation::{ReservationRow, reservations};
use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json, to_json};
use crate::domain::{
    Millis, Order, OrderHeader, OrderId, OrderQuote, QuoteRules, Reservation, ReservationId, StreamId, UserId,
    check_joinable,
};

/// A buyer, and the reservations that become one order.
#[derive(Clone, Debug)]
pub struct OrderToOpen {
    pub buyer: UserId,
    pub reservations: Vec<ReservationId>,
}

/// An order that was opened, and what it costs.
pub type OpenedOrder = (Order, Option<OrderQuote>);

/// Locks those of the reservations `$1` that are in no order, of buyers without an open order in that show. One that another transaction
/// has locked is left out, so that nobody waits for the others' locks.
const LOCK_ON_POSTGRES: &str = reservations!(
    "select",
    "from reservations r where r.id = any (array(select value::uuid from json_array_elements_text($1::json)))
        and r.order_id is null
        and not exists (select 1 from orders o where o.buyer = r.buyer and o.stream = r.stream and o.status = 'open')
        order by r.id for no key update of r skip locked"
);

/// The orders `$1`, with the lines `$2`. Gives the number of each order that was made, the lines on which something was noted, and those
/// whose buyer may have a coupon. An order is not made if its buyer has opened another one in that show. Counts, because subqueries with
/// `exists` become joins, which read whole tables where the plan was made while they were small.
const OPEN_ON_POSTGRES: &str = "with at as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now),
    made as (insert into orders (id, stream, buyer, status, currency, created_at, changed_at)
        select g.id, g.stream, g.buyer, 'open', g.currency, g.created_at, (select now from at)
            from json_to_recordset($1::json) as g(id uuid, stream uuid, buyer text, currency text, created_at bigint)
        on conflict do nothing returning id, number, buyer),
    joined as (update reservations r set order_id = m.id, version = r.version + 1, changed_at = (select now from at)
        from made m where r.buyer = m.buyer
            and r.id = any (array(select value::uuid from json_array_elements_text($2::json))))
    select 'made', id, number from made
    union all select 'noted', order_id, 0 from addresses
        where order_id = any (array(select value::uuid from json_array_elements_text($2::json)))
    union all select 'noted', order_id, 0 from order_links
        where order_id = any (array(select value::uuid from json_array_elements_text($2::json)))
    union all select 'noted', order_id, 0 from order_notes
        where order_id = any (array(select value::uuid from json_array_elements_text($2::json)))
    union all select 'noted', order_id, 0 from order_tags
        where order_id = any (array(select value::uuid from json_array_elements_text($2::json)))
    union all select 'coupon', u.order_id, 0 from coupon_uses u
        where u.order_id = any (array(select value::uuid from json_array_elements_text($2::json)))
    union all select 'coupon', r.id, 0 from reservations r
        where r.id = any (array(select value::uuid from json_array_elements_text($2::json)))
            and (select count(*) from coupon_claims l where l.person = r.person) > 0";

/// A row of a new order, as the database gets it.
#[derive(Serialize)]
struct NewOrderRow<'a> {
    id: OrderId,
    stream: StreamId,
    buyer: &'a str,
    currency: &'a str,
    created_at: Millis,
}

/// What the database says of the orders that were made.
#[derive(Default)]
struct Made {
    numbers: HashMap<Uuid, i64>,
    noted: HashSet<Uuid>,
    with_coupon: HashSet<Uuid>,
}

impl Store {
    /// Opens the orders of buyers who have none in that show. Each buyer is given once. `None` for one that is not so simple, or that
    /// would have to wait for a lock: [`open_and_quote_order`](Store::open_and_quote_order) opens or refuses it.
    pub async fn open_new_orders(&self, orders: &[OrderToOpen], rules: QuoteRules) -> Result<Vec<Option<OpenedOrder>>> {
        self.transaction(async |tx| match tx {
            Transaction::Postgres(_) => open_on_postgres(tx, orders, rules).await,
            Transaction::Sqlite(..) => {
                let mut opened = Vec::with_capacity(orders.len());
                for order in orders {
                    opened.push(open_on_sqlite(tx, order, rules).await?);
                }
                Ok(opened)
            }
        })
        .await
    }
}

/// A round trip costs nothing here, and one commit for all of them is what counts.
async fn open_on_sqlite(tx: &mut Transaction<'_>, new: &OrderToOpen, rules: QuoteRules) -> Result<Option<OpenedOrder>> {
    let opened = match open_new_order(tx, &new.buyer, &new.reservations).await {
        // Nothing was written.
        Err(Error::Refused(_)) => None,
        other => other?,
    };
    let Some(order) = opened else { return Ok(None) };
    let quote = quote_of(tx, &order, rules).await?;
    Ok(Some((order, quote)))
}

async fn open_on_postgres(
    tx: &mut Transaction<'_>,
    orders: &[OrderToOpen],
    rules: QuoteRules,
) -> Result<Vec<Option<OpenedOrder>>> {
    let given = ids_to_json(orders.iter().flat_map(|order| &order.reservations).map(|id| id.0))?;
    let rows: Vec<ReservationRow> = tx.query(LOCK_ON_POSTGRES).bind(given).fetch_all().await?;
    let mut free: HashMap<ReservationId, Reservation> =
        reservations(rows)?.into_iter().map(|line| (line.id, line)).collect();
    let lines: Vec<Option<Vec<Reservation>>> = orders.iter().map(|order| take_lines(&mut free, order)).collect();
    let made = make_orders(tx, &lines).await?;
    let mut opened: Vec<Option<OpenedOrder>> =
        lines.into_iter().map(|lines| Some((made.order_of(lines?)?, None))).collect();
    quote_orders(tx, &mut opened, &made, rules).await?;
    Ok(opened)
}

/// The lines of an order, by their ids, if all of them are there and can be its lines.
fn take_lines(free: &mut HashMap<ReservationId, Reservation>, order: &OrderToOpen) -> Option<Vec<Reservation>> {
    let mut ids = order.reservations.clone();
    ids.sort_unstable();
    ids.dedup();
    let is_free = |id: &ReservationId| free.get(id).is_some_and(|line| line.buyer == order.buyer);
    if ids.is_empty() || !ids.iter().all(is_free) {
        return None;
    }
    let lines: Vec<Reservation> = ids.iter().filter_map(|id| free.remove(id)).collect();
    check_joinable(&lines).is_ok().then_some(lines)
}

async fn make_orders(tx: &mut Transaction<'_>, lines: &[Option<Vec<Reservation>>]) -> Result<Made> {
    let firsts = lines.iter().flatten().filter_map(|lines| lines.first());
    fn row(line: &Reservation) -> NewOrderRow<'_> {
        NewOrderRow {
            id: line.id,
            stream: line.stream,
            buyer: line.buyer.as_str(),
            currency: &line.currency,
            created_at: line.created_at,
        }
    }
    let rows: Vec<NewOrderRow<'_>> = firsts.map(row).collect();
    if rows.is_empty() {
        return Ok(Made::default());
    }
    let joined = ids_to_json(lines.iter().flatten().flatten().map(|line| line.id.0))?;
    let query = tx.query(OPEN_ON_POSTGRES).bind(to_json(&rows)?).bind(joined);
    let said: Vec<(String, Uuid, i64)> = query.fetch_all().await?;
    let mut made = Made::default();
    for (what, id, number) in said {
        match &what[..] {
            "made" => drop(made.numbers.insert(id, number)),
            "noted" => drop(made.noted.insert(id)),
            _ => drop(made.with_coupon.insert(id)),
        }
    }
    Ok(made)
}

impl Made {
    /// `None`: its buyer has opened another order in that show.
    fn order_of(&self, mut lines: Vec<Reservation>) -> Option<Order> {
        let id = lines.first()?.id;
        let header = OrderHeader { number: Some(*self.numbers.get(&id.0)?), ..OrderHeader::default() };
        for line in &mut lines {
            line.order = Some(id);
            line.version += 1;
        }
        let mut lines = lines.into_iter();
        let first = lines.next()?;
        Some(Order::of_lines(header, first, lines.collect()))
    }

    fn is_any_in(lines: &[Reservation], ids: &HashSet<Uuid>) -> bool {
        lines.iter().any(|line| ids.contains(&line.id.0))
    }
}

/// Most orders have neither an address nor a coupon yet: their quotes need one query for all of them.
async fn quote_orders(
    tx: &mut Transaction<'_>,
    opened: &mut [Option<OpenedOrder>],
    made: &Made,
    rules: QuoteRules,
) -> Result<()> {
    let mut plain = Vec::with_capacity(opened.len());
    for (order, quote) in opened.iter_mut().flatten() {
        let is_noted = Made::is_any_in(&order.lines, &made.noted);
        if is_noted {
            move_what_was_noted(tx, order.id, &ids_to_json(order.lines.iter().map(|line| line.id.0))?).await?;
        }
        if is_noted || Made::is_any_in(&order.lines, &made.with_coupon) {
            *quote = quote_of(tx, order, rules).await?;
        } else {
            plain.push((&*order, quote));
        }
    }
    let orders: Vec<&Order> = plain.iter().map(|(order, _)| *order).collect();
    let quotes = quotes_without_coupons(tx, &orders, rules).await?;
    plain.into_iter().zip(quotes).for_each(|((_, place), quote)| *place = Some(quote));
    Ok(())
}
