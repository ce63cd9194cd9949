//! One request of one buyer, by REST or by the socket, and what it told for certain.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::board::Board;
use crate::journal::{Id, Op, Outcome, Seen, Verb};
use crate::line::{Ended, Line};
use crate::oracle::Breach;

/// Longer than a node lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a buyer wants, in the words of both doors.
#[derive(Debug, Clone)]
pub enum Wish {
    Buy { offer: Id, qty: i64 },
    Pay { offer: Id, order: Id, token: &'static str },
    Cancel { offer: Id, order: Id },
    Refund { offer: Id, order: Id, restock: bool },
}

/// Which way, and how long the client waits before it goes away.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub node: usize,
    pub by_socket: bool,
    pub patience: Duration,
}

impl Way {
    pub fn rest(node: usize) -> Way {
        Way { node, by_socket: false, patience: PATIENCE }
    }

    pub fn socket(node: usize) -> Way {
        Way { by_socket: true, ..Way::rest(node) }
    }

    pub fn impatient(node: usize, patience: Duration) -> Way {
        Way { patience, ..Way::rest(node) }
    }
}

/// A buyer at the counter.
pub struct Till<'a> {
    pub board: &'a Board,
    pub buyer: &'a Id,
    pub token: &'a str,
}

impl Till<'_> {
    /// Asks once and writes down what was told.
    pub async fn ask(&self, wish: &Wish, key: &Id, way: Way) -> Outcome {
        let asked = self.board.now();
        let asking = async {
            if way.by_socket {
                self.by_socket(wish, key, way.node).await
            } else {
                self.by_rest(wish, key, way.node).await
            }
        };
        let outcome = timeout(way.patience, asking).await;
        let outcome = outcome.unwrap_or_else(|_| Outcome::Unknown("went away before the answer".to_owned()));
        let (verb, offer, qty, token, order) = match wish.clone() {
            Wish::Buy { offer, qty } => (Verb::Buy, offer, qty, "", None),
            Wish::Pay { offer, order, token } => (Verb::Pay, offer, 0, token, Some(order)),
            Wish::Cancel { offer, order } => (Verb::Cancel, offer, 0, "", Some(order)),
            Wish::Refund { offer, order, .. } => (Verb::Refund, offer, 0, "", Some(order)),
        };
        let (buyer, key, told) = (self.buyer.clone(), key.clone(), self.board.now());
        let op = Op { buyer, verb, key, offer, qty, token, order, node: way.node, asked, told, outcome };
        self.board.journal.note(op.clone());
        op.outcome
    }

    async fn by_rest(&self, wish: &Wish, key: &Id, node: usize) -> Outcome {
        let (path, body) = match wish {
            Wish::Buy { offer, qty } => (format!("/v1/offers/{offer}/orders"), json!({"qty": qty})),
            Wish::Pay { order, token, .. } => (format!("/v1/orders/{order}/pay"), json!({"token": token})),
            Wish::Cancel { order, .. } => (format!("/v1/orders/{order}/cancel"), json!({})),
            Wish::Refund { order, restock, .. } => (format!("/v1/orders/{order}/refund"), json!({"restock": restock})),
        };
        let rest = self.board.rest(node, self.token);
        let sent = rest.try_send(reqwest::Method::POST, &path, &[("idempotency-key", key)], Some(body)).await;
        match sent {
            Ok(answer) if answer.status < 300 => self.done(&answer.body),
            Ok(answer) => self.not_done(answer.status, &answer.body),
            Err(error) => Outcome::Unknown(format!("{error:?}")),
        }
    }

    async fn by_socket(&self, wish: &Wish, key: &Id, node: usize) -> Outcome {
        let verb = match wish {
            Wish::Buy { offer, qty } => json!({"do": "buy", "offer": **offer, "qty": qty, "key": **key, "ref": "1"}),
            Wish::Pay { order, token, .. } => {
                json!({"do": "pay", "order": **order, "token": token, "key": **key, "ref": "1"})
            }
            Wish::Cancel { order, .. } => json!({"do": "cancel", "order": **order, "key": **key, "ref": "1"}),
            Wish::Refund { order, restock, .. } => {
                json!({"do": "refund", "order": **order, "restock": restock, "key": **key, "ref": "1"})
            }
        };
        let reply = async {
            let (mut line, _) = Line::open(&self.board.urls[node], &self.board.stream, Some(self.token)).await?;
            line.send(&verb).await?;
            loop {
                let frame = line.next().await?;
                if frame["t"] == "order" {
                    Seen::of(&frame["order"]).into_iter().for_each(|seen| self.board.journal.note_told(seen));
                } else if frame["t"] == "reply" {
                    return Ok(frame);
                }
            }
        };
        match reply.await {
            Ok(reply) if reply["ok"].is_object() => self.done(&reply["ok"]["order"]),
            Ok(reply) => self.not_done(409, &reply["error"]),
            Err(Ended::Broken(why)) => Outcome::Unknown(why),
            Err(Ended::Breach(why)) => {
                self.board.breach(Breach::new("no silent gap", why.clone()));
                Outcome::Unknown(why)
            }
        }
    }

    fn done(&self, order: &Value) -> Outcome {
        match Seen::of(order) {
            Some(seen) => Outcome::Done(seen),
            None => {
                self.board.breach(Breach::new("answers", format!("a yes without an order: {order}")));
                Outcome::Unknown("no order".to_owned())
            }
        }
    }

    fn not_done(&self, status: u16, problem: &Value) -> Outcome {
        match problem["code"].as_str() {
            Some("outcome_unknown") => Outcome::Unknown("outcome_unknown".to_owned()),
            // Only these may be no promise and yet no fault of ours.
            Some(code) if status < 500 || matches!(code, "busy" | "unavailable") => Outcome::Refused(code.to_owned()),
            _ => {
                self.board.breach(Breach::new("answers", format!("{status} to a buyer: {problem}")));
                Outcome::Unknown(problem.to_string())
            }
        }
    }
}
