//! One request to the payment adapter: a signed message, its deadline, and what the answer says about whether it was done.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::contract::Request;
use crate::app::checkout::pacer::Pacer;
use crate::app::checkout::provider_turn::{Sent, Turn, send_in_turn};
use crate::app::message_signature::{MESSAGE_HEADERS, MessageKey};
use crate::clock::Clock;
use crate::guarded_address::provider_http::{self, ProviderRequest};

const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A longer reason of a refusal is not written to the log.
const REASON_BYTES_MAX: usize = 100;

/// What is known after a request.
#[derive(PartialEq, Debug)]
pub enum Reply {
    Done(Value),
    /// The adapter says that nothing was done, and that nothing will be.
    Refused,
    /// The adapter does not know this type of request.
    NotBuilt,
    /// It may or may not have been done: no answer, or one that the contract does not know.
    Unknown,
}

#[derive(Clone)]
pub struct AdapterApi {
    url: String,
    key: MessageKey,
    clock: Clock,
    pacer: Arc<Pacer>,
}

impl AdapterApi {
    pub fn new(url: &str, key: MessageKey, clock: Clock, pacer: Arc<Pacer>) -> Self {
        Self { url: url.to_owned(), key, clock, pacer }
    }

    /// Sends a request in its turn. `key`: of a request that changes something; the same key always comes with the same body.
    pub async fn ask(&self, request: &Request<'_>, key: Option<&str>, turn: Turn) -> Reply {
        let Ok(body) = serde_json::to_vec(request) else { return Reply::Unknown };
        send_in_turn(&self.pacer, turn, |give_up| self.send(&body, key, give_up)).await.unwrap_or(Reply::Unknown)
    }

    async fn send(&self, body: &[u8], key: Option<&str>, give_up: Instant) -> Sent<Reply> {
        let id = key.map_or_else(|| format!("look:{}", Uuid::now_v7()), str::to_owned);
        let seconds = self.clock.now() / 1_000;
        let (timestamp, signature) = (seconds.to_string(), self.key.sign(&id, seconds, body));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(MESSAGE_HEADERS.into_iter().zip([id.as_str(), &timestamp, &signature]));
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let request = ProviderRequest { method: "POST", url: &self.url, headers: &headers, body: body.to_vec() };
        // Boxed: the state of a TLS connection would make the future of every payment ten times as large.
        let call = Box::pin(provider_http::send(request, ANSWER_BYTES_MAX));
        match tokio::time::timeout_at(give_up, call).await {
            Ok(Ok(answer)) => classify(answer.status, &answer.body),
            Ok(Err(error)) => {
                tracing::warn!(error, "the payment adapter could not be asked");
                Sent::Answered(Reply::Unknown)
            }
            Err(_) => {
                tracing::warn!("the payment adapter did not answer in time");
                Sent::Answered(Reply::Unknown)
            }
        }
    }
}

/// A proxy in between may answer with any status and any text, so only the JSON of the contract is an answer.
fn classify(status: u16, body: &[u8]) -> Sent<Reply> {
    let value = serde_json::from_slice::<Value>(body).ok();
    let reason = value.as_ref().and_then(|value| value["refused"].as_str());
    match (status, value.as_ref(), reason) {
        (200, Some(value), None) if value.is_object() => return Sent::Answered(Reply::Done(value.clone())),
        (422, _, Some(reason)) => {
            let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON_BYTES_MAX).collect();
            tracing::warn!(reason, "the payment adapter refused a request");
            return Sent::Answered(Reply::Refused);
        }
        _ => {}
    }
    // The text is not logged: it may quote what was sent.
    tracing::warn!(status, "the payment adapter did not do what it was asked");
    match status {
        429 => Sent::TooMany,
        501 => Sent::Answered(Reply::NotBuilt),
        _ => Sent::Answered(Reply::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_the_contract_say_what_was_done() {
        for (status, body, expected) in [
            (200, r#"{"payment":null}"#, "Answered(Done"),
            (200, "<html>Welcome to nginx!</html>", "Answered(Unknown"),
            (200, "[]", "Answered(Unknown"),
            (200, r#"{"refused":"no"}"#, "Answered(Unknown"),
            (201, r#"{"payment":null}"#, "Answered(Unknown"),
            (401, r#"{"refused":"no"}"#, "Answered(Unknown"),
            (404, "", "Answered(Unknown"),
            (404, r#"{"payment":null}"#, "Answered(Unknown"),
            (409, "{}", "Answered(Unknown"),
            (422, r#"{"refused":"expired_card"}"#, "Answered(Refused"),
            (422, "{}", "Answered(Unknown"),
            (429, "", "TooMany"),
            (500, r#"{"payment":null}"#, "Answered(Unknown"),
            (501, "{}", "Answered(NotBuilt"),
        ] {
            let said = format!("{:?}", classify(status, body.as_bytes()));
            assert!(said.starts_with(expected), "{status} {body}: {said}");
        }
    }
}
