//! A batch of purchases in one short transaction: lock the offer's row, read what these buyers and keys already
//! have, ask `domain::decide`, write, commit.
//!
//! Two statements, never one: a statement that locks and sums in one snapshot reads the sums as they were before
//! it waited, and gives a buyer twice the limit. The look-ups are scalar subqueries: written as a join they turn
//! into hash joins over the whole table once it is large.

mod postgres;
mod sqlite;

use std::collections::HashMap;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::order::KeyedOrderRow;
use super::sqlite::Sqlite;
use super::{Error, Result, Store};
use crate::domain::{
    Decision, ExistingPurchase, Millis, OfferId, OfferTerms, Order, OrderId, OrderStatus, PurchaseRequest, Refusal,
    RequestHash, decide,
};

use postgres::PostgresTurn;
pub use sqlite::SellCall;
pub(super) use sqlite::start as start_sqlite;

/// What became of a batch. Answers stand in the order of the asks.
#[derive(Clone, Debug)]
pub struct BatchOutcome {
    pub results: Vec<std::result::Result<PurchaseOutcome, Refusal>>,
    /// The offer after the batch.
    pub terms: OfferTerms,
    /// Units held or capturing, known when none is left.
    pub unpaid: i64,
    /// The database's time of the decision.
    pub now: Millis,
}

#[derive(Clone, Debug)]
pub struct PurchaseOutcome {
    pub order: Order,
    /// The key's earlier order, not a new one.
    pub replayed: bool,
}

/// The right to decide an offer's next batch: on Postgres its row is locked, on SQLite the one writer keeps the order.
pub enum BatchTurn<'a> {
    Postgres(PostgresTurn<'a>),
    Sqlite(&'a Sqlite, OfferId),
}

impl BatchTurn<'_> {
    /// Decides and writes one batch; answers only after the commit. Each buyer stands in it at most once.
    pub async fn sell(self, asks: &[PurchaseRequest]) -> Result<BatchOutcome> {
        match self {
            BatchTurn::Postgres(turn) => turn.sell(asks).await,
            BatchTurn::Sqlite(db, offer) => {
                let (answer, answered) = oneshot::channel();
                let call = SellCall { offer, requests: asks.to_vec(), reply: answer };
                db.selling().send(call).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
                answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
            }
        }
    }

    /// Lets the next one have it.
    pub async fn release(self) {
        if let BatchTurn::Postgres(turn) = self {
            turn.release().await;
        }
    }
}

impl Store {
    pub async fn turn(&self, offer: OfferId) -> Result<BatchTurn<'_>> {
        match self {
            Store::Postgres(db) => {
                PostgresTurn::acquire(db.selling().borrow().await?, offer).await.map(BatchTurn::Postgres)
            }
            Store::Sqlite(db) => Ok(BatchTurn::Sqlite(db, offer)),
        }
    }

    /// The turn after the one that is taken: it waits in the database's own queue and comes with the commit of the one
    /// before. None where there is nothing to gain, or connections are scarce.
    pub fn next_turn(&self, offer: OfferId) -> Option<impl Future<Output = Result<BatchTurn<'_>>> + Send> {
        let Store::Postgres(db) = self else { return None };
        let spare = db.selling().spare()?;
        Some(async move { PostgresTurn::acquire(spare.borrow().await?, offer).await.map(BatchTurn::Postgres) })
    }

    /// A turn and its batch.
    pub async fn sell(&self, offer: OfferId, asks: &[PurchaseRequest]) -> Result<BatchOutcome> {
        self.turn(offer).await?.sell(asks).await
    }
}

/// What was read under the lock and what follows from it.
struct DecidedBatch {
    terms: OfferTerms,
    decisions: Vec<Decision>,
    unpaid: i64,
    now: Millis,
    new_orders: Vec<Order>,
    /// The orders that keys of the batch made before.
    existing_orders: HashMap<OrderId, Order>,
}

/// What every order of the batch shares.
struct OfferHeader {
    offer: OfferId,
    stream: Uuid,
    currency: String,
}

fn decide_batch(
    shared: &OfferHeader,
    mut terms: OfferTerms,
    now: Millis,
    unpaid: i64,
    asks: &[PurchaseRequest],
    had: ExistingPurchases,
) -> Result<DecidedBatch> {
    let ExistingPurchases { purchases: priors, orders: known } = had;
    let verdicts = decide(&terms, now, unpaid, asks, &priors);
    let held: Vec<Order> = asks
        .iter()
        .zip(&verdicts)
        .filter_map(|(ask, verdict)| match verdict {
            Decision::Held { place } => Some(held_order(shared, &terms, now, ask, *place)),
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
        return Err(Error::CorruptRow(format!("a batch would oversell offer {}", shared.offer)));
    }
    Ok(DecidedBatch {
        terms,
        decisions: verdicts,
        unpaid: unpaid + units,
        now,
        new_orders: held,
        existing_orders: known,
    })
}

fn held_order(shared: &OfferHeader, terms: &OfferTerms, now: Millis, ask: &PurchaseRequest, place: i64) -> Order {
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

fn batch_outcome(decided: DecidedBatch) -> BatchOutcome {
    let (mut held, mut known) = (decided.new_orders.into_iter(), decided.existing_orders);
    // Both are there for every verdict that names them; nobody is told a thing we do not have.
    let missing = || Refusal::Busy { retry_ms: 1_000 };
    let answers = decided
        .decisions
        .into_iter()
        .map(|verdict| match verdict {
            Decision::Refused(refusal) => Err(refusal),
            Decision::Held { .. } => {
                held.next().map(|order| PurchaseOutcome { order, replayed: false }).ok_or_else(missing)
            }
            Decision::Replay(id) => {
                known.remove(&id).map(|order| PurchaseOutcome { order, replayed: true }).ok_or_else(missing)
            }
        })
        .collect();
    BatchOutcome { results: answers, terms: decided.terms, unpaid: decided.unpaid, now: decided.now }
}

const SELECT_UNPAID_UNITS: &str = "select cast(coalesce(sum(qty), 0) as bigint) from orders
    where offer = $1 and status in ('held', 'capturing')";

#[derive(sqlx::FromRow)]
struct ExistingPurchaseRow {
    order_id: Option<Uuid>,
    owned: i64,
}

/// What the askers of a batch already have.
struct ExistingPurchases {
    purchases: Vec<ExistingPurchase>,
    orders: HashMap<OrderId, Order>,
}

/// The keys that made an order before. Most batches have none, and need no look at the orders themselves.
fn existing_order_ids(rows: &[ExistingPurchaseRow]) -> Vec<Uuid> {
    rows.iter().filter_map(|row| row.order_id).collect()
}

impl ExistingPurchases {
    fn from_rows(rows: Vec<ExistingPurchaseRow>, keyed: Vec<KeyedOrderRow>) -> Result<Self> {
        let mut hashes = HashMap::with_capacity(keyed.len());
        let mut known = HashMap::with_capacity(keyed.len());
        for KeyedOrderRow { hash, order } in keyed {
            let order = order.order()?;
            let hash: RequestHash =
                hash.try_into().map_err(|_| Error::CorruptRow(format!("the hash of order {}", order.id)))?;
            hashes.insert(order.id, hash);
            known.insert(order.id, order);
        }
        let prior = |row: ExistingPurchaseRow| {
            let id = row.order_id.map(OrderId);
            ExistingPurchase { order: id.and_then(|id| Some((id, *hashes.get(&id)?))), owned: row.owned }
        };
        Ok(Self { purchases: rows.into_iter().map(prior).collect(), orders: known })
    }
}
