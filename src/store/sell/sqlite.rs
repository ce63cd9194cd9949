//! Batches on SQLite: one task sells for every offer, and whatever waits when it is free shares a transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::super::offer::{READ_TERMS, TermsRow};
use super::super::order::KEYED_ON_SQLITE;
use super::super::sqlite::WriterSlot;
use super::super::{Error, Result};
use super::{Decided, Had, PriorRow, Shared, Sold, UNPAID, answer, made_before, settle};
use crate::clock::Clock;
use crate::domain::{Ask, Millis, OfferId, Refusal, Verdict};

/// A batch on its way to SQLite's writer.
#[derive(Debug)]
pub struct SellCall {
    pub(super) offer: OfferId,
    pub(super) asks: Vec<Ask>,
    pub(super) answer: oneshot::Sender<Result<Sold>>,
}

/// How many batches wait for the writer; an actor has one on its way, so this is the number of busy offers.
const CALLS_WAITING_MAX: usize = 1_024;
/// How many batches share a transaction, and so an fsync.
const CALLS_PER_TRANSACTION: usize = 64;
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// Starts the one task that sells: whatever batches wait when it is free share its next transaction.
pub fn start(writer: Arc<WriterSlot>, clock: Clock) -> mpsc::Sender<SellCall> {
    let (sender, mut waiting) = mpsc::channel::<SellCall>(CALLS_WAITING_MAX);
    tokio::spawn(async move {
        let mut calls = Vec::with_capacity(CALLS_PER_TRANSACTION);
        while waiting.recv_many(&mut calls, CALLS_PER_TRANSACTION).await > 0 {
            match round(&writer, &clock, &calls).await {
                Ok(sold) => calls.drain(..).zip(sold).for_each(|(call, sold)| drop(call.answer.send(sold))),
                // One bad batch must not fail the others: each gets a transaction of its own.
                Err(error) if calls.len() > 1 && !error.is_transient() => {
                    for call in calls.drain(..) {
                        let alone = round(&writer, &clock, std::slice::from_ref(&call)).await;
                        drop(call.answer.send(alone.and_then(|mut sold| sold.pop().unwrap_or(Err(error_of_none())))));
                    }
                }
                // The actor of a lone batch must see what it was, to try again or to find the bad row. Several share
                // a fault that passes, and an error cannot be cloned.
                Err(error) => {
                    let passes = error.is_transient();
                    tracing::warn!(error = %error, batches = calls.len(), passes, "selling failed");
                    let mut error = Some(error);
                    for call in calls.drain(..) {
                        drop(call.answer.send(Err(error.take().unwrap_or_else(error_of_none))));
                    }
                    if passes {
                        tokio::time::sleep(RESTART_PAUSE).await;
                    }
                }
            }
        }
    });
    sender
}

fn error_of_none() -> Error {
    sqlx::Error::WorkerCrashed.into()
}

async fn round(writer: &WriterSlot, clock: &Clock, calls: &[SellCall]) -> Result<Vec<Result<Sold>>> {
    let asked = Instant::now();
    let mut turn = writer.take().await?;
    let mut tx = turn.begin().await?;
    let locked = Instant::now();
    writer.tally.lock_wait.add(locked - asked);
    let mut sold = Vec::with_capacity(calls.len());
    for call in calls {
        sold.push(match batch(&mut tx, clock.now(), call.offer, &call.asks).await {
            Err(error) if !matches!(error, Error::Refused(_)) => return Err(error),
            answered => answered,
        });
    }
    tx.commit().await?;
    writer.tally.lock_held.add(locked.elapsed());
    turn.put_back();
    Ok(sold)
}

async fn batch(tx: &mut SqliteConnection, now: Millis, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    let row: Option<TermsRow> = sqlx::query_as(READ_TERMS).bind(offer.0).fetch_optional(&mut *tx).await?;
    let row = row.ok_or(Refusal::NoSuchOffer)?;
    let (shared, terms) = (Shared { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let had = had(tx, offer, asks).await?;
    let unpaid =
        if terms.left() > 0 { 0 } else { sqlx::query_scalar(UNPAID).bind(offer.0).fetch_one(&mut *tx).await? };
    let decided = settle(&shared, terms, now, unpaid, asks, had)?;
    if !decided.held.is_empty() {
        insert(tx, asks, &decided).await?;
        let take = "update offers set reserved = $2, next_place = $3, version = $4 where id = $1";
        sqlx::query(take)
            .bind(offer.0)
            .bind(decided.terms.reserved)
            .bind(decided.terms.next_place)
            .bind(decided.terms.version)
            .execute(&mut *tx)
            .await?;
    }
    Ok(answer(decided))
}

async fn had(tx: &mut SqliteConnection, offer: OfferId, asks: &[Ask]) -> Result<Had> {
    let read = "select
        (select o.id from orders o where o.buyer = r.value ->> 0 and o.key = r.value ->> 1) as order_id,
        coalesce((select sum(o.qty) from orders o where o.offer = $1 and o.buyer = r.value ->> 0
            and o.status in ('held', 'capturing', 'paid')), 0) as owned
        from json_each($2) r order by r.key";
    let pairs: Vec<_> = asks.iter().map(|ask| (ask.buyer.as_str(), ask.key.as_str())).collect();
    let rows: Vec<PriorRow> = sqlx::query_as(read).bind(offer.0).bind(json(&pairs)?).fetch_all(&mut *tx).await?;
    let before: Vec<String> = made_before(&rows).into_iter().map(|id| id.simple().to_string()).collect();
    let keyed = if before.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(KEYED_ON_SQLITE).bind(json(&before)?).fetch_all(tx).await?
    };
    Had::of(rows, keyed)
}

async fn insert(tx: &mut SqliteConnection, asks: &[Ask], decided: &Decided) -> Result<()> {
    let Some(first) = decided.held.first() else { return Ok(()) };
    let rows: Vec<_> = asks
        .iter()
        .zip(&decided.verdicts)
        .filter(|(_, verdict)| matches!(verdict, Verdict::Held { .. }))
        .map(|(ask, _)| {
            let hash = hex(&ask.hash);
            (ask.order.0.simple().to_string(), ask.buyer.as_str(), &ask.buyer_name, ask.key.as_str(), hash, ask.qty)
        })
        .collect();
    let insert = "insert into orders (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency,
            place, created_at, hold_until, changed_at)
        select unhex(r.value ->> 0), $1, $2, r.value ->> 1, r.value ->> 2, r.value ->> 3, unhex(r.value ->> 4), 'held',
            r.value ->> 5, (r.value ->> 5) * $3, $4, $5 + r.key, $6, $7, $6
        from json_each($8) r";
    sqlx::query(insert)
        .bind(first.stream.0)
        .bind(first.offer.0)
        .bind(decided.terms.price)
        .bind(&first.currency)
        .bind(first.place)
        .bind(decided.now)
        .bind(first.hold_until)
        .bind(json(&rows)?)
        .execute(tx)
        .await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Unreadable(error.to_string()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
