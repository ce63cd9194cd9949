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

use super::reservation::KeyedReservationRow;
use super::row::from_row;
use super::sqlite::Sqlite;
use super::{Error, Result, Store};
use crate::domain::{
    Decision, ExistingPurchase, Millis, OfferId, OfferTerms, PurchaseRequest, Refusal, RequestHash, Reservation,
    ReservationId, ReservationStatus, decide,
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
    /// There are held or capturing reservations; known only when no unit is left, otherwise `false`.
    pub has_unpaid: bool,
    /// The time of the decision, by the database's clock.
    pub now: Millis,
}

#[derive(Clone, Debug)]
pub struct PurchaseOutcome {
    pub reservation: Reservation,
    /// It was made earlier with the same idempotency key.
    pub replayed: bool,
}

/// The right to decide an offer's next batch. On PostgreSQL the offer's row is locked; on SQLite the one writer task runs
/// batches one after the other.
pub enum BatchTurn<'a> {
    Postgres(Box<PostgresTurn<'a>>),
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
                let borrowed = db.selling().borrow().await?;
                Ok(BatchTurn::Postgres(Box::new(PostgresTurn::acquire(borrowed, db.counters(), offer).await?)))
            }
            Store::Sqlite(db) => Ok(BatchTurn::Sqlite(db, offer)),
        }
    }

    /// Queues for the turn after the current one, in the database's own lock queue: it comes with the commit of the batch
    /// before. `None` on SQLite, where it would gain nothing, and while connections are scarce.
    pub fn next_turn(&self, offer: OfferId) -> Option<impl Future<Output = Result<BatchTurn<'_>>> + Send> {
        let Store::Postgres(db) = self else { return None };
        let spare = db.selling().spare()?;
        Some(async move {
            let borrowed = spare.borrow().await?;
            Ok(BatchTurn::Postgres(Box::new(PostgresTurn::acquire(borrowed, db.counters(), offer).await?)))
        })
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
    new_reservations: Vec<Reservation>,
    /// Those that were made earlier with keys of this batch.
    existing_reservations: HashMap<ReservationId, Reservation>,
}

/// What all reservations of a batch have in common.
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
    let ExistingPurchases { purchases, reservations: existing_reservations } = existing;
    let decisions = decide(&terms, now, has_unpaid, requests, &purchases);
    let new_reservations: Vec<Reservation> = requests
        .iter()
        .zip(&decisions)
        .filter_map(|(request, decision)| match decision {
            Decision::Held { place } => Some(held_reservation(header, &terms, now, request, *place)),
            _ => None,
        })
        .collect();
    let units: i64 = new_reservations.iter().map(|reservation| reservation.qty).sum();
    if units > 0 {
        terms.reserved += units;
        terms.next_place += new_reservations.len() as i64;
        terms.version += 1;
    }
    // Checked here once more, because every promise relies on it; the database has a check of its own. It is not a panic,
    // because on SQLite one task sells for all offers.
    if terms.reserved > terms.quantity {
        return Err(Error::CorruptRow(format!("a batch would oversell offer {}", header.offer)));
    }
    let has_unpaid = has_unpaid || units > 0;
    Ok(DecidedBatch { terms, decisions, has_unpaid, now, new_reservations, existing_reservations })
}

fn held_reservation(
    header: &OfferHeader,
    terms: &OfferTerms,
    now: Millis,
    request: &PurchaseRequest,
    place: i64,
) -> Reservation {
    Reservation {
        id: request.reservation,
        stream: crate::domain::StreamId(header.stream),
        offer: header.offer,
        order: None,
        buyer: request.buyer.clone(),
        buyer_name: request.buyer_name.clone(),
        status: ReservationStatus::Held,
        qty: request.qty,
        returned: 0,
        amount: terms.price * request.qty,
        currency: header.currency.clone(),
        place,
        created_at: now,
        hold_until: now + terms.hold_ms,
        reason: None,
        version: 1,
    }
}

fn batch_outcome(decided: DecidedBatch) -> BatchOutcome {
    let (mut new, mut existing) = (decided.new_reservations.into_iter(), decided.existing_reservations);
    // Every decision that names a reservation has one. If one is missing, its buyer is refused, because we
    // must not acknowledge a reservation that we do not have.
    let missing = || Refusal::Busy { retry_ms: 1_000 };
    let results = decided
        .decisions
        .into_iter()
        .map(|decision| match decision {
            Decision::Refused(refusal) => Err(refusal),
            Decision::Held { .. } => {
                new.next().map(|reservation| PurchaseOutcome { reservation, replayed: false }).ok_or_else(missing)
            }
            Decision::Replay(id) => {
                let known = existing.remove(&id);
                known.map(|reservation| PurchaseOutcome { reservation, replayed: true }).ok_or_else(missing)
            }
        })
        .collect();
    BatchOutcome { results, terms: decided.terms, has_unpaid: decided.has_unpaid, now: decided.now }
}

/// One look into the index of unpaid reservations: a rush has thousands of them.
const SELECT_HAS_UNPAID: &str = "select exists (select 1 from reservations
    where offer = $1 and status in ('held', 'capturing'))";

struct ExistingPurchaseRow {
    reservation_id: Option<Uuid>,
    owned: i64,
}

from_row!(ExistingPurchaseRow { reservation_id, owned });

/// What the buyers and keys of a batch already have.
struct ExistingPurchases {
    purchases: Vec<ExistingPurchase>,
    reservations: HashMap<ReservationId, Reservation>,
}

/// The reservations that were made earlier with keys of the batch. Most batches have none, and need not read any.
fn existing_reservation_ids(rows: &[ExistingPurchaseRow]) -> Vec<Uuid> {
    rows.iter().filter_map(|row| row.reservation_id).collect()
}

impl ExistingPurchases {
    fn from_rows(rows: Vec<ExistingPurchaseRow>, keyed: Vec<KeyedReservationRow>) -> Result<Self> {
        let mut hashes = HashMap::with_capacity(keyed.len());
        let mut reservations = HashMap::with_capacity(keyed.len());
        for KeyedReservationRow { hash, reservation } in keyed {
            let reservation = reservation.into_reservation()?;
            let hash: RequestHash = hash
                .try_into()
                .map_err(|_| Error::CorruptRow(format!("the hash of reservation {}", reservation.id)))?;
            hashes.insert(reservation.id, hash);
            reservations.insert(reservation.id, reservation);
        }
        let purchase = |row: ExistingPurchaseRow| {
            let id = row.reservation_id.map(crate::domain::OrderId);
            ExistingPurchase { reservation: id.and_then(|id| Some((id, *hashes.get(&id)?))), owned: row.owned }
        };
        Ok(Self { purchases: rows.into_iter().map(purchase).collect(), reservations })
    }
}
