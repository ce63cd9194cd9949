//! What clients saw, recorded as they saw it: every request with its time and its outcome.

use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Milliseconds since 1970 UTC, as the server stores them.
pub type Millis = i64;

/// Ids stay text: the oracle only compares them.
pub type TextId = Arc<str>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderVerb {
    Buy,
    Pay,
    Cancel,
    /// By the host.
    Refund,
}

/// One request and its reply. A retried purchase is several of these under one key.
#[derive(Debug, Clone)]
pub struct OrderRequest {
    pub buyer: TextId,
    pub verb: OrderVerb,
    pub key: TextId,
    pub offer: TextId,
    /// Units of a purchase.
    pub qty: i64,
    /// The payment token.
    pub token: &'static str,
    /// The order to pay, cancel or refund.
    pub order: Option<TextId>,
    pub node: usize,
    pub sent_at: Millis,
    pub answered_at: Millis,
    pub outcome: RequestOutcome,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RequestOutcome {
    Done(SeenOrder),
    /// Certainly not done, with this code.
    Refused(String),
    /// Unknown: the reply says so, or there was none.
    Unknown(String),
}

impl RequestOutcome {
    pub fn done(&self) -> Option<&SeenOrder> {
        match self {
            RequestOutcome::Done(seen) => Some(seen),
            _ => None,
        }
    }

    pub fn refused(&self) -> Option<&str> {
        match self {
            RequestOutcome::Refused(code) => Some(code),
            _ => None,
        }
    }
}

/// An order as a client received it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenOrder {
    pub id: TextId,
    pub offer: TextId,
    pub status: String,
    pub qty: i64,
    pub amount: i64,
    pub place: i64,
    pub created_at: Millis,
    pub hold_until: Millis,
    pub version: i64,
}

impl SeenOrder {
    /// `None` when the JSON is no order.
    pub fn from_json(order: &Value) -> Option<SeenOrder> {
        let number = |name: &str| order[name].as_i64();
        Some(SeenOrder {
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

/// What the host did to an offer. The oracle uses it to judge the offer's time window.
#[derive(Debug, Clone)]
pub struct HostAction {
    pub offer: TextId,
    pub action: &'static str,
    pub sent_at: Millis,
    pub answered_at: Millis,
    /// `Some(true)`: certainly done. `None`: it may have been done.
    pub done: Option<bool>,
}

/// All tasks write here, and each lock lasts only for a push.
#[derive(Debug, Default)]
pub struct RequestJournal {
    requests: Mutex<Vec<OrderRequest>>,
    host_actions: Mutex<Vec<HostAction>>,
    /// Orders that the server sent without a request: the `order` frames of the socket.
    pushed_orders: Mutex<Vec<SeenOrder>>,
}

impl RequestJournal {
    pub fn record(&self, request: OrderRequest) {
        self.requests.lock().unwrap().push(request);
    }

    pub fn record_host_action(&self, action: HostAction) {
        self.host_actions.lock().unwrap().push(action);
    }

    pub fn record_pushed_order(&self, seen: SeenOrder) {
        self.pushed_orders.lock().unwrap().push(seen);
    }

    pub fn requests(&self) -> Vec<OrderRequest> {
        self.requests.lock().unwrap().clone()
    }

    pub fn host_actions(&self) -> Vec<HostAction> {
        self.host_actions.lock().unwrap().clone()
    }

    pub fn pushed_orders(&self) -> Vec<SeenOrder> {
        self.pushed_orders.lock().unwrap().clone()
    }

    /// An order that was reported as paid to its buyer, counted from the newest.
    pub fn paid(&self, back: usize) -> Option<(TextId, TextId)> {
        let requests = self.requests.lock().unwrap();
        let mut paid =
            requests.iter().rev().filter(|request| request.verb == OrderVerb::Pay && request.outcome.done().is_some());
        paid.nth(back).and_then(|request| Some((request.offer.clone(), request.order.clone()?)))
    }

    /// The number of acknowledged purchases and payments between two times.
    pub fn progress(&self, from: Millis, to: Millis) -> (usize, usize) {
        let requests = self.requests.lock().unwrap();
        let done = |verb: OrderVerb| {
            let done =
                requests.iter().filter(|request| request.verb == verb && (from..to).contains(&request.answered_at));
            done.filter(|request| request.outcome.done().is_some()).count()
        };
        (done(OrderVerb::Buy), done(OrderVerb::Pay))
    }
}
