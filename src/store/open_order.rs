//! Puts purchases together: reservations of one buyer in one show become the lines of one order, which is paid and sent at once.

use uuid::Uuid;

use super::open_new_order::open_new_order;
use super::order::read_order;
use super::quote::quote_of;
use super::reservation::{ReservationRow, reservations};
use super::row::from_row;
use super::transaction::Transaction;
use super::{Result, Store, ids_to_json};
use crate::domain::{
    Order, OrderId, OrderQuote, QuoteRules, Refusal, Reservation, ReservationId, UserId, check_joinable,
};

/// Whether anything is noted on purchases that join an order. Nothing is noted on most: they were reserved a moment ago.
macro_rules! is_noted {
    ($given:literal) => {
        concat!(
            "exists (select 1 from addresses where order_id in (",
            $given,
            ")) or exists (select 1 from order_links where order_id in (",
            $given,
            ")) or exists (select 1 from order_notes where order_id in (",
            $given,
            ")) or exists (select 1 from order_tags where order_id in (",
            $given,
            "))"
        )
    };
}

pub(super) use is_noted;

const IS_NOTED_ON_POSTGRES: &str =
    concat!("select ", is_noted!("select value::uuid from json_array_elements_text($1::json)"));
pub(super) const IS_NOTED_ON_SQLITE: &str = concat!("select ", is_noted!("select unhex(value) from json_each($1)"));

/// A reservation that was given, and the open order of its buyer in its show.
struct GivenRow {
    open_order: Option<Uuid>,
    reservation: ReservationRow,
}

from_row!(GivenRow { open_order } and reservation);

const SELECT_GIVEN_ON_POSTGRES: &str = reservations!(
    "select (select o.id from orders o where o.buyer = r.buyer and o.stream = r.stream and o.status = 'open') as open_order,",
    "from reservations r where id = any (array(select value::uuid from json_array_elements_text($1::json))) order by id"
);
const SELECT_GIVEN_ON_SQLITE: &str = reservations!(
    "select (select o.id from orders o where o.buyer = r.buyer and o.stream = r.stream and o.status = 'open') as open_order,",
    "from reservations r where id in (select unhex(value) from json_each($1)) order by id"
);

/// Those that were given, and the lines that the order has already, in the lock order of the lines.
const LOCK_LINES_ON_POSTGRES: &str = reservations!(
    "select",
    "from reservations where id = any (array(select value::uuid from json_array_elements_text($1::json)))
        or id = $2 or order_id = $2 order by id for no key update"
);
const LOCK_LINES_ON_SQLITE: &str = reservations!(
    "select",
    "from reservations where id in (select unhex(value) from json_each($1)) or id = $2 or order_id = $2 order by id"
);

impl Store {
    /// Makes held reservations the lines of one order: of the one that some of them are in, else of the buyer's open order in that
    /// show, else of a new one. To do it again changes nothing. An order whose payment is under way takes no line.
    pub async fn open_order(&self, buyer: &UserId, ids: &[ReservationId]) -> Result<Order> {
        self.transaction(async |tx| Ok(open_order(tx, buyer, ids).await?.0)).await
    }

    /// The same, with the quote of the order as of now.
    pub async fn open_and_quote_order(
        &self,
        buyer: &UserId,
        ids: &[ReservationId],
        rules: QuoteRules,
    ) -> Result<(Order, Option<OrderQuote>)> {
        self.transaction(async |tx| {
            let (order, _) = open_order(tx, buyer, ids).await?;
            let quote = quote_of(tx, &order, rules).await?;
            Ok((order, quote))
        })
        .await
    }
}

/// Part of a transaction; see [`Store::open_order`]. Gives how many lines it has locked too.
pub(super) async fn open_order(
    tx: &mut Transaction<'_>,
    buyer: &UserId,
    ids: &[ReservationId],
) -> Result<(Order, usize)> {
    if let Some(order) = open_new_order(tx, buyer, ids).await? {
        let locked = order.lines.len();
        return Ok((order, locked));
    }
    let given = ids_to_json(ids.iter().map(|id| id.0))?;
    let read = tx.choose(SELECT_GIVEN_ON_POSTGRES, SELECT_GIVEN_ON_SQLITE);
    let target = find_target(tx.query(read).bind(&given).fetch_all().await?, buyer, ids)?;
    let lock = tx.choose(LOCK_LINES_ON_POSTGRES, LOCK_LINES_ON_SQLITE);
    let lines = reservations(tx.query(lock).bind(&given).bind(target.0).fetch_all().await?)?;
    let joining: Vec<&Reservation> = lines.iter().filter(|line| line.order != Some(target)).collect();
    if joining.is_empty() {
        return Ok((read_order(tx, target).await?, lines.len()));
    }
    // Another request may have put them elsewhere since they were read.
    let is_elsewhere = |line: &&Reservation| line.order.is_some() || line.buyer != *buyer;
    if joining.iter().any(is_elsewhere) {
        return Err(Refusal::Busy { retry_ms: 100 }.into());
    }
    check_joinable(&lines)?;
    let joining = ids_to_json(joining.iter().map(|line| line.id.0))?;
    let now = tx.now().await?;
    take_open_order(tx, target).await?;
    let join = tx.choose(
        "update reservations set order_id = $2, version = version + 1, changed_at = $3
            where id = any (array(select value::uuid from json_array_elements_text($1::json)))",
        "update reservations set order_id = $2, version = version + 1, changed_at = $3
            where id in (select unhex(value) from json_each($1))",
    );
    tx.query(join).bind(&joining).bind(target.0).bind(now).execute().await?;
    let is_noted = tx.choose(IS_NOTED_ON_POSTGRES, IS_NOTED_ON_SQLITE);
    if tx.query(is_noted).bind(&joining).fetch_value().await? {
        move_what_was_noted(tx, target, &joining).await?;
    }
    Ok((read_order(tx, target).await?, lines.len()))
}

pub(super) fn reservations(rows: Vec<ReservationRow>) -> Result<Vec<Reservation>> {
    rows.into_iter().map(ReservationRow::into_reservation).collect()
}

/// The order that the reservations are to be in.
fn find_target(rows: Vec<GivenRow>, buyer: &UserId, ids: &[ReservationId]) -> Result<OrderId> {
    let open = rows.first().and_then(|row| row.open_order);
    let given = reservations(rows.into_iter().map(|row| row.reservation).collect())?;
    let is_known = |id: &ReservationId| given.iter().any(|line| line.id == *id && line.buyer == *buyer);
    if given.is_empty() || !ids.iter().all(is_known) {
        return Err(Refusal::NotYours.into());
    }
    let mut orders: Vec<OrderId> = given.iter().filter_map(|line| line.order).collect();
    orders.sort_unstable();
    orders.dedup();
    match orders[..] {
        [] => {}
        [order] => return Ok(order),
        _ => return Err(Refusal::WrongStatus("The reservations are in several orders.").into()),
    }
    // Without an open order they were to become a new one, and something has changed since.
    Ok(OrderId(open.ok_or(Refusal::Busy { retry_ms: 100 })?))
}

/// Locks the order's own row. Refuses if the order takes no line now.
async fn take_open_order(tx: &mut Transaction<'_>, id: OrderId) -> Result<()> {
    let lock = tx
        .choose("select status from orders where id = $1 for no key update", "select status from orders where id = $1");
    let status: Option<String> = tx.query(lock).bind(id.0).fetch_optional_value().await?;
    match status.as_deref() {
        Some("open") => Ok(()),
        // All payment attempts so far have failed, or one may still win.
        Some("paying") => {
            let open = "select cast(count(*) as bigint) from payments
                where order_id = $1 and status in ('creating', 'needs_action', 'authorized')";
            match tx.query(open).bind(id.0).fetch_value::<i64>().await? {
                0 => Ok(()),
                _ => Err(Refusal::WrongStatus("A payment of the order is under way.").into()),
            }
        }
        Some(_) => Err(Refusal::AlreadyPaid.into()),
        None => Err(Refusal::Busy { retry_ms: 100 }.into()),
    }
}

/// What was noted on the purchases while each was an order of its own is noted on the order now: the newest address, the links, and
/// the notes and tags of the team.
pub(super) async fn move_what_was_noted(tx: &mut Transaction<'_>, order: OrderId, joined: &str) -> Result<()> {
    let statements = if matches!(tx, Transaction::Postgres(_)) { MOVE_ON_POSTGRES } else { MOVE_ON_SQLITE };
    for statement in statements {
        tx.query(statement).bind(joined).bind(order.0).execute().await?;
    }
    Ok(())
}

/// `$given`: the ids of what was joined, a subquery of `$1`. `$and_order` adds the order, which is `$2`.
macro_rules! move_statements {
    ($given:literal, $and_order:literal) => {
        &[
            concat!(
                "delete from addresses where order_id in (",
                $given,
                $and_order,
                ") and order_id <> (select a.order_id from addresses a where a.order_id in (",
                $given,
                $and_order,
                ") order by a.changed_at desc, a.order_id desc limit 1)"
            ),
            concat!("update addresses set order_id = $2 where order_id <> $2 and order_id in (", $given, ")"),
            concat!(
                "insert into order_countries (order_id, country) select order_id, country from addresses where order_id = $2
                    and 0 < (select count(*) from (", $given, ") joined)
                    on conflict (order_id) do update set country = excluded.country"
            ),
            concat!("update order_links set order_id = $2 where order_id in (", $given, ")"),
            concat!("update order_notes set order_id = $2 where order_id in (", $given, ")"),
            concat!(
                "insert into order_tags (order_id, tag) select distinct $2, t.tag from order_tags t where t.order_id in (",
                $given,
                ") on conflict do nothing"
            ),
            concat!("delete from order_tags where order_id <> $2 and order_id in (", $given, ")"),
        ]
    };
}

const MOVE_ON_POSTGRES: &[&str] =
    move_statements!("select value::uuid from json_array_elements_text($1::json)", " union all select $2::uuid");
const MOVE_ON_SQLITE: &[&str] = move_statements!("select unhex(value) from json_each($1)", " union all select $2");
