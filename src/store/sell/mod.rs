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

use super::order::KeyedRow;
use super::sqlite::Sqlite;
use super::{Error, Result, Store};
use crate::domain::{
    Ask, Millis, OfferId, Order, OrderId, OrderStatus, Prior, Refusal, RequestHash, Terms, Verdict, decide,
};

use postgres::PostgresTurn;
pub use sqlite::SellCall;
pub(super) use sqlite::start as start_sqlite;

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

/// The right to decide an offer's next batch: on Postgres its row is locked, on SQLite the one writer keeps the order.
pub enum Turn<'a> {
    Postgres(PostgresTurn<'a>),
    Sqlite(&'a Sqlite, OfferId),
}

impl Turn<'_> {
    /// Decides and writes one batch; answers only after the commit. Each buyer stands in it at most once.
    pub async fn sell(self, asks: &[Ask]) -> Result<Sold> {
        match self {
            Turn::Postgres(turn) => turn.sell(asks).await,
            Turn::Sqlite(db, offer) => {
                let (answer, answered) = oneshot::channel();
                let call = SellCall { offer, asks: asks.to_vec(), answer };
                db.selling().send(call).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
                answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
            }
        }
    }

    /// Lets the next one have it.
    pub async fn pass(self) {
        if let Turn::Postgres(turn) = self {
            turn.pass().await;
        }
    }
}

impl Store {
    pub async fn turn(&self, offer: OfferId) -> Result<Turn<'_>> {
        match self {
            Store::Postgres(db) => PostgresTurn::take(db.selling().borrow().await?, offer).await.map(Turn::Postgres),
            Store::Sqlite(db) => Ok(Turn::Sqlite(db, offer)),
        }
    }

    /// The turn after the one that is taken: it waits in the database's own queue and comes with the commit of the one
    /// before. None where there is nothing to gain, or connections are scarce.
    pub fn next_turn(&self, offer: OfferId) -> Option<impl Future<Output = Result<Turn<'_>>> + Send> {
        let Store::Postgres(db) = self else { return None };
        let spare = db.selling().spare()?;
        Some(async move { PostgresTurn::take(spare.borrow().await?, offer).await.map(Turn::Postgres) })
    }

    /// A turn and its batch.
    pub async fn sell(&self, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
        self.turn(offer).await?.sell(asks).await
    }
}

/// What was read under the lock and what follows from it.
struct Decided {
    terms: Terms,
    verdicts: Vec<Verdict>,
    unpaid: i64,
    now: Millis,
    held: Vec<Order>,
    /// The orders that keys of the batch made before.
    known: HashMap<OrderId, Order>,
}

/// What every order of the batch shares.
struct Shared {
    offer: OfferId,
    stream: Uuid,
    currency: String,
}

fn settle(shared: &Shared, mut terms: Terms, now: Millis, unpaid: i64, asks: &[Ask], had: Had) -> Result<Decided> {
    let Had { priors, known } = had;
    let verdicts = decide(&terms, now, unpaid, asks, &priors);
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
    Ok(Decided { terms, verdicts, unpaid: unpaid + units, now, held, known })
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

fn answer(decided: Decided) -> Sold {
    let (mut held, mut known) = (decided.held.into_iter(), decided.known);
    // Both are there for every verdict that names them; nobody is told a thing we do not have.
    let missing = || Refusal::Busy { retry_ms: 1_000 };
    let answers = decided
        .verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Refused(refusal) => Err(refusal),
            Verdict::Held { .. } => held.next().map(|order| Answered { order, replayed: false }).ok_or_else(missing),
            Verdict::Replay(id) => {
                known.remove(&id).map(|order| Answered { order, replayed: true }).ok_or_else(missing)
            }
        })
        .collect();
    Sold { answers, terms: decided.terms, unpaid: decided.unpaid, now: decided.now }
}

const UNPAID: &str = "select cast(coalesce(sum(qty), 0) as bigint) from orders
    where offer = $1 and status in ('held', 'capturing')";

#[derive(sqlx::FromRow)]
struct PriorRow {
    order_id: Option<Uuid>,
    owned: i64,
}

/// What the askers of a batch already have.
struct Had {
    priors: Vec<Prior>,
    known: HashMap<OrderId, Order>,
}

/// The keys that made an order before. Most batches have none, and need no look at the orders themselves.
fn made_before(rows: &[PriorRow]) -> Vec<Uuid> {
    rows.iter().filter_map(|row| row.order_id).collect()
}

impl Had {
    fn of(rows: Vec<PriorRow>, keyed: Vec<KeyedRow>) -> Result<Self> {
        let mut hashes = HashMap::with_capacity(keyed.len());
        let mut known = HashMap::with_capacity(keyed.len());
        for KeyedRow { hash, order } in keyed {
            let order = order.order()?;
            let hash: RequestHash =
                hash.try_into().map_err(|_| Error::Unreadable(format!("the hash of order {}", order.id)))?;
            hashes.insert(order.id, hash);
            known.insert(order.id, order);
        }
        let prior = |row: PriorRow| {
            let id = row.order_id.map(OrderId);
            Prior { order: id.and_then(|id| Some((id, *hashes.get(&id)?))), owned: row.owned }
        };
        Ok(Self { priors: rows.into_iter().map(prior).collect(), known })
    }
}
