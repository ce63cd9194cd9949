//! Observes the database directly, past every proxy: ten times a second during the run, and completely at the end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until, timeout};

use crate::host::UNITS;
use crate::journal::TextId;
use crate::oracle::{PromiseViolation, StockLevel, StoredIntent, StoredOffer, StoredOrder, StoredPayment};
use crate::postgres;
use crate::run_context::RunContext;
use crate::watcher::ObservedCounts;

const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(100);
/// Closed offers change rarely, so only every twentieth snapshot includes them.
const FULL_SNAPSHOT_EVERY: usize = 20;

/// The stock of each offer over time. Only changes are kept.
#[derive(Debug, Default)]
pub struct StockHistory {
    levels: Mutex<Vec<StockLevel>>,
    snapshots: Mutex<usize>,
}

impl StockHistory {
    pub fn all(&self) -> Vec<StockLevel> {
        self.levels.lock().unwrap().clone()
    }

    pub fn snapshots(&self) -> usize {
        *self.snapshots.lock().unwrap()
    }
}

/// Takes snapshots until the observers stop, and a last one then. It pauses while the database is down.
pub async fn look(
    context: Arc<RunContext>,
    counts: Arc<ObservedCounts>,
    levels: Arc<StockHistory>,
    database: SocketAddr,
) {
    let mut last = HashMap::new();
    while !context.unwatched.is_cancelled() {
        if let Ok(mut connection) = postgres::connect(database).await {
            let _ = observe_connection(&context, &counts, &levels, &mut last, &mut connection).await;
        }
        tokio::time::sleep(SNAPSHOT_INTERVAL).await;
    }
}

async fn observe_connection(
    context: &RunContext,
    counts: &ObservedCounts,
    levels: &StockHistory,
    last: &mut HashMap<TextId, StockLevel>,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let mut next = Instant::now();
    for number in 0.. {
        let is_last = context.unwatched.is_cancelled();
        next = (next + SNAPSHOT_INTERVAL).max(Instant::now());
        let looked =
            timeout(Duration::from_secs(10), read_stock(connection, is_last || number % FULL_SNAPSHOT_EVERY == 0))
                .await;
        let (seen, greedy, units) = looked.map_err(|_| sqlx::Error::PoolTimedOut)??;
        *levels.snapshots.lock().unwrap() += 1;
        for level in seen {
            check_level(context, &level);
            let version = (level.epoch, level.version);
            if let Err(violation) =
                counts.record(&level.offer, version, level.quantity - level.reserved, level.quantity, "the database")
            {
                context.record_violation(violation);
            }
            let same = |known: &StockLevel| (known.version, &known.stage) == (level.version, &level.stage);
            if !last.get(&level.offer).is_some_and(same) {
                last.insert(level.offer.clone(), level.clone());
                levels.levels.lock().unwrap().push(level);
            }
        }
        for (offer, buyer, has) in greedy {
            context.record_violation(PromiseViolation::new(
                "limit per buyer",
                format!("{buyer} has {has} units of offer {offer} at {}", context.now()),
            ));
        }
        if units != UNITS {
            context.record_violation(PromiseViolation::new(
                "no unit is made or lost",
                format!("there are {units} of {UNITS} at {}", context.now()),
            ));
        }
        if is_last {
            return Ok(());
        }
        sleep_until(next).await;
    }
    Ok(())
}

fn check_level(context: &RunContext, level: &StockLevel) {
    let StockLevel { offer, quantity, reserved, counted, at, .. } = level;
    if counted > quantity || reserved > quantity {
        context.record_violation(PromiseViolation::new(
            "never oversold",
            format!("offer {offer}: {counted} counted, {reserved} reserved, {quantity} in all, at {at}"),
        ));
    }
    if counted != reserved {
        context.record_violation(PromiseViolation::new(
            "reserved is the sum",
            format!("offer {offer}: {counted} counted, {reserved} reserved, at {at}"),
        ));
    }
}

type StockSnapshot = (Vec<StockLevel>, Vec<(String, String, i64)>, i64);

/// All of it in one database snapshot.
async fn read_stock(connection: &mut PgConnection, all: bool) -> Result<StockSnapshot, sqlx::Error> {
    use sqlx::Connection;
    let mut look = connection.begin_with("begin isolation level repeatable read read only").await?;
    let levels = "select o.id::text as offer, o.version, o.quantity, o.reserved, o.stage,
            ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::bigint as epoch,
            (extract(epoch from clock_timestamp()) * 1000)::bigint as at,
            coalesce((select sum(r.qty - r.returned) from reservations r where r.offer = o.id and r.status in ('held', 'capturing', 'placed', 'sold')), 0)::bigint as counted
        from offers o where $1 or o.stage <> 'closed'";
    let levels = sqlx::query_as(levels).bind(all).fetch_all(&mut *look).await?;
    let greedy = "select r.offer::text, r.buyer, sum(r.qty - r.returned)::bigint from offers o join reservations r on r.offer = o.id
        where ($1 or o.stage <> 'closed') and r.status in ('held', 'capturing', 'placed', 'sold')
        group by r.offer, r.buyer, o.per_buyer having sum(r.qty - r.returned) > o.per_buyer";
    let greedy = sqlx::query_as(greedy).bind(all).fetch_all(&mut *look).await?;
    // A unit that is refunded without a restock has left the shop with the goods.
    let units = "select ((select sum(stock) from variants) + (select coalesce(sum(quantity), 0) from offers)
        + (select coalesce(sum(l.qty), 0) from refunds r join refund_lines l on l.order_id = r.order_id and l.n = r.n
            where r.status = 'done' and r.restock = 0))::bigint";
    let units = sqlx::query_scalar(units).fetch_one(&mut *look).await?;
    look.commit().await?;
    Ok((levels, greedy, units))
}

pub type DatabaseRows = (Vec<StoredOffer>, Vec<StoredOrder>, Vec<StoredPayment>, Vec<StoredIntent>);

/// Everything that the oracle reads, in one database snapshot.
pub async fn read_all_rows(connection: &mut PgConnection) -> Result<DatabaseRows, sqlx::Error> {
    use sqlx::Connection;
    let mut look = connection.begin_with("begin isolation level repeatable read read only").await?;
    let offers = "select id::text, quantity, reserved, next_place, per_buyer, price, opens_at, closes_at from offers";
    let offers = sqlx::query_as(offers).fetch_all(&mut *look).await?;
    // A buyer of this test pays each purchase on its own: its order has one line, and the status and version of that line.
    let orders = "select r.id::text, r.offer::text, r.buyer, r.key, r.qty, r.amount, r.currency, r.place, r.version, r.created_at,
            r.hold_until, r.changed_at, o.paid_at, r.reason,
            case when r.status <> 'sold' then r.status when r.returned = r.qty then 'refunded' else 'paid' end as status
        from reservations r left join orders o on o.id = r.order_id order by r.offer, r.place";
    let orders = sqlx::query_as(orders).fetch_all(&mut *look).await?;
    let payments =
        "select order_id::text as order, token, status, amount, currency from payments order by order_id, attempt";
    let payments = sqlx::query_as(payments).fetch_all(&mut *look).await?;
    let book = "select order_id::text as order, scenario, status, amount, captured, refunded from test_intents order by order_id";
    let book = sqlx::query_as(book).fetch_all(&mut *look).await?;
    look.commit().await?;
    Ok((offers, orders, payments, book))
}

pub async fn query_number(connection: &mut PgConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_one(connection).await
}
