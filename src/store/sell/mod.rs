//! The selling path: a batch of purchases in one short transaction. Lock the offer's row, read what these buyers and
//! keys already have, let `domain::decide` decide, write, commit.
//!
//! The lock and the sums are two statements, never one: a statement that locks and sums in one snapshot reads the sums
//! as they were before it waited, and gives a buyer twice the limit. The look-ups are scalar subqueries: written as a
//! join, they turn into hash joins over the whole table once it is large.

mod postgres;
mod sqlite;

use std::collections::HashMap;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::order::KeyedOrderRow;
use super::row::from_row;
use super::sqlite::Sqlite;
use super::{Error, Result, Store};
use crate::domain::{
    Decision, ExistingPurchase, Millis, OfferId, OfferTerms, Order, OrderId, OrderStatus, PurchaseRequest, Refusal,
    RequestHash, decide,
};

use postgres::PostgresTurn;
pub use sqlite::SellCall;
pub(super) use sqlite::start as start_sqlite;

/// The outcome of a batch. The results are in the order of the requests.
#[derive(Clone, Debug)]
pub struct BatchOutcome {
    pub results: Vec<std::result::Result<PurchaseOutcome, Refusal>>,
    /// The offer after the batch.
    pub terms: OfferTerms,
    /// There are held or capturing orders; known only when no unit is left, otherwise `false`.
    pub has_unpaid: bool,
    /// The time of the decision, by the database's clock.
    pub now: Millis,
}

#[derive(Clone, Debug)]
pub struct PurchaseOutcome {
    pub order: Order,
    /// The order was created earlier with the same idempotency key.
    pub replayed: bool,
}

/// The right to decide an offer's next batch. On PostgreSQL the offer's row is locked; on SQLite the one writer task runs
/// batches one after the other.
pub enum BatchTurn<'a> {
    Postgres(PostgresTurn<'a>),
    Sqlite(&'a Sqlite, OfferId),
}

impl BatchTurn<'_> {
    /// Decides and writes one batch, and returns only after the commit. Each buyer is in the batch at most once.
    pub async fn sell(self, requests: &[PurchaseRequest]) -> Result<BatchOutcome> {
        match self {
            BatchTurn::Postgres(turn) => turn.sell(requests).await,
            BatchTurn::Sqlite(db, offer) => {
                let (reply, outcome) = oneshot::channel();
                let call = SellCall { offer, requests: requests.to_vec(), reply };
                db.selling().send(call).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
                outcome.await.map_err(|_| sqlx::Error::WorkerCrashed)?
            }
        }
    }

    /// Gives up the turn without selling a batch.
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

    /// Queues for the turn after the current one, in the database's own lock queue: it comes with the commit of the batch
    /// before. `None` on SQLite, where it would gain nothing, and while connections are scarce.
    pub fn next_turn(&self, offer: OfferId) -> Option<impl Future<Output = Result<BatchTurn<'_>>> + Send> {
        let Store::Postgres(db) = self else { return None };
        let spare = db.selling().spare()?;
        Some(async move { PostgresTurn::acquire(spare.borrow().await?, offer).await.map(BatchTurn::Postgres) })
    }

    /// Waits for a turn and sells one batch.
    pub async fn sell(&self, offer: OfferId, requests: &[PurchaseRequest]) -> Result<BatchOutcome> {
        self.turn(offer).await?.sell(requests).await
    }
}

/// A batch that is decided and not yet written.
struct DecidedBatch {
    terms: OfferTerms,
    decisions: Vec<Decision>,
    has_unpaid: bool,
    now: Millis,
    new_orders: Vec<Order>,
    /// The orders that were created earlier with keys of this batch.
    existing_orders: HashMap<OrderId, Order>,
}

/// What all orders of a batch have in common.
struct OfferHeader {
    offer: OfferId,
    stream: Uuid,
    currency: String,
}

fn decide_batch(
    header: &OfferHeader,
    mut terms: OfferTerms,
    now: Millis,
    has_unpaid: bool,
    requests: &[PurchaseRequest],
    existing: ExistingPurchases,
) -> Result<DecidedBatch> {
    let ExistingPurchases { purchases, orders: existing_orders } = existing;
    let decisions = decide(&terms, now, has_unpaid, requests, &purchases);
    let new_orders: Vec<Order> = requests
        .iter()
        .zip(&decisions)
        .filter_map(|(request, decision)| match decision {
            Decision::Held { place } => Some(held_order(header, &terms, now, request, *place)),
            _ => None,
        })
        .collect();
    let units: i64 = new_orders.iter().map(|order| order.qty).sum();
    if units > 0 {
        terms.reserved += units;
        terms.next_place += new_orders.len() as i64;
        terms.version += 1;
    }
    // Checked here once more, because every promise relies on it; the database has a check of its own. It is not a panic,
    // because on SQLite one task sells for all offers.
    if terms.reserved > terms.quantity {
        return Err(Error::CorruptRow(format!("a batch would oversell offer {}", header.offer)));
    }
    let has_unpaid = has_unpaid || units > 0;
    Ok(DecidedBatch { terms, decisions, has_unpaid, now, new_orders, existing_orders })
}

fn held_order(header: &OfferHeader, terms: &OfferTerms, now: Millis, request: &PurchaseRequest, place: i64) -> Order {
    Order {
        id: request.order,
        stream: crate::domain::StreamId(header.stream),
        offer: header.offer,
        buyer: request.buyer.clone(),
        buyer_name: request.buyer_name.clone(),
        status: OrderStatus::Held,
        qty: request.qty,
        amount: terms.price * request.qty,
        currency: header.currency.clone(),
        place,
        created_at: now,
        hold_until: now + terms.hold_ms,
        paid_at: None,
        reason: None,
        version: 1,
    }
}

fn batch_outcome(decided: DecidedBatch) -> BatchOutcome {
    let (mut new_orders, mut existing_orders) = (decided.new_orders.into_iter(), decided.existing_orders);
    // Every decision that names an order has one. If one is missing, its buyer is refused, because we
    // must not acknowledge an order that we do not have.
    let missing = || Refusal::Busy { retry_ms: 1_000 };
    let results = decided
        .decisions
        .into_iter()
        .map(|decision| match decision {
            Decision::Refused(refusal) => Err(refusal),
            Decision::Held { .. } => {
                new_orders.next().map(|order| PurchaseOutcome { order, replayed: false }).ok_or_else(missing)
            }
            Decision::Replay(id) => {
                existing_orders.remove(&id).map(|order| PurchaseOutcome { order, replayed: true }).ok_or_else(missing)
            }
        })
        .collect();
    BatchOutcome { results, terms: decided.terms, has_unpaid: decided.has_unpaid, now: decided.now }
}

/// One look into the index of unpaid orders: a rush has thousands of them.
const SELECT_HAS_UNPAID: &str = "select exists (select 1 from orders
    where offer = $1 and status in ('held', 'capturing'))";

struct ExistingPurchaseRow {
    order_id: Option<Uuid>,
    owned: i64,
}

from_row!(ExistingPurchaseRow { order_id, owned });

/// What the buyers and keys of a batch already have.
struct ExistingPurchases {
    purchases: Vec<ExistingPurchase>,
    orders: HashMap<OrderId, Order>,
}

/// The orders that were created earlier with keys of the batch. Most batches have none, and need not read any order.
fn existing_order_ids(rows: &[ExistingPurchaseRow]) -> Vec<Uuid> {
    rows.iter().filter_map(|row| row.order_id).collect()
}

impl ExistingPurchases {
    fn from_rows(rows: Vec<ExistingPurchaseRow>, keyed: Vec<KeyedOrderRow>) -> Result<Self> {
        let mut hashes = HashMap::with_capacity(keyed.len());
        let mut orders = HashMap::with_capacity(keyed.len());
        for KeyedOrderRow { hash, order } in keyed {
            let order = order.into_order()?;
            let hash: RequestHash =
                hash.try_into().map_err(|_| Error::CorruptRow(format!("the hash of order {}", order.id)))?;
            hashes.insert(order.id, hash);
            orders.insert(order.id, order);
        }
        let purchase = |row: ExistingPurchaseRow| {
            let id = row.order_id.map(OrderId);
            ExistingPurchase { order: id.and_then(|id| Some((id, *hashes.get(&id)?))), owned: row.owned }
        };
        Ok(Self { purchases: rows.into_iter().map(purchase).collect(), orders })
    }
}
