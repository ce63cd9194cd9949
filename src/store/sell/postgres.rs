//! A batch on Postgres: its row is locked by name, its look-ups and inserts go as arrays.

use std::time::Instant;

use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::super::offer::{LOCK_OFFER_TERMS, OfferTermsRow};
use super::super::order::KEYED_ORDERS_ON_POSTGRES;
use super::super::postgres::BorrowedConnection;
use super::super::{Error, Result};
use super::{
    BatchOutcome, DecidedBatch, ExistingPurchaseRow, ExistingPurchases, OfferHeader, SELECT_UNPAID_UNITS,
    batch_outcome, decide_batch, existing_order_ids,
};
use crate::domain::{Decision, Millis, OfferId, PurchaseRequest, Refusal};

/// How often a batch is decided anew because a key was used for another offer at the same moment.
const KEY_RACES_MAX: usize = 3;

/// The offer's row is locked, on a connection that has nothing else to do.
#[derive(Debug)]
pub struct PostgresTurn<'a> {
    borrowed: BorrowedConnection<'a>,
    offer: OfferId,
    row: OfferTermsRow,
    locked: Instant,
}

impl<'a> PostgresTurn<'a> {
    pub async fn acquire(mut borrowed: BorrowedConnection<'a>, offer: OfferId) -> Result<Self> {
        let asked = Instant::now();
        match borrowed.run_step(async |connection| begin_and_lock(connection, offer).await).await? {
            Some(row) => {
                borrowed.counters().lock_wait.observe(asked.elapsed());
                Ok(Self { borrowed, offer, row, locked: Instant::now() })
            }
            None => {
                borrowed.run_step(rollback).await?;
                borrowed.give_back();
                Err(Refusal::NoSuchOffer.into())
            }
        }
    }

    pub async fn sell(mut self, asks: &[PurchaseRequest]) -> Result<BatchOutcome> {
        for _ in 0..KEY_RACES_MAX {
            match self.decide_and_write(asks).await {
                // Another offer's batch, under another lock, used one of our keys between our look and our insert. It
                // is committed, so the next look finds it.
                Err(fault) if is_key_taken(&fault) => {
                    self.borrowed.run_step(rollback).await?;
                    self = Self::acquire(self.borrowed, self.offer).await?;
                }
                settled => return self.finish(settled),
            }
        }
        let settled = self.decide_and_write(asks).await;
        self.finish(settled)
    }

    pub async fn release(mut self) {
        if self.borrowed.run_step(rollback).await.is_ok() {
            self.borrowed.give_back();
        }
    }

    async fn decide_and_write(&mut self, asks: &[PurchaseRequest]) -> Result<BatchOutcome> {
        let (offer, row) = (self.offer, &self.row);
        self.borrowed.run_step(async |connection| run_batch(connection, offer, row, asks).await).await
    }

    /// Only a commit leaves the connection fit for the next batch; after anything else it is closed.
    fn finish(self, settled: Result<BatchOutcome>) -> Result<BatchOutcome> {
        if settled.is_ok() {
            self.borrowed.counters().lock_held.observe(self.locked.elapsed());
            self.borrowed.give_back();
        }
        settled
    }
}

fn is_key_taken(fault: &Error) -> bool {
    matches!(fault, Error::Database(sqlx::Error::Database(db)) if db.constraint() == Some("one_order_per_key"))
}

/// Both in one message: each round trip under the lock, or to it, is everybody's wait.
async fn begin_and_lock(connection: &mut PgConnection, offer: OfferId) -> Result<Option<OfferTermsRow>> {
    let both = format!("begin; {}", LOCK_OFFER_TERMS.replace("$1", &format!("'{}'", offer.0)));
    let row = sqlx::raw_sql(AssertSqlSafe(both)).fetch_optional(connection).await?;
    Ok(row.as_ref().map(OfferTermsRow::from_row).transpose()?)
}

async fn rollback(connection: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql("rollback").execute(connection).await?;
    Ok(())
}

async fn run_batch(
    connection: &mut PgConnection,
    offer: OfferId,
    row: &OfferTermsRow,
    asks: &[PurchaseRequest],
) -> Result<BatchOutcome> {
    let (shared, terms) = (OfferHeader { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let (now, had) = read_existing(connection, offer, asks).await?;
    let unpaid = if terms.left() > 0 {
        0
    } else {
        sqlx::query_scalar(SELECT_UNPAID_UNITS).bind(offer.0).fetch_one(&mut *connection).await?
    };
    let decided = decide_batch(&shared, terms, now, unpaid, asks, had)?;
    write_batch(connection, asks, &decided).await?;
    sqlx::raw_sql("commit").execute(connection).await?;
    Ok(batch_outcome(decided))
}

/// What the askers have, and the time. Most have nothing, and of them nothing is said: the first row is the clock's.
async fn read_existing(
    tx: &mut PgConnection,
    offer: OfferId,
    asks: &[PurchaseRequest],
) -> Result<(Millis, ExistingPurchases)> {
    let read = "select 0::bigint as place, null::uuid as order_id, (extract(epoch from clock_timestamp()) * 1000)::bigint as owned
        union all
        select place, order_id, owned from (
            select r.place, (select o.id from orders o where o.buyer = r.buyer and o.key = r.key) as order_id,
                coalesce((select sum(o.qty) from orders o where o.offer = $1 and o.buyer = r.buyer
                    and o.status in ('held', 'capturing', 'paid')), 0)::bigint as owned
            from unnest($2::text[], $3::text[]) with ordinality r (buyer, key, place) offset 0) asked
        where order_id is not null or owned > 0";
    let found: Vec<(i64, Option<Uuid>, i64)> = sqlx::query_as(read)
        .bind(offer.0)
        .bind(asks.iter().map(|ask| ask.buyer.as_str()).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.key.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
    let mut now = 0;
    let mut rows: Vec<ExistingPurchaseRow> =
        asks.iter().map(|_| ExistingPurchaseRow { order_id: None, owned: 0 }).collect();
    for (place, order_id, owned) in found {
        match place.checked_sub(1).and_then(|at| rows.get_mut(at as usize)) {
            Some(row) => *row = ExistingPurchaseRow { order_id, owned },
            None => now = owned,
        }
    }
    let before = existing_order_ids(&rows);
    let keyed = if before.is_empty() {
        Vec::new()
    } else {
        // One round trip, however many retry: this is under the lock.
        sqlx::query_as(KEYED_ORDERS_ON_POSTGRES).bind(before).fetch_all(tx).await?
    };
    Ok((now, ExistingPurchases::from_rows(rows, keyed)?))
}

/// The orders and the offer's row in one statement, for the same reason.
async fn write_batch(tx: &mut PgConnection, asks: &[PurchaseRequest], decided: &DecidedBatch) -> Result<()> {
    let Some(first) = decided.new_orders.first() else { return Ok(()) };
    let winners =
        || asks.iter().zip(&decided.decisions).filter(|(_, v)| matches!(v, Decision::Held { .. })).map(|(a, _)| a);
    let write = "with taken as (update offers set reserved = $14, next_place = $15, version = $16 where id = $2)
        insert into orders (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency,
            place, created_at, hold_until, changed_at)
        select r.id, $1, $2, r.buyer, r.name, r.key, r.hash, 'held', r.qty, r.qty * $3, $4, $5 + r.place - 1, $6, $7, $6
        from unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::bigint[])
            with ordinality r (id, buyer, name, key, hash, qty, place)
        order by r.buyer, r.key"; // so that batches of two offers with the same keys wait for, not on, each other
    sqlx::query(write)
        .bind(first.stream.0)
        .bind(first.offer.0)
        .bind(decided.terms.price)
        .bind(&first.currency)
        .bind(first.place)
        .bind(decided.now)
        .bind(first.hold_until)
        .bind(winners().map(|ask| ask.order.0).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.buyer.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.buyer_name.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.key.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|ask| &ask.hash[..]).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.qty).collect::<Vec<_>>())
        .bind(decided.terms.reserved)
        .bind(decided.terms.next_place)
        .bind(decided.terms.version)
        .execute(tx)
        .await?;
    Ok(())
}
