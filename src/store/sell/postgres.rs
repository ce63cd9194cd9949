//! A batch on PostgreSQL: the offer's row is locked, and look-ups and inserts are sent as arrays.

use std::time::Instant;

use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::super::connection_pool::BorrowedConnection;
use super::super::counters::StoreCounters;
use super::super::offer::{LOCK_OFFER_TERMS, OfferTermsRow};
use super::super::reservation::KEYED_RESERVATIONS_ON_POSTGRES;
use super::super::{Error, Result};
use super::{
    BatchOutcome, DecidedBatch, ExistingPurchaseRow, ExistingPurchases, OfferHeader, SELECT_HAS_UNPAID, batch_outcome,
    decide_batch, existing_reservation_ids,
};
use crate::domain::{Decision, Millis, OfferId, PurchaseRequest, Refusal};

/// How often a batch is decided again because one of its keys was used for another offer at the same moment.
const KEY_RACES_MAX: usize = 3;

/// A locked offer row, on a connection that is used for nothing else.
#[derive(Debug)]
pub struct PostgresTurn<'a> {
    borrowed: BorrowedConnection<'a>,
    counters: &'a StoreCounters,
    offer: OfferId,
    row: OfferTermsRow,
    locked: Instant,
}

impl<'a> PostgresTurn<'a> {
    pub async fn acquire(
        mut borrowed: BorrowedConnection<'a>,
        counters: &'a StoreCounters,
        offer: OfferId,
    ) -> Result<Self> {
        let requested = Instant::now();
        match borrowed.run_step(async |connection| begin_and_lock(connection, offer).await).await? {
            Some(row) => {
                counters.lock_wait.observe(requested.elapsed());
                Ok(Self { borrowed, counters, offer, row, locked: Instant::now() })
            }
            None => {
                borrowed.run_step(rollback).await?;
                borrowed.give_back();
                Err(Refusal::NoSuchOffer.into())
            }
        }
    }

    pub async fn sell(mut self, requests: &[PurchaseRequest]) -> Result<BatchOutcome> {
        for _ in 0..KEY_RACES_MAX {
            match self.decide_and_write(requests).await {
                // The batch of another offer, under another lock, used one of our keys between our read and our insert.
                // It is committed, so the next read finds it.
                Err(fault) if is_key_taken(&fault) => {
                    self.borrowed.run_step(rollback).await?;
                    self = Self::acquire(self.borrowed, self.counters, self.offer).await?;
                }
                outcome => return self.finish(outcome),
            }
        }
        let outcome = self.decide_and_write(requests).await;
        self.finish(outcome)
    }

    pub async fn release(mut self) {
        if self.borrowed.run_step(rollback).await.is_ok() {
            self.borrowed.give_back();
        }
    }

    async fn decide_and_write(&mut self, requests: &[PurchaseRequest]) -> Result<BatchOutcome> {
        let (offer, row) = (self.offer, &self.row);
        self.borrowed.run_step(async |connection| run_batch(connection, offer, row, requests).await).await
    }

    /// Only after a commit is the connection ready for the next batch; otherwise it is closed.
    fn finish(self, outcome: Result<BatchOutcome>) -> Result<BatchOutcome> {
        if outcome.is_ok() {
            self.counters.lock_held.observe(self.locked.elapsed());
            self.borrowed.give_back();
        }
        outcome
    }
}

fn is_key_taken(fault: &Error) -> bool {
    matches!(fault, Error::Database(sqlx::Error::Database(db)) if db.constraint() == Some("one_reservation_per_key"))
}

/// Both are one message: every buyer waits for each round trip to the lock and under it.
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
    requests: &[PurchaseRequest],
) -> Result<BatchOutcome> {
    let (header, terms) = (OfferHeader { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let (now, existing) = read_existing(connection, offer, requests).await?;
    let has_unpaid = if terms.left() > 0 {
        false
    } else {
        sqlx::query_scalar(SELECT_HAS_UNPAID).bind(offer.0).fetch_one(&mut *connection).await?
    };
    let decided = decide_batch(&header, terms, now, has_unpaid, requests, existing)?;
    write_batch(connection, requests, &decided).await?;
    sqlx::raw_sql("commit").execute(connection).await?;
    Ok(batch_outcome(decided))
}

/// Reads what the buyers and keys have, and the time. The first row is the time; buyers and keys that have nothing, which
/// are most, have no row.
async fn read_existing(
    tx: &mut PgConnection,
    offer: OfferId,
    requests: &[PurchaseRequest],
) -> Result<(Millis, ExistingPurchases)> {
    let read = "select 0::bigint as place, null::uuid as reservation_id, (extract(epoch from clock_timestamp()) * 1000)::bigint as owned
        union all
        select place, reservation_id, owned from (
            select r.place, (select o.id from reservations o where o.buyer = r.buyer and o.key = r.key) as reservation_id,
                coalesce((select sum(o.qty - o.returned) from reservations o where o.offer = $1 and o.person = r.person
                    and o.status in ('held', 'capturing', 'placed', 'sold')), 0)::bigint as owned
            from unnest($2::text[], $3::text[], $4::text[]) with ordinality r (buyer, key, person, place) offset 0) asked
        where reservation_id is not null or owned > 0";
    let found: Vec<(i64, Option<Uuid>, i64)> = sqlx::query_as(read)
        .bind(offer.0)
        .bind(requests.iter().map(|request| request.buyer.as_str()).collect::<Vec<_>>())
        .bind(requests.iter().map(|request| request.key.as_str()).collect::<Vec<_>>())
        .bind(requests.iter().map(|request| request.person.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
    let mut now = 0;
    let mut rows: Vec<ExistingPurchaseRow> =
        requests.iter().map(|_| ExistingPurchaseRow { reservation_id: None, owned: 0 }).collect();
    for (place, reservation_id, owned) in found {
        match place.checked_sub(1).and_then(|index| rows.get_mut(index as usize)) {
            Some(row) => *row = ExistingPurchaseRow { reservation_id, owned },
            None => now = owned,
        }
    }
    let ids = existing_reservation_ids(&rows);
    let keyed = if ids.is_empty() {
        Vec::new()
    } else {
        // One round trip for any number of retries, because this is under the lock.
        sqlx::query_as(KEYED_RESERVATIONS_ON_POSTGRES).bind(ids).fetch_all(tx).await?
    };
    Ok((now, ExistingPurchases::from_rows(rows, keyed)?))
}

/// Writes the reservations and the offer's row in one statement, for the same reason.
async fn write_batch(tx: &mut PgConnection, requests: &[PurchaseRequest], decided: &DecidedBatch) -> Result<()> {
    let Some(first) = decided.new_reservations.first() else { return Ok(()) };
    let winners = || {
        requests
            .iter()
            .zip(&decided.decisions)
            .filter(|(_, decision)| matches!(decision, Decision::Held { .. }))
            .map(|(request, _)| request)
    };
    let write = "with taken as (update offers set reserved = $14, next_place = $15, version = $16 where id = $2)
        insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency,
            place, created_at, hold_until, changed_at, person)
        select r.id, $1, $2, r.buyer, r.name, r.key, r.hash, 'held', r.qty, r.qty * $3, $4, $5 + r.place - 1, $6, $7, $6,
            r.person
        from unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::bigint[],
                $17::text[])
            with ordinality r (id, buyer, name, key, hash, qty, person, place)
        order by r.buyer, r.key"; // the order prevents a deadlock between batches of two offers with the same keys
    sqlx::query(write)
        .bind(first.stream.0)
        .bind(first.offer.0)
        .bind(decided.terms.price)
        .bind(&first.currency)
        .bind(first.place)
        .bind(decided.now)
        .bind(first.hold_until)
        .bind(winners().map(|request| request.reservation.0).collect::<Vec<_>>())
        .bind(winners().map(|request| request.buyer.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|request| request.buyer_name.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|request| request.key.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|request| &request.hash[..]).collect::<Vec<_>>())
        .bind(winners().map(|request| request.qty).collect::<Vec<_>>())
        .bind(decided.terms.reserved)
        .bind(decided.terms.next_place)
        .bind(decided.terms.version)
        .bind(winners().map(|request| request.person.as_str()).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}
