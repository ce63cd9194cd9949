//! Batches on SQLite: one thread sells for all offers. The batches that are queued when it is free share a transaction.
//!
//! On the worker threads every statement would wait for all that is ready to run there: with 100,000 buyers at once, a batch
//! took seconds, and the buyers asked again meanwhile.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use super::super::offer::{OfferTermsRow, READ_OFFER_TERMS};
use super::super::reservation::KEYED_RESERVATIONS_ON_SQLITE;
use super::super::sqlite::WriterSlot;
use super::super::{Error, Result, ids_to_json, to_json};
use super::{
    BatchOutcome, DecidedBatch, ExistingPurchaseRow, ExistingPurchases, OfferHeader, SELECT_HAS_UNPAID, batch_outcome,
    decide_batch, existing_reservation_ids,
};
use crate::clock::Clock;
use crate::domain::{Decision, Millis, OfferId, PurchaseRequest, Refusal};

/// A batch in the queue of the selling thread.
#[derive(Debug)]
pub struct SellCall {
    pub(super) offer: OfferId,
    pub(super) requests: Vec<PurchaseRequest>,
    pub(super) reply: oneshot::Sender<Result<BatchOutcome>>,
}

/// Batches that can be queued. Each selling task has at most one, so this is the number of offers that sell together.
const SELL_QUEUE_MAX: usize = 1_024;
/// Batches that share a transaction, and so one fsync.
const BATCHES_PER_TRANSACTION_MAX: usize = 64;
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// Starts the selling thread. It ends when the sender is dropped.
pub fn start(writer: Arc<WriterSlot>, clock: Clock) -> io::Result<mpsc::Sender<SellCall>> {
    let (sender, queue) = mpsc::channel(SELL_QUEUE_MAX);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("sqlite-selling".into())
        .spawn(move || runtime.block_on(sell_queued(queue, &writer, &clock)))?;
    Ok(sender)
}

async fn sell_queued(mut queue: mpsc::Receiver<SellCall>, writer: &WriterSlot, clock: &Clock) {
    let mut calls = Vec::with_capacity(BATCHES_PER_TRANSACTION_MAX);
    while queue.recv_many(&mut calls, BATCHES_PER_TRANSACTION_MAX).await > 0 {
        match run_batches(writer, clock, &calls).await {
            Ok(outcomes) => {
                calls.drain(..).zip(outcomes).for_each(|(call, outcome)| drop(call.reply.send(outcome)));
            }
            // A bad batch must not fail the others: each gets a transaction of its own.
            Err(error) if calls.len() > 1 && !error.is_transient() => {
                for call in calls.drain(..) {
                    let alone = run_batches(writer, clock, std::slice::from_ref(&call)).await;
                    let outcome = alone.and_then(|mut outcomes| outcomes.pop().unwrap_or(Err(worker_crashed())));
                    drop(call.reply.send(outcome));
                }
            }
            // The selling task of a single batch needs the error, to retry or to find the bad row. Several batches
            // share a transient fault, and an error cannot be cloned.
            Err(error) => {
                let is_transient = error.is_transient();
                tracing::warn!(error = %error, batches = calls.len(), is_transient, "a batch of purchases failed");
                let mut error = Some(error);
                for call in calls.drain(..) {
                    drop(call.reply.send(Err(error.take().unwrap_or_else(worker_crashed))));
                }
                if is_transient {
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        }
    }
}

fn worker_crashed() -> Error {
    sqlx::Error::WorkerCrashed.into()
}

async fn run_batches(writer: &WriterSlot, clock: &Clock, calls: &[SellCall]) -> Result<Vec<Result<BatchOutcome>>> {
    let requested = Instant::now();
    let mut turn = writer.take().await?;
    let mut tx = turn.begin().await?;
    let locked = Instant::now();
    writer.counters.lock_wait.observe(locked - requested);
    let mut outcomes = Vec::with_capacity(calls.len());
    for call in calls {
        outcomes.push(match run_batch(&mut tx, clock.now(), call.offer, &call.requests).await {
            Err(error) if !matches!(error, Error::Refused(_)) => return Err(error),
            outcome => outcome,
        });
    }
    tx.commit().await?;
    writer.counters.lock_held.observe(locked.elapsed());
    turn.put_back();
    Ok(outcomes)
}

async fn run_batch(
    tx: &mut SqliteConnection,
    now: Millis,
    offer: OfferId,
    requests: &[PurchaseRequest],
) -> Result<BatchOutcome> {
    let row: Option<OfferTermsRow> = sqlx::query_as(READ_OFFER_TERMS).bind(offer.0).fetch_optional(&mut *tx).await?;
    let row = row.ok_or(Refusal::NoSuchOffer)?;
    let (header, terms) = (OfferHeader { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let existing = read_existing(tx, offer, requests).await?;
    let has_unpaid = if terms.left() > 0 {
        false
    } else {
        sqlx::query_scalar(SELECT_HAS_UNPAID).bind(offer.0).fetch_one(&mut *tx).await?
    };
    let decided = decide_batch(&header, terms, now, has_unpaid, requests, existing)?;
    if !decided.new_reservations.is_empty() {
        insert_reservations(tx, requests, &decided).await?;
        let reserve = "update offers set reserved = $2, next_place = $3, version = $4 where id = $1";
        sqlx::query(reserve)
            .bind(offer.0)
            .bind(decided.terms.reserved)
            .bind(decided.terms.next_place)
            .bind(decided.terms.version)
            .execute(&mut *tx)
            .await?;
    }
    Ok(batch_outcome(decided))
}

async fn read_existing(
    tx: &mut SqliteConnection,
    offer: OfferId,
    requests: &[PurchaseRequest],
) -> Result<ExistingPurchases> {
    let read = "select
        (select o.id from reservations o where o.buyer = r.value ->> 0 and o.key = r.value ->> 1) as reservation_id,
        coalesce((select sum(o.qty - o.returned) from reservations o where o.offer = $1 and o.person = r.value ->> 2
            and o.status in ('held', 'capturing', 'placed', 'sold')), 0) as owned
        from json_each($2) r order by r.key";
    let asked: Vec<_> = requests
        .iter()
        .map(|request| (request.buyer.as_str(), request.key.as_str(), request.person.as_str()))
        .collect();
    let rows: Vec<ExistingPurchaseRow> =
        sqlx::query_as(read).bind(offer.0).bind(to_json(&asked)?).fetch_all(&mut *tx).await?;
    let ids = existing_reservation_ids(&rows);
    let keyed = if ids.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(KEYED_RESERVATIONS_ON_SQLITE).bind(ids_to_json(ids.into_iter())?).fetch_all(tx).await?
    };
    ExistingPurchases::from_rows(rows, keyed)
}

async fn insert_reservations(
    tx: &mut SqliteConnection,
    requests: &[PurchaseRequest],
    decided: &DecidedBatch,
) -> Result<()> {
    let Some(first) = decided.new_reservations.first() else { return Ok(()) };
    let rows: Vec<_> = requests
        .iter()
        .zip(&decided.decisions)
        .filter(|(_, decision)| matches!(decision, Decision::Held { .. }))
        .map(|(request, _)| {
            let hash = hex(&request.hash);
            (
                request.reservation.0.simple().to_string(),
                request.buyer.as_str(),
                &request.buyer_name,
                request.key.as_str(),
                hash,
                request.qty,
                request.person.as_str(),
            )
        })
        .collect();
    let insert =
        "insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency,
            place, created_at, hold_until, changed_at, person)
        select unhex(r.value ->> 0), $1, $2, r.value ->> 1, r.value ->> 2, r.value ->> 3, unhex(r.value ->> 4), 'held',
            r.value ->> 5, (r.value ->> 5) * $3, $4, $5 + r.key, $6, $7, $6, r.value ->> 6
        from json_each($8) r";
    sqlx::query(insert)
        .bind(first.stream.0)
        .bind(first.offer.0)
        .bind(decided.terms.price)
        .bind(&first.currency)
        .bind(first.place)
        .bind(decided.now)
        .bind(first.hold_until)
        .bind(to_json(&rows)?)
        .execute(tx)
        .await?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
