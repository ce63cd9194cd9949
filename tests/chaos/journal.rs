//! What clients saw, written down as they saw it: every wish with its time, and what became of it.

use std::sync::{Arc, Mutex};

use serde_json::Value;

pub use livesouk::domain::Millis;

/// Ids stay text: the oracle compares them, nobody counts with them.
pub type Id = Arc<str>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    Buy,
    Pay,
    Cancel,
    /// By the host.
    Refund,
}

/// One request and its answer. A wish that is tried again is several of these under one key.
#[derive(Debug, Clone)]
pub struct Op {
    pub buyer: Id,
    pub verb: Verb,
    pub key: Id,
    pub offer: Id,
    /// Units of a purchase.
    pub qty: i64,
    /// What a payment was tried with.
    pub token: &'static str,
    /// The order to pay or cancel.
    pub order: Option<Id>,
    pub node: usize,
    pub asked: Millis,
    pub told: Millis,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done(Seen),
    /// Certainly not done, by this code.
    Refused(String),
    /// Nobody knows: the answer says so, or none came.
    Unknown(String),
}

impl Outcome {
    pub fn done(&self) -> Option<&Seen> {
        match self {
            Outcome::Done(seen) => Some(seen),
            _ => None,
        }
    }

    pub fn refused(&self) -> Option<&str> {
        match self {
            Outcome::Refused(code) => Some(code),
            _ => None,
        }
    }
}

/// An order as somebody was shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub id: Id,
    pub offer: Id,
    pub status: String,
    pub qty: i64,
    pub amount: i64,
    pub place: i64,
    pub created_at: Millis,
    pub hold_until: Millis,
    pub version: i64,
}

impl Seen {
    /// `None` when it is no order.
    pub fn of(order: &Value) -> Option<Seen> {
        let number = |name: &str| order[name].as_i64();
        Some(Seen {
            id: order["id"].as_str()?.into(),
            offer: order["offer"].as_str()?.into(),
            status: order["status"].as_str()?.to_owned(),
            qty: number("qty")?,
            amount: number("amount")?,
            place: number("place")?,
            created_at: number("created_at")?,
            hold_until: number("hold_until")?,
            version: number("version")?,
        })
    }
}

/// What the host did to an offer: its window is judged by it.
#[derive(Debug, Clone)]
pub struct Deed {
    pub offer: Id,
    pub deed: &'static str,
    pub asked: Millis,
    pub told: Millis,
    /// It may have been done; `Some(true)`: it was.
    pub done: Option<bool>,
}

/// Everybody writes here; nobody waits for more than a push.
#[derive(Debug, Default)]
pub struct Journal {
    ops: Mutex<Vec<Op>>,
    deeds: Mutex<Vec<Deed>>,
    /// Orders told without being asked for: the `order` frames of the socket.
    told: Mutex<Vec<Seen>>,
}

impl Journal {
    pub fn note(&self, op: Op) {
        self.ops.lock().unwrap().push(op);
    }

    pub fn note_deed(&self, deed: Deed) {
        self.deeds.lock().unwrap().push(deed);
    }

    pub fn note_told(&self, seen: Seen) {
        self.told.lock().unwrap().push(seen);
    }

    pub fn ops(&self) -> Vec<Op> {
        self.ops.lock().unwrap().clone()
    }

    pub fn deeds(&self) -> Vec<Deed> {
        self.deeds.lock().unwrap().clone()
    }

    pub fn told(&self) -> Vec<Seen> {
        self.told.lock().unwrap().clone()
    }

    /// Some order that its buyer was told is paid, counted from the newest.
    pub fn paid(&self, back: usize) -> Option<(Id, Id)> {
        let ops = self.ops.lock().unwrap();
        let mut paid = ops.iter().rev().filter(|op| op.verb == Verb::Pay && op.outcome.done().is_some());
        paid.nth(back).and_then(|op| Some((op.offer.clone(), op.order.clone()?)))
    }

    /// Purchases acknowledged and payments done from one time to another.
    pub fn progress(&self, from: Millis, to: Millis) -> (usize, usize) {
        let ops = self.ops.lock().unwrap();
        let done = |verb: Verb| {
            let done = ops.iter().filter(|op| op.verb == verb && (from..to).contains(&op.told));
            done.filter(|op| op.outcome.done().is_some()).count()
        };
        (done(Verb::Buy), done(Verb::Pay))
    }
}
