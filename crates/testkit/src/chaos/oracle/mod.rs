//! The oracle: checks every promise about selling. It compares what clients received with what the database has
//! afterwards.
//!
//! Pure. Places and versions come from the server, so the checks take linear time; there is no search.

pub mod broker;
pub mod charge;
mod hold;
mod money;
mod order;
mod refusal;
mod stock;
mod timeline;

use std::collections::HashMap;
use std::fmt;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::journal::{HostAction, Millis, OrderRequest, SeenOrder, TextId};

/// After a fault, everything must work again within this time. Until then, lateness is excused by the fault.
pub const RECOVERY_MS: Millis = 15_000;

/// Not a planned fault: the test machine itself was starved of processor time.
pub const STARVED: &str = "the machine was starved";

/// How stale a node's data may be without a fault: units that are released are on sale again within this time.
const STALENESS_MAX_MS: Millis = 2_000;

/// Buyers whose ids begin with this have holds that the chaos test wrote into the database itself.
pub const CROWD_BUYER: &str = "crowd-";

/// A promise that was broken, and the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct PromiseViolation {
    pub promise: &'static str,
    pub what: String,
    pub evidence: Vec<String>,
}

impl PromiseViolation {
    pub fn new(promise: &'static str, what: impl Into<String>) -> PromiseViolation {
        PromiseViolation { promise, what: what.into(), evidence: Vec::new() }
    }
}

impl fmt::Display for PromiseViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "violation of `{}`: {}", self.promise, self.what)?;
        self.evidence.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// The time during which a fault was injected.
#[derive(Debug, Clone)]
pub struct FaultWindow {
    pub fault: String,
    /// The only node that it affected. `None`: the database, so all nodes.
    pub node: Option<usize>,
    pub from: Millis,
    pub to: Millis,
    pub note: String,
}

/// How long something took after the last fault.
#[derive(Debug, Clone, Copy)]
pub struct RecoveryTime {
    pub ms: Millis,
    /// How long of these the test machine was starved.
    pub starved_ms: Millis,
}

impl RecoveryTime {
    /// What counts against [`RECOVERY_MS`].
    pub fn counted_ms(&self) -> Millis {
        self.ms - self.starved_ms
    }
}

impl fmt::Display for RecoveryTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.ms)?;
        if self.starved_ms == 0 { Ok(()) } else { write!(f, " ({} ms of them on a starved machine)", self.starved_ms) }
    }
}

/// For how many milliseconds between two times the test machine itself was paused.
pub fn starved_ms(windows: &[FaultWindow], from: Millis, to: Millis) -> Millis {
    let starved = windows.iter().filter(|window| window.fault == STARVED);
    starved.map(|window| (window.to.min(to) - window.from.max(from)).max(0)).sum()
}

/// Reads a struct from a row: ids are stored as text, and every other column has the type of its field. (The derive macro
/// of sqlx would make cargo build sqlx twice.)
macro_rules! from_row {
    ($type:ident { ids: $($id:ident),+; values: $($value:ident),+ }) => {
        impl FromRow<'_, PgRow> for $type {
            fn from_row(row: &PgRow) -> sqlx::Result<Self> {
                Ok(Self {
                    $($id: row.try_get::<String, _>(stringify!($id))?.into(),)+
                    $($value: row.try_get(stringify!($value))?,)+
                })
            }
        }
    };
}

from_row!(StockLevel { ids: offer; values: epoch, version, quantity, reserved, stage, counted, at });
from_row!(StoredOffer { ids: id; values: quantity, reserved, next_place, per_buyer, price, opens_at, closes_at });
from_row!(StoredOrder { ids: id, offer, buyer, key; values: status, qty, amount, currency, place, version, created_at, hold_until, changed_at, paid_at, reason });
from_row!(StoredPayment { ids: order; values: token, status, amount, currency });
from_row!(StoredIntent { ids: order; values: scenario, status, amount, captured, refunded });

/// The stock of an offer in one snapshot of the observer.
#[derive(Debug, Clone)]
pub struct StockLevel {
    pub offer: TextId,
    pub epoch: i64,
    pub version: i64,
    pub quantity: i64,
    pub reserved: i64,
    pub stage: String,
    /// Units in orders that count.
    pub counted: i64,
    pub at: Millis,
}

#[derive(Debug, Clone)]
pub struct StoredOffer {
    pub id: TextId,
    pub quantity: i64,
    pub reserved: i64,
    pub next_place: i64,
    pub per_buyer: i64,
    pub price: i64,
    pub opens_at: Option<Millis>,
    pub closes_at: Option<Millis>,
}

#[derive(Debug, Clone)]
pub struct StoredOrder {
    pub id: TextId,
    pub offer: TextId,
    pub buyer: TextId,
    pub key: TextId,
    pub status: String,
    pub qty: i64,
    pub amount: i64,
    pub currency: String,
    pub place: i64,
    pub version: i64,
    pub created_at: Millis,
    pub hold_until: Millis,
    pub changed_at: Millis,
    pub paid_at: Option<Millis>,
    pub reason: Option<String>,
}

impl StoredOrder {
    /// When its units were released, if they were.
    pub fn released_at(&self) -> Option<Millis> {
        matches!(self.status.as_str(), "expired" | "cancelled" | "refunded").then_some(self.changed_at)
    }

    pub fn is_counted(&self) -> bool {
        matches!(self.status.as_str(), "held" | "capturing" | "placed" | "paid")
    }
}

#[derive(Debug, Clone)]
pub struct StoredPayment {
    pub order: TextId,
    pub token: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
}

/// A row in the records of the test payment provider.
#[derive(Debug, Clone)]
pub struct StoredIntent {
    pub order: TextId,
    pub scenario: String,
    pub status: String,
    pub amount: i64,
    pub captured: i64,
    pub refunded: i64,
}

/// Everything that the oracle judges.
#[derive(Debug, Default)]
pub struct Evidence {
    pub requests: Vec<OrderRequest>,
    /// Orders that the server sent without a request.
    pub pushed_orders: Vec<SeenOrder>,
    pub host_actions: Vec<HostAction>,
    pub levels: Vec<StockLevel>,
    pub windows: Vec<FaultWindow>,
    pub offers: Vec<StoredOffer>,
    pub orders: Vec<StoredOrder>,
    pub payments: Vec<StoredPayment>,
    pub provider_intents: Vec<StoredIntent>,
    /// When the database was read, by its clock.
    pub read_at: Millis,
    pub hold_ms: Millis,
}

/// All violations.
pub fn check_promises(evidence: &Evidence) -> Vec<PromiseViolation> {
    let rules = [order::check, stock::check, hold::check, money::check, refusal::check];
    rules.iter().flat_map(|rule| rule(evidence)).collect()
}

impl Evidence {
    fn orders_by_id(&self) -> HashMap<&str, &StoredOrder> {
        self.orders.iter().map(|order| (&*order.id, order)).collect()
    }

    /// Was there a fault, or a recovery from one, between these two times? A fault of another node does not excuse what
    /// one node does.
    fn is_excused(&self, node: Option<usize>, from: Millis, to: Millis) -> bool {
        let touches = |window: &&FaultWindow| window.node.is_none() || node.is_none() || window.node == node;
        self.windows
            .iter()
            .filter(touches)
            .any(|window| window.from <= to && from <= window.to.saturating_add(RECOVERY_MS))
    }

    /// The history of one order or one key, for readers of a violation.
    fn history_of(&self, order: Option<&str>, key: Option<&str>) -> Vec<String> {
        let rows = self.orders.iter().filter(|row| Some(&*row.id) == order || Some(&*row.key) == key);
        let mut story: Vec<(Millis, String)> = rows.map(|row| (row.created_at, format!("{row:?}"))).collect();
        let about = |request: &&OrderRequest| {
            let replied = request.outcome.done().map(|seen| &*seen.id);
            Some(&*request.key) == key || (order.is_some() && (replied == order || request.order.as_deref() == order))
        };
        story.extend(
            self.requests.iter().filter(about).take(30).map(|request| (request.sent_at, format!("{request:?}"))),
        );
        story.extend(
            self.payments.iter().filter(|row| Some(&*row.order) == order).map(|row| (i64::MAX, format!("{row:?}"))),
        );
        let of_book = self.provider_intents.iter().filter(|row| Some(&*row.order) == order);
        story.extend(of_book.map(|row| (i64::MAX, format!("{row:?}"))));
        let (from, to) = story
            .iter()
            .fold((i64::MAX, 0), |(from, to), (at, _)| (from.min(*at), if *at == i64::MAX { to } else { to.max(*at) }));
        let near = self.windows.iter().filter(|window| window.from <= to + 2_000 && from - 2_000 <= window.to);
        story.extend(near.map(|window| (window.from, format!("{window:?}"))));
        story.sort();
        story.into_iter().map(|(_, line)| line).collect()
    }
}
