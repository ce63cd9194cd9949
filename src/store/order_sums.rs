//! Sums of orders for the reports, and the list of customers. One job on one node adds to them, some thousand orders at a time; purchases and payments write
//! nothing for it.
//!
//! An order is looked at once, when it is decided or a minute old, by its place: places of an offer have no gaps, and they become visible in order, because each batch
//! holds the offer's row. An order that is not decided then is remembered and looked at again. A report adds what is not summed
//! yet, in the same statement, so it is right at any time.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::customer::{SeenCustomer, add_customers};
use super::reservation::line_status;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Result, Store, ids_to_json, require_known};
use crate::domain::report::minute_of;
use crate::domain::{Millis, OrderStatus};

/// Orders and refunds that one transaction adds.
const SUMMED_TOGETHER_MAX: i64 = 2_000;
/// Offers that one step looks at.
const OFFERS_PER_STEP_MAX: i64 = 200;
/// The lock of the one writer, among the locks that the application defines.
const ONE_WRITER: &str = "select pg_try_advisory_xact_lock(7263540192837465)";

/// What a step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SumProgress {
    /// Orders and refunds that were added to the sums, or were looked at for the first time.
    pub rows: u64,
    /// There is more to do at once.
    pub has_more: bool,
    /// Another node is the writer now.
    pub is_elsewhere: bool,
}

struct NewOrderRow {
    id: Uuid,
    place: i64,
    status: String,
    qty: i64,
    amount: i64,
    created_at: i64,
    buyer: String,
    buyer_name: String,
    person: String,
    is_simulated: bool,
}

from_row!(NewOrderRow { id, place, status, qty, amount, created_at, buyer, buyer_name, person, is_simulated });

struct DecidedRow {
    order_id: Uuid,
    offer: Uuid,
    status: String,
    qty: i64,
    amount: i64,
}

from_row!(DecidedRow { order_id, offer, status, qty, amount });

/// What is added to the sums of an offer.
#[derive(Clone, Copy, Default)]
struct Addition {
    paid: i64,
    units: i64,
    amount: i64,
    expired: i64,
    cancelled: i64,
    refunded: i64,
    amount_refunded: i64,
}

impl Addition {
    /// `false`: the order is not decided.
    fn add(&mut self, status: OrderStatus, qty: i64, amount: i64) -> bool {
        match status {
            OrderStatus::Paid => {
                self.paid += 1;
                self.units += qty;
                self.amount += amount;
            }
            OrderStatus::Refunded => {
                self.refunded += 1;
                self.amount_refunded += amount;
            }
            OrderStatus::Expired => self.expired += 1,
            OrderStatus::Cancelled => self.cancelled += 1,
            OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Placed => return false,
        }
        true
    }

    /// The order was summed as paid.
    fn refund(&mut self, qty: i64, amount: i64) {
        self.paid -= 1;
        self.units -= qty;
        self.amount -= amount;
        self.refunded += 1;
        self.amount_refunded += amount;
    }

    async fn write(&self, tx: &mut Transaction<'_>, offer: Uuid) -> Result<()> {
        let add =
            "update offer_sums set paid = paid + $2, units_paid = units_paid + $3, amount_paid = amount_paid + $4,
            expired = expired + $5, cancelled = cancelled + $6, refunded = refunded + $7,
            amount_refunded = amount_refunded + $8 where offer = $1";
        let query = tx.query(add).bind(offer).bind(self.paid).bind(self.units).bind(self.amount).bind(self.expired);
        query.bind(self.cancelled).bind(self.refunded).bind(self.amount_refunded).execute().await?;
        Ok(())
    }
}

fn is_undecided(status: &str) -> bool {
    matches!(OrderStatus::parse(status), Some(OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Placed))
}

fn parse_status(text: &str) -> Result<OrderStatus> {
    require_known(OrderStatus::parse(text), "order status", text)
}

impl Store {
    /// Adds what was ordered, decided and refunded since the last step, some thousand rows at most. An order that is not decided is
    /// looked at when it is `wait_ms` old: most are decided by then, and need not be remembered.
    pub async fn sum_orders(&self, wait_ms: Millis) -> Result<SumProgress> {
        let mut progress = SumProgress::default();
        let find = "select s.offer from offer_sums s join offers o on o.id = s.offer where s.is_complete = 0
            and (s.position < o.next_place - 1 or o.stage = 'closed') limit $1";
        let offers: Vec<Uuid> = self.query(find).bind(OFFERS_PER_STEP_MAX).fetch_values().await?;
        progress.has_more = offers.len() as i64 == OFFERS_PER_STEP_MAX;
        for offer in offers {
            self.step(&mut progress, async |tx| sum_new_orders(tx, offer, wait_ms).await).await?;
        }
        self.step(&mut progress, async |tx| sum_decided_orders(tx).await).await?;
        self.step(&mut progress, async |tx| sum_refunds(tx).await).await?;
        // Where every offer waits for its orders, there is nothing to do at once.
        progress.has_more &= progress.rows > 0;
        Ok(progress)
    }

    /// Orders that are placed and not summed, and orders and refunds that wait to be summed: what a report has to add itself. At
    /// most 100,000 are counted of each.
    pub async fn count_unsummed_orders(&self) -> Result<i64> {
        let count = "select cast((select coalesce(sum(o.next_place - 1 - s.position), 0) from offer_sums s
                join offers o on o.id = s.offer where s.is_complete = 0)
            + (select count(*) from (select 1 from unsummed_refunds limit 100000) r) as bigint)";
        self.query(count).fetch_value().await
    }

    async fn step(
        &self,
        progress: &mut SumProgress,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<i64>,
    ) -> Result<()> {
        let rows = self
            .transaction(async |tx| {
                // On SQLite there is one writer anyway.
                if matches!(tx, Transaction::Postgres(_)) && !tx.query(ONE_WRITER).fetch_value::<bool>().await? {
                    return Ok(None);
                }
                work(tx).await.map(Some)
            })
            .await?;
        progress.is_elsewhere |= rows.is_none();
        let rows = rows.unwrap_or_default();
        progress.rows += rows.unsigned_abs();
        progress.has_more |= rows == SUMMED_TOGETHER_MAX;
        Ok(())
    }
}

/// Looks at the next places of an offer.
async fn sum_new_orders(tx: &mut Transaction<'_>, offer: Uuid, wait_ms: Millis) -> Result<i64> {
    // The offer is read first: what it says is committed, so its orders are visible after it.
    let read = "select s.position, s.stream, o.next_place - 1, o.stage = 'closed' from offer_sums s
        join offers o on o.id = s.offer where s.offer = $1";
    let (position, stream, last, is_closed): (i64, Uuid, i64, bool) = tx.query(read).bind(offer).fetch_one().await?;
    let read = concat!(
        "select id, place, ",
        line_status!(""),
        " as status, qty, amount - discount as amount, created_at, buyer, buyer_name, person, buyer like 'crowd:%' as is_simulated from reservations
            where offer = $1 and place > $2 and place <= $3 order by place"
    );
    let until = last.min(position + SUMMED_TOGETHER_MAX);
    let mut rows: Vec<NewOrderRow> = tx.query(read).bind(offer).bind(position).bind(until).fetch_all().await?;
    let young = tx.now().await? - wait_ms;
    if let Some(first) = rows.iter().position(|row| young < row.created_at && is_undecided(&row.status)) {
        rows.truncate(first);
    }
    if rows.is_empty() && !(is_closed && position == last) {
        return Ok(0);
    }
    let (mut sums, mut minutes) = (Addition::default(), BTreeMap::<i64, i64>::new());
    let (mut unsettled, mut refunded) = (Vec::new(), Vec::new());
    let mut reached = position;
    let mut customers = BTreeMap::<&str, SeenCustomer>::new();
    for row in &rows {
        if row.place != reached + 1 {
            tracing::error!(offer.id = %offer, place = row.place, after = reached, "an offer has a gap in its places");
        }
        reached = row.place;
        // What a demo's simulated viewers buy is in no report.
        if row.is_simulated {
            continue;
        }
        *minutes.entry(minute_of(row.created_at)).or_default() += 1;
        let seen = customers.entry(&row.buyer).or_insert_with(|| SeenCustomer {
            user: row.buyer.clone(),
            person: row.person.clone(),
            name: row.buyer_name.clone(),
            first_order: row.id,
            last_order: row.id,
        });
        (seen.first_order, seen.last_order) = (seen.first_order.min(row.id), seen.last_order.max(row.id));
        let status = parse_status(&row.status)?;
        if !sums.add(status, row.qty, row.amount) {
            unsettled.push(row.id);
        } else if status == OrderStatus::Refunded {
            refunded.push(row.id);
        }
    }
    if !unsettled.is_empty() {
        let insert = tx.choose(
            "insert into unsettled_orders (order_id, offer) select value::uuid, $2 from json_array_elements_text($1::json)
                on conflict do nothing",
            "insert into unsettled_orders (order_id, offer) select unhex(value), $2 from json_each($1) where true
                on conflict do nothing",
        );
        tx.query(insert).bind(ids_to_json(unsettled.into_iter())?).bind(offer).execute().await?;
    }
    let customers: Vec<SeenCustomer> = customers.into_values().collect();
    add_customers(tx, &customers).await?;
    delete(tx, REFUNDS, &refunded).await?;
    for (minute, orders) in minutes {
        let add = "insert into orders_by_minute (stream, minute, orders) values ($1, $2, $3)
            on conflict (stream, minute) do update set orders = orders_by_minute.orders + excluded.orders";
        tx.query(add).bind(stream).bind(minute).bind(orders).execute().await?;
    }
    sums.write(tx, offer).await?;
    let set = "update offer_sums set position = $2, is_complete = $3 where offer = $1";
    let is_complete = i64::from(is_closed && reached == last);
    tx.query(set).bind(offer).bind(reached).bind(is_complete).execute().await?;
    Ok(rows.len() as i64)
}

/// Looks again at orders that were not decided.
async fn sum_decided_orders(tx: &mut Transaction<'_>) -> Result<i64> {
    let read = concat!(
        "select u.order_id, u.offer, ",
        line_status!("o."),
        " as status, o.qty, o.amount - o.discount as amount from unsettled_orders u
            join reservations o on o.id = u.order_id where o.status not in ('held', 'capturing', 'placed') limit $1"
    );
    let rows: Vec<DecidedRow> = tx.query(read).bind(SUMMED_TOGETHER_MAX).fetch_all().await?;
    let (mut sums, mut refunded) = (BTreeMap::<Uuid, Addition>::new(), Vec::new());
    for row in &rows {
        let status = parse_status(&row.status)?;
        sums.entry(row.offer).or_default().add(status, row.qty, row.amount);
        if status == OrderStatus::Refunded {
            refunded.push(row.order_id);
        }
    }
    delete(tx, UNSETTLED, &rows.iter().map(|row| row.order_id).collect::<Vec<_>>()).await?;
    delete(tx, REFUNDS, &refunded).await?;
    for (offer, addition) in sums {
        addition.write(tx, offer).await?;
    }
    Ok(rows.len() as i64)
}

/// Moves orders that were summed as paid and are refunded now.
async fn sum_refunds(tx: &mut Transaction<'_>) -> Result<i64> {
    let read = "select u.order_id, o.offer, 'refunded' as status, o.qty, o.amount - o.discount as amount from unsummed_refunds u
        join reservations o on o.id = u.order_id join offer_sums s on s.offer = o.offer
        where o.place <= s.position and not exists (select 1 from unsettled_orders x where x.order_id = u.order_id)
        limit $1";
    let rows: Vec<DecidedRow> = tx.query(read).bind(SUMMED_TOGETHER_MAX).fetch_all().await?;
    let mut sums: BTreeMap<Uuid, Addition> = BTreeMap::new();
    for row in &rows {
        sums.entry(row.offer).or_default().refund(row.qty, row.amount);
    }
    delete(tx, REFUNDS, &rows.iter().map(|row| row.order_id).collect::<Vec<_>>()).await?;
    for (offer, addition) in sums {
        addition.write(tx, offer).await?;
    }
    Ok(rows.len() as i64)
}

/// Deletes from a list of orders, on PostgreSQL and on SQLite.
type Delete = (&'static str, &'static str);

const UNSETTLED: Delete = (
    "delete from unsettled_orders
        where order_id = any (array(select value::uuid from json_array_elements_text($1::json)))",
    "delete from unsettled_orders where order_id in (select unhex(value) from json_each($1))",
);
const REFUNDS: Delete = (
    "delete from unsummed_refunds
        where order_id = any (array(select value::uuid from json_array_elements_text($1::json)))",
    "delete from unsummed_refunds where order_id in (select unhex(value) from json_each($1))",
);

async fn delete(tx: &mut Transaction<'_>, (on_postgres, on_sqlite): Delete, ids: &[Uuid]) -> Result<()> {
    if !ids.is_empty() {
        let delete = tx.choose(on_postgres, on_sqlite);
        tx.query(delete).bind(ids_to_json(ids.iter().copied())?).execute().await?;
    }
    Ok(())
}
