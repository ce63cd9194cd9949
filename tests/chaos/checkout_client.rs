//! One request of one buyer, by REST or by the socket, and its certain outcome.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::journal::{OrderRequest, OrderVerb, RequestOutcome, SeenOrder, TextId};
use crate::live_connection::{self, ConnectionEnd};
use crate::oracle::PromiseViolation;
use crate::run_context::RunContext;

/// Longer than a node lets a client wait.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(25);

/// The request, independent of REST and socket.
#[derive(Debug, Clone)]
pub enum CheckoutRequest {
    Buy { offer: TextId, qty: i64 },
    Pay { offer: TextId, order: TextId, token: &'static str },
    Cancel { offer: TextId, order: TextId },
    Refund { offer: TextId, order: TextId, restock: bool },
}

/// The node, the protocol, and how long the client waits before it disconnects.
#[derive(Debug, Clone, Copy)]
pub struct RequestRoute {
    pub node: usize,
    pub by_socket: bool,
    pub timeout: Duration,
}

impl RequestRoute {
    pub fn rest(node: usize) -> RequestRoute {
        RequestRoute { node, by_socket: false, timeout: REQUEST_TIMEOUT }
    }

    pub fn socket(node: usize) -> RequestRoute {
        RequestRoute { by_socket: true, ..RequestRoute::rest(node) }
    }

    pub fn rest_with_timeout(node: usize, timeout: Duration) -> RequestRoute {
        RequestRoute { timeout, ..RequestRoute::rest(node) }
    }
}

/// Sends requests for one buyer.
pub struct CheckoutClient<'a> {
    pub context: &'a RunContext,
    pub buyer: &'a TextId,
    pub token: &'a str,
}

impl CheckoutClient<'_> {
    /// Sends the request once and records its outcome.
    pub async fn ask(&self, request: &CheckoutRequest, key: &TextId, way: RequestRoute) -> RequestOutcome {
        let sent_at = self.context.now();
        let asking = async {
            if way.by_socket {
                self.send_by_socket(request, key, way.node).await
            } else {
                self.send_by_rest(request, key, way.node).await
            }
        };
        let outcome = timeout(way.timeout, asking).await;
        let outcome = outcome.unwrap_or_else(|_| RequestOutcome::Unknown("went away before the answer".to_owned()));
        let (verb, offer, qty, token, order) = match request.clone() {
            CheckoutRequest::Buy { offer, qty } => (OrderVerb::Buy, offer, qty, "", None),
            CheckoutRequest::Pay { offer, order, token } => (OrderVerb::Pay, offer, 0, token, Some(order)),
            CheckoutRequest::Cancel { offer, order } => (OrderVerb::Cancel, offer, 0, "", Some(order)),
            CheckoutRequest::Refund { offer, order, .. } => (OrderVerb::Refund, offer, 0, "", Some(order)),
        };
        let (buyer, key, answered_at) = (self.buyer.clone(), key.clone(), self.context.now());
        let sent =
            OrderRequest { buyer, verb, key, offer, qty, token, order, node: way.node, sent_at, answered_at, outcome };
        self.context.journal.record(sent.clone());
        sent.outcome
    }

    async fn send_by_rest(&self, request: &CheckoutRequest, key: &TextId, node: usize) -> RequestOutcome {
        let (path, body) = match request {
            CheckoutRequest::Buy { offer, qty } => (format!("/v1/offers/{offer}/orders"), json!({"qty": qty})),
            CheckoutRequest::Pay { order, token, .. } => (format!("/v1/orders/{order}/pay"), json!({"token": token})),
            CheckoutRequest::Cancel { order, .. } => (format!("/v1/orders/{order}/cancel"), json!({})),
            CheckoutRequest::Refund { order, restock, .. } => {
                (format!("/v1/orders/{order}/refund"), json!({"restock": restock}))
            }
        };
        let rest = self.context.rest(node, self.token);
        let sent = rest.try_send(reqwest::Method::POST, &path, &[("idempotency-key", key)], Some(body)).await;
        match sent {
            Ok(answer) if answer.status < 300 => self.parse_order(&answer.body),
            Ok(answer) => self.parse_refusal(answer.status, &answer.body),
            Err(error) => RequestOutcome::Unknown(format!("{error:?}")),
        }
    }

    async fn send_by_socket(&self, request: &CheckoutRequest, key: &TextId, node: usize) -> RequestOutcome {
        let verb = match request {
            CheckoutRequest::Buy { offer, qty } => {
                json!({"do": "buy", "offer": **offer, "qty": qty, "key": **key, "ref": "1"})
            }
            CheckoutRequest::Pay { order, token, .. } => {
                json!({"do": "pay", "order": **order, "token": token, "key": **key, "ref": "1"})
            }
            CheckoutRequest::Cancel { order, .. } => {
                json!({"do": "cancel", "order": **order, "key": **key, "ref": "1"})
            }
            CheckoutRequest::Refund { order, restock, .. } => {
                json!({"do": "refund", "order": **order, "restock": restock, "key": **key, "ref": "1"})
            }
        };
        let reply = async {
            let (mut line, _) =
                live_connection::join(&self.context.urls[node], &self.context.stream, Some(self.token)).await?;
            line.send(&verb).await?;
            loop {
                let frame = line.next().await?;
                if frame["t"] == "order" {
                    SeenOrder::from_json(&frame["order"])
                        .into_iter()
                        .for_each(|seen| self.context.journal.record_pushed_order(seen));
                } else if frame["t"] == "reply" {
                    return Ok(frame);
                }
            }
        };
        match reply.await {
            Ok(reply) if reply["ok"].is_object() => self.parse_order(&reply["ok"]["order"]),
            Ok(reply) => self.parse_refusal(409, &reply["error"]),
            Err(ConnectionEnd::ProtocolViolation(why)) => {
                self.context.record_violation(PromiseViolation::new("no silent gap", why.clone()));
                RequestOutcome::Unknown(why)
            }
            Err(end) => RequestOutcome::Unknown(end.to_string()),
        }
    }

    fn parse_order(&self, order: &Value) -> RequestOutcome {
        match SeenOrder::from_json(order) {
            Some(seen) => RequestOutcome::Done(seen),
            None => {
                self.context
                    .record_violation(PromiseViolation::new("answers", format!("a yes without an order: {order}")));
                RequestOutcome::Unknown("no order".to_owned())
            }
        }
    }

    fn parse_refusal(&self, status: u16, problem: &Value) -> RequestOutcome {
        match problem["code"].as_str() {
            Some("outcome_unknown") => RequestOutcome::Unknown("outcome_unknown".to_owned()),
            // Only these codes are an acceptable answer while the server cannot decide.
            Some(code) if status < 500 || matches!(code, "busy" | "unavailable") => {
                RequestOutcome::Refused(code.to_owned())
            }
            _ => {
                self.context
                    .record_violation(PromiseViolation::new("answers", format!("{status} to a buyer: {problem}")));
                RequestOutcome::Unknown(problem.to_string())
            }
        }
    }
}
