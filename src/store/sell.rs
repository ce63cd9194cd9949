//! A batch of purchases in one short transaction: lock the offer's row, read what these buyers and keys already
//! have, ask `domain::decide`, write, commit.
//!
//! Two statements, never one: a statement that locks and sums in one snapshot reads the sums as they were before
//! it waited, and gives a buyer twice the limit. The look-ups are scalar subqueries: written as a join they turn
//! into hash joins over the whole table once it is large.

use std::time::Duration;

use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::offer::TermsRow;
use super::postgres::Postgres;
use super::sqlite::WriterSlot;
use super::{Error, Result, Store, order};
use crate::clock::Clock;
use crate::domain::{Ask, Millis, OfferId, Order, OrderId, OrderStatus, Prior, Refusal, Terms, Verdict, decide};

/// What became of a batch. Answers stand in the order of the asks.
#[derive(Clone, Debug)]
pub struct Sold {
    pub answers: Vec<std::result::Result<Answered, Refusal>>,
    /// The offer after the batch.
    pub terms: Terms,
    /// Units held or capturing, known when none is left.
    pub unpaid: i64,
    /// The database's time of the decision.
    pub now: Millis,
}

#[derive(Clone, Debug)]
pub struct Answered {
    pub order: Order,
    /// The key's earlier order, not a new one.
    pub replayed: bool,
}

/// A batch on its way to SQLite's writer.
#[derive(Debug)]
pub struct SellCall {
    offer: OfferId,
    asks: Vec<Ask>,
    answer: oneshot::Sender<Result<Sold>>,
}

impl Store {
    /// Decides and writes one batch; answers only after the commit. Each buyer stands in it at most once.
    pub async fn sell(&self, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
        match self {
            Store::Postgres(db) => sell_on_postgres(db, offer, asks).await,
            Store::Sqlite(db) => {
                let (answer, answered) = oneshot::channel();
                let call = SellCall { offer, asks: asks.to_vec(), answer };
                db.selling().send(call).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
                answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
            }
        }
    }
}

/// What was read under the lock and what follows from it.
struct Decided {
    terms: Terms,
    verdicts: Vec<Verdict>,
    unpaid: i64,
    now: Millis,
    held: Vec<Order>,
}

/// What every order of the batch shares.
struct Shared {
    offer: OfferId,
    stream: Uuid,
    currency: String,
}

fn settle(
    shared: &Shared,
    mut terms: Terms,
    now: Millis,
    unpaid: i64,
    asks: &[Ask],
    priors: &[Prior],
) -> Result<Decided> {
    let verdicts = decide(&terms, now, unpaid, asks, priors);
    let held: Vec<Order> = asks
        .iter()
        .zip(&verdicts)
        .filter_map(|(ask, verdict)| match verdict {
            Verdict::Held { place } => Some(hold(shared, &terms, now, ask, *place)),
            _ => None,
        })
        .collect();
    let units: i64 = held.iter().map(|order| order.qty).sum();
    if units > 0 {
        terms.reserved += units;
        terms.next_place += held.len() as i64;
        terms.version += 1;
    }
    // One place checks what everything else relies on; the database's own check stands behind it. Not a panic: on
    // SQLite one task sells for all offers.
    if terms.reserved > terms.quantity {
        return Err(Error::Unreadable(format!("a batch would oversell offer {}", shared.offer)));
    }
    Ok(Decided { terms, verdicts, unpaid: unpaid + units, now, held })
}

fn hold(shared: &Shared, terms: &Terms, now: Millis, ask: &Ask, place: i64) -> Order {
    Order {
        id: ask.order,
        stream: crate::domain::StreamId(shared.stream),
        offer: shared.offer,
        buyer: ask.buyer.clone(),
        buyer_name: ask.buyer_name.clone(),
        status: OrderStatus::Held,
        qty: ask.qty,
        amount: terms.price * ask.qty,
        currency: shared.currency.clone(),
        place,
        created_at: now,
        hold_until: now + terms.hold_ms,
        paid_at: None,
        reason: None,
        version: 1,
    }
}

fn answer(decided: Decided, replayed: Vec<Order>) -> Sold {
    let mut held = decided.held.into_iter();
    let answers = decided
        .verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Refused(refusal) => Err(refusal),
            Verdict::Held { .. } => {
                held.next().map(|order| Answered { order, replayed: false }).ok_or(Refusal::Busy { retry_ms: 1_000 })
            }
            Verdict::Replay(id) => replayed
                .iter()
                .find(|order| order.id == id)
                .map(|order| Answered { order: order.clone(), replayed: true })
                .ok_or(Refusal::Busy { retry_ms: 1_000 }),
        })
        .collect();
    Sold { answers, terms: decided.terms, unpaid: decided.unpaid, now: decided.now }
}

fn replays(verdicts: &[Verdict]) -> Vec<OrderId> {
    verdicts.iter().filter_map(|verdict| if let Verdict::Replay(id) = verdict { Some(*id) } else { None }).collect()
}

const UNPAID: &str = "select cast(coalesce(sum(qty), 0) as bigint) from orders
    where offer = $1 and status in ('held', 'capturing')";

#[derive(sqlx::FromRow)]
struct PriorRow {
    order_id: Option<Uuid>,
    hash: Option<Vec<u8>>,
    owned: i64,
}

impl PriorRow {
    fn prior(self) -> Prior {
        let order = self.order_id.zip(self.hash.and_then(|hash| hash.try_into().ok()));
        Prior { order: order.map(|(id, hash)| (OrderId(id), hash)), owned: self.owned }
    }
}

// --- Postgres -------------------------------------------------------------------------------------------------

/// How often a batch is decided anew because a key was used for another offer at the same moment.
const KEY_RACES_MAX: usize = 3;

async fn sell_on_postgres(db: &Postgres, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    for _ in 0..KEY_RACES_MAX {
        match sell_once_on_postgres(db, offer, asks).await {
            // Another offer's batch, under another lock, used one of our keys between our look and our insert. It
            // is committed, so the next look finds it.
            Err(fault) if is_key_taken(&fault) => {}
            settled => return settled,
        }
    }
    sell_once_on_postgres(db, offer, asks).await
}

fn is_key_taken(fault: &Error) -> bool {
    matches!(fault, Error::Database(sqlx::Error::Database(db)) if db.constraint() == Some("one_order_per_key"))
}

async fn sell_once_on_postgres(db: &Postgres, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    db.selling().run(async |connection| postgres_batch(connection, offer, asks).await).await
}

async fn postgres_batch(connection: &mut PgConnection, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    let mut tx = connection.begin().await?;
    let lock =
        "select stream, currency, stage, quantity, reserved, next_place, version, opens_at, closes_at, per_buyer,
        hold_ms, price from offers where id = $1 for no key update";
    let Some(row) = sqlx::query_as::<_, TermsRow>(lock).bind(offer.0).fetch_optional(&mut *tx).await? else {
        tx.rollback().await?;
        return Err(Refusal::NoSuchOffer.into());
    };
    let (shared, terms) = (Shared { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let (now, priors) = postgres_priors(&mut tx, offer, asks).await?;
    let unpaid =
        if terms.left() > 0 { 0 } else { sqlx::query_scalar(UNPAID).bind(offer.0).fetch_one(&mut *tx).await? };
    let decided = settle(&shared, terms, now, unpaid, asks, &priors)?;
    if !decided.held.is_empty() {
        postgres_insert(&mut tx, asks, &decided).await?;
        let take = "update offers set reserved = $2, next_place = $3, version = $4 where id = $1";
        sqlx::query(take)
            .bind(offer.0)
            .bind(decided.terms.reserved)
            .bind(decided.terms.next_place)
            .bind(decided.terms.version)
            .execute(&mut *tx)
            .await?;
    }
    let replays: Vec<Uuid> = replays(&decided.verdicts).into_iter().map(|id| id.0).collect();
    let mut replayed: Vec<order::OrderRow> = Vec::new();
    if !replays.is_empty() {
        // One round trip, however many retry: this is under the lock.
        replayed = sqlx::query_as(order::BY_IDS_ON_POSTGRES).bind(replays).fetch_all(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(answer(decided, replayed.into_iter().map(order::OrderRow::order).collect::<Result<_>>()?))
}

async fn postgres_priors(tx: &mut PgConnection, offer: OfferId, asks: &[Ask]) -> Result<(Millis, Vec<Prior>)> {
    #[derive(sqlx::FromRow)]
    struct Row {
        now: i64,
        #[sqlx(flatten)]
        prior: PriorRow,
    }
    let read = "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now,
        (select o.id from orders o where o.buyer = r.buyer and o.key = r.key) as order_id,
        (select o.hash from orders o where o.buyer = r.buyer and o.key = r.key) as hash,
        coalesce((select sum(o.qty) from orders o where o.offer = $1 and o.buyer = r.buyer
            and o.status in ('held', 'capturing', 'paid')), 0)::bigint as owned
        from unnest($2::text[], $3::text[]) with ordinality r (buyer, key, place) order by r.place";
    let rows: Vec<Row> = sqlx::query_as(read)
        .bind(offer.0)
        .bind(asks.iter().map(|ask| ask.buyer.as_str()).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.key.as_str()).collect::<Vec<_>>())
        .fetch_all(tx)
        .await?;
    let now = rows.first().map_or(0, |row| row.now);
    Ok((now, rows.into_iter().map(|row| row.prior.prior()).collect()))
}

async fn postgres_insert(tx: &mut PgConnection, asks: &[Ask], decided: &Decided) -> Result<()> {
    let Some(first) = decided.held.first() else { return Ok(()) };
    let winners =
        || asks.iter().zip(&decided.verdicts).filter(|(_, v)| matches!(v, Verdict::Held { .. })).map(|(a, _)| a);
    let insert = "insert into orders (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency,
            place, created_at, hold_until, changed_at)
        select r.id, $1, $2, r.buyer, r.name, r.key, r.hash, 'held', r.qty, r.qty * $3, $4, $5 + r.place - 1, $6, $7, $6
        from unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::bigint[])
            with ordinality r (id, buyer, name, key, hash, qty, place)
        order by r.buyer, r.key"; // so that batches of two offers with the same keys wait for, not on, each other
    sqlx::query(insert)
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
        .execute(tx)
        .await?;
    Ok(())
}

// --- SQLite ---------------------------------------------------------------------------------------------------

/// How many batches wait for the writer; an actor has one on its way, so this is the number of busy offers.
const CALLS_WAITING_MAX: usize = 1_024;
/// How many batches share a transaction, and so an fsync.
const CALLS_PER_TRANSACTION: usize = 64;
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// Starts the one task that sells: whatever batches wait when it is free share its next transaction.
pub(super) fn start_sqlite(writer: std::sync::Arc<WriterSlot>, clock: Clock) -> mpsc::Sender<SellCall> {
    let (sender, mut waiting) = mpsc::channel::<SellCall>(CALLS_WAITING_MAX);
    tokio::spawn(async move {
        let mut calls = Vec::with_capacity(CALLS_PER_TRANSACTION);
        while waiting.recv_many(&mut calls, CALLS_PER_TRANSACTION).await > 0 {
            match sqlite_round(&writer, &clock, &calls).await {
                Ok(sold) => calls.drain(..).zip(sold).for_each(|(call, sold)| drop(call.answer.send(sold))),
                // One bad batch must not fail the others: each gets a transaction of its own.
                Err(error) if calls.len() > 1 && !error.is_transient() => {
                    for call in calls.drain(..) {
                        let alone = sqlite_round(&writer, &clock, std::slice::from_ref(&call)).await;
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

async fn sqlite_round(writer: &WriterSlot, clock: &Clock, calls: &[SellCall]) -> Result<Vec<Result<Sold>>> {
    let mut turn = writer.take().await?;
    let mut tx = turn.begin().await?;
    let mut sold = Vec::with_capacity(calls.len());
    for call in calls {
        sold.push(match sqlite_batch(&mut tx, clock.now(), call.offer, &call.asks).await {
            Err(error) if !matches!(error, Error::Refused(_)) => return Err(error),
            answered => answered,
        });
    }
    tx.commit().await?;
    turn.put_back();
    Ok(sold)
}

async fn sqlite_batch(tx: &mut SqliteConnection, now: Millis, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    let read =
        "select stream, currency, stage, quantity, reserved, next_place, version, opens_at, closes_at, per_buyer,
        hold_ms, price from offers where id = $1";
    let row: Option<TermsRow> = sqlx::query_as(read).bind(offer.0).fetch_optional(&mut *tx).await?;
    let row = row.ok_or(Refusal::NoSuchOffer)?;
    let (shared, terms) = (Shared { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let priors = sqlite_priors(tx, offer, asks).await?;
    let unpaid =
        if terms.left() > 0 { 0 } else { sqlx::query_scalar(UNPAID).bind(offer.0).fetch_one(&mut *tx).await? };
    let decided = settle(&shared, terms, now, unpaid, asks, &priors)?;
    if !decided.held.is_empty() {
        sqlite_insert(tx, asks, &decided).await?;
        let take = "update offers set reserved = $2, next_place = $3, version = $4 where id = $1";
        sqlx::query(take)
            .bind(offer.0)
            .bind(decided.terms.reserved)
            .bind(decided.terms.next_place)
            .bind(decided.terms.version)
            .execute(&mut *tx)
            .await?;
    }
    let mut replayed = Vec::new();
    for id in replays(&decided.verdicts) {
        replayed.extend(sqlx::query_as::<_, order::OrderRow>(order::BY_ID).bind(id.0).fetch_optional(&mut *tx).await?);
    }
    Ok(answer(decided, replayed.into_iter().map(order::OrderRow::order).collect::<Result<_>>()?))
}

async fn sqlite_priors(tx: &mut SqliteConnection, offer: OfferId, asks: &[Ask]) -> Result<Vec<Prior>> {
    let read = "select
        (select o.id from orders o where o.buyer = r.value ->> 0 and o.key = r.value ->> 1) as order_id,
        (select o.hash from orders o where o.buyer = r.value ->> 0 and o.key = r.value ->> 1) as hash,
        coalesce((select sum(o.qty) from orders o where o.offer = $1 and o.buyer = r.value ->> 0
            and o.status in ('held', 'capturing', 'paid')), 0) as owned
        from json_each($2) r order by r.key";
    let pairs: Vec<_> = asks.iter().map(|ask| (ask.buyer.as_str(), ask.key.as_str())).collect();
    let rows: Vec<PriorRow> = sqlx::query_as(read).bind(offer.0).bind(json(&pairs)?).fetch_all(tx).await?;
    Ok(rows.into_iter().map(PriorRow::prior).collect())
}

async fn sqlite_insert(tx: &mut SqliteConnection, asks: &[Ask], decided: &Decided) -> Result<()> {
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
