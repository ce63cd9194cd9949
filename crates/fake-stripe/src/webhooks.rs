//! Delivery of events: signed, at least once, and with the faults that a test requests.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::ledger::Event;

/// How long a receiver may take.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(5);
/// How often a delivery is tried. The original tries for three days.
const TRIES: u32 = 3;
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// A receiver of events.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub url: String,
    /// The secret, and the old one as well while it is being rotated.
    pub secrets: Vec<String>,
    /// Events have the shape of API version 2020-08-27: an intent has its charges inside.
    pub has_old_shape: bool,
}

/// How events are delivered.
#[derive(Clone, Copy, Default, Debug)]
pub struct Delivery {
    pub delay: Duration,
    pub is_twice: bool,
    /// The newest of the waiting events is sent first.
    pub is_reordered: bool,
    /// Every n-th event is never sent; 0: none is lost.
    pub lost_every: u64,
    /// Events are delivered before the answer to the call that caused them leaves.
    pub is_before_answer: bool,
}

/// The value of the header `Stripe-Signature`. `at` in seconds.
pub fn sign(secrets: &[String], at: i64, body: &str) -> String {
    let signature = |secret: &String| {
        // HMAC accepts a key of any length, but the type cannot express that.
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(format!("{at}.{body}").as_bytes());
        format!(",v1={}", hex::encode(mac.finalize().into_bytes()))
    };
    format!("t={at}{},v0={}", secrets.iter().map(signature).collect::<String>(), "0".repeat(64))
}

/// The event as it is sent.
pub fn event_body(event: &Event, api_version: &str, has_old_shape: bool) -> Value {
    let mut object = event.object.clone();
    let version = if has_old_shape { "2020-08-27" } else { api_version };
    if has_old_shape && object["object"] == "payment_intent" {
        object["charges"] = json!({ "object": "list", "data": [], "has_more": false });
        if let Some(fields) = object.as_object_mut() {
            fields.remove("latest_charge");
        }
    }
    json!({
        "id": event.id,
        "object": "event",
        "api_version": version,
        "created": event.created,
        "data": { "object": object },
        "livemode": event.is_live,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": event.kind,
    })
}

/// Sends one event to one receiver, until it answers with a 2xx or the tries are used up.
pub async fn deliver(client: &reqwest::Client, endpoint: &Endpoint, event: &Event, api_version: &str, now: i64) {
    let body = event_body(event, api_version, endpoint.has_old_shape).to_string();
    for attempt in 0..TRIES {
        let request = client
            .post(&endpoint.url)
            .header("content-type", "application/json; charset=utf-8")
            .header("stripe-signature", sign(&endpoint.secrets, now, &body))
            .timeout(DELIVERY_DEADLINE)
            .body(body.clone());
        if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        if attempt + 1 < TRIES {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}
