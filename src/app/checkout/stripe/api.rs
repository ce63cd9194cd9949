//! One request to Stripe: its headers, its deadline, and what its answer says about whether it was done.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::app::checkout::pacer::{Endpoint, Pacer};
use crate::app::checkout::provider_turn::{Sent, Turn, send_in_turn};
use crate::app::settings::StripeSettings;
use crate::guarded_address::provider_http::{self, ProviderAnswer, ProviderRequest};

/// Requests and answers are written for this version, whatever the account says.
pub const API_VERSION: &str = "2026-09-30.endive";
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// What is known after a request.
#[derive(Debug)]
pub enum Reply {
    Done(Value),
    /// The card was refused. The error names the intent.
    CardRefused(Value),
    /// The request was refused and nothing was done: the object is not in a status for it, or a parameter is wrong.
    Refused,
    NotFound,
    /// The key came with other bytes before.
    KeyConflict,
    /// The key keeps a failure. This request is never carried out under this key.
    KeptFailure,
    /// It may or may not have been done: no answer, a failure of Stripe, another request with the key.
    Unknown,
}

/// Gives the account as it is now: an owner may change its keys at any time. `None`: there are no keys.
pub type FindAccount = Arc<dyn Fn() -> Option<Arc<StripeSettings>> + Send + Sync>;

#[derive(Clone)]
pub struct StripeApi {
    find_account: FindAccount,
    pacer: Arc<Pacer>,
}

impl StripeApi {
    pub fn new(find_account: FindAccount, pacer: Arc<Pacer>) -> Self {
        Self { find_account, pacer }
    }

    pub fn account(&self) -> Option<Arc<StripeSettings>> {
        (self.find_account)()
    }

    pub async fn get(&self, path: &str, query: &str) -> Reply {
        let mark = if query.is_empty() { "" } else { "?" };
        let request = Request { method: "GET", path: &format!("{path}{mark}{query}"), body: String::new(), key: None };
        self.send_in_turn(&request, Turn::of(Endpoint::Look)).await
    }

    /// Deletes an object: to do that again changes nothing, so it needs no key.
    pub async fn delete(&self, path: &str) -> Reply {
        let request = Request { method: "DELETE", path, body: String::new(), key: None };
        self.send_in_turn(&request, Turn::of(Endpoint::Look)).await
    }

    /// A request that changes something. The same key with the same body is the same request.
    pub async fn post(&self, path: &str, body: String, key: &str, endpoint: Endpoint) -> Reply {
        let request = Request { method: "POST", path, body, key: Some(key) };
        self.send_in_turn(&request, Turn::of(endpoint)).await
    }

    /// The request that creates and confirms a payment. Its turn was taken with the payment.
    pub async fn create(&self, path: &str, body: String, key: &str) -> Reply {
        let request = Request { method: "POST", path, body, key: Some(key) };
        self.send_in_turn(&request, Turn::create()).await
    }

    async fn send_in_turn(&self, request: &Request<'_>, turn: Turn) -> Reply {
        send_in_turn(&self.pacer, turn, |give_up| self.send(request, give_up)).await.unwrap_or(Reply::Unknown)
    }

    async fn send(&self, request: &Request<'_>, give_up: Instant) -> Sent<Reply> {
        match self.exchange(request, give_up).await {
            Some((answer, value)) => {
                let request_id = answer.header("request-id").unwrap_or_default();
                let is_replayed = answer.header("idempotent-replayed") == Some("true");
                classify(answer.status, value, is_replayed, request_id)
            }
            None => Sent::Answered(Reply::Unknown),
        }
    }

    /// Asks with a key that may be wrong: gives the HTTP status and the body of the answer. `None`: there is none.
    pub async fn probe(&self, method: &str, path: &str, key: Option<&str>) -> Option<(u16, Value)> {
        let request = &Request { method, path, body: String::new(), key };
        let send = |give_up| async move {
            match self.exchange(request, give_up).await {
                Some((answer, _)) if answer.status == 429 => Sent::TooMany,
                answered => Sent::Answered(answered.map(|(answer, value)| (answer.status, value))),
            }
        };
        send_in_turn(&self.pacer, Turn::of(Endpoint::Look), send).await.flatten()
    }

    /// Sends a request once. `None`: no answer came that can be read, and it may have been carried out.
    async fn exchange(&self, request: &Request<'_>, give_up: Instant) -> Option<(ProviderAnswer, Value)> {
        let Some(account) = self.account() else {
            tracing::warn!("the payment provider cannot be asked: the shop has no keys of Stripe now");
            return None;
        };
        let authorization = format!("Bearer {}", account.key);
        let mut headers = vec![
            ("authorization", authorization.as_str()),
            ("stripe-version", API_VERSION),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        headers.extend(request.key.map(|key| ("idempotency-key", key)));
        let url = format!("{}{}", account.api_base.trim_end_matches('/'), request.path);
        let body = request.body.clone().into_bytes();
        let request = ProviderRequest { method: request.method, url: &url, headers: &headers, body };
        // Boxed: the state of a TLS connection would make the future of every payment ten times as large.
        let call = Box::pin(provider_http::send(request, ANSWER_BYTES_MAX));
        let answer = match tokio::time::timeout_at(give_up, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::warn!(error, "the payment provider could not be asked");
                return None;
            }
            Err(_) => {
                tracing::warn!("the payment provider did not answer in time");
                return None;
            }
        };
        let value = serde_json::from_slice(&answer.body).ok()?;
        Some((answer, value))
    }
}

/// A request as it is sent, each time the same.
struct Request<'r> {
    method: &'r str,
    path: &'r str,
    body: String,
    key: Option<&'r str>,
}

pub fn is_live_key(key: &str) -> bool {
    key.starts_with("sk_live_") || key.starts_with("rk_live_")
}

fn classify(status: u16, value: Value, is_replayed: bool, request_id: &str) -> Sent<Reply> {
    let error = &value["error"];
    let (kind, code) = (error["type"].as_str().unwrap_or_default(), error["code"].as_str().unwrap_or_default());
    let reply = match status {
        200..=299 => return Sent::Answered(Reply::Done(value)),
        402 if kind == "card_error" => return Sent::Answered(Reply::CardRefused(value)),
        404 => Sent::Answered(Reply::NotFound),
        400 if kind == "idempotency_error" => Sent::Answered(Reply::KeyConflict),
        400 | 402 => Sent::Answered(Reply::Refused),
        429 if code == "lock_timeout" => Sent::Locked,
        429 => Sent::TooMany,
        500.. if is_replayed => Sent::Answered(Reply::KeptFailure),
        // A key without the right, another request with the key, or a failure of Stripe.
        _ => Sent::Answered(Reply::Unknown),
    };
    // The message is not logged: it may quote what was sent.
    tracing::warn!(status, kind, code, request_id, is_replayed, "the payment provider refused a request");
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_clear_refusal_says_that_nothing_was_done() {
        let reply = |status, kind: &str, replayed| {
            format!("{:?}", classify(status, json!({ "error": { "type": kind } }), replayed, ""))
        };
        for (status, kind, replayed, expected) in [
            (200, "", false, "Answered(Done"),
            (402, "card_error", false, "Answered(CardRefused"),
            (400, "invalid_request_error", false, "Answered(Refused"),
            (400, "idempotency_error", false, "Answered(KeyConflict"),
            (401, "invalid_request_error", false, "Answered(Unknown"),
            (403, "invalid_request_error", false, "Answered(Unknown"),
            (404, "invalid_request_error", false, "Answered(NotFound"),
            (409, "idempotency_error", false, "Answered(Unknown"),
            (429, "invalid_request_error", false, "TooMany"),
            (500, "api_error", false, "Answered(Unknown"),
            (500, "api_error", true, "Answered(KeptFailure"),
            (503, "api_error", false, "Answered(Unknown"),
        ] {
            assert!(
                reply(status, kind, replayed).starts_with(expected),
                "{status} {kind}: {}",
                reply(status, kind, replayed)
            );
        }
    }
}
