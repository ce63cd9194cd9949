//! What browsers and test scripts ask for: the page of 3-D Secure, the replacement of the payment form, and the control of the faults.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::{Call, Fault};
use crate::form::Parameters;
use crate::parameters::ALLOWED;
use crate::route::Sent;
use crate::webhooks::Endpoint;
use crate::{Shared, card};

/// `None`: it is a call of the API.
pub async fn answer(
    shared: &Arc<Shared>,
    method: &str,
    segments: &[&str],
    given: &Parameters,
    query: &str,
) -> Option<Sent> {
    let now = shared.now_s();
    Some(match (method, segments) {
        ("GET", ["element.js"]) => {
            Sent::Page { kind: "text/javascript; charset=utf-8", body: include_str!("element.js").to_owned() }
        }
        ("GET", ["3ds", id]) => Sent::Page { kind: "text/html; charset=utf-8", body: question(id) },
        ("POST", ["3ds", id]) => {
            let agrees = given.text("answer") == Some("yes");
            let mut world = shared.world();
            let answered = world.ledger.authenticate(id, agrees, now);
            shared.has_events.notify_one();
            let Ok(intent) = world.ledger.intent(id) else { return Some(not_found()) };
            match (&intent.return_url, answered) {
                (Some(back), Ok(())) => {
                    let mark = if back.contains('?') { '&' } else { '?' };
                    let status = if intent.last_error.is_some() { "failed" } else { "succeeded" };
                    let secret = intent.client_secret();
                    Sent::Redirect(format!(
                        "{back}{mark}payment_intent={id}&payment_intent_client_secret={secret}&redirect_status={status}"
                    ))
                }
                (None, Ok(())) => Sent::Page { kind: "text/html; charset=utf-8", body: "<p>Done.</p>".to_owned() },
                (_, Err(error)) => Sent::json(error.status, error.body()),
            }
        }
        // A page makes a token from what the buyer typed, with the publishable key.
        ("POST", ["v1", "confirmation_tokens"] | ["v1", "test_helpers", "confirmation_tokens"]) => {
            let card = given.text("card").or(given.text("payment_method")).and_then(card::find);
            let Some(card) = card else {
                return Some(Sent::json(402, json!({ "error": { "type": "card_error", "code": "invalid_number" } })));
            };
            let mut world = shared.world();
            let id = world.ledger.new_id("ctoken");
            world.ledger.tokens.insert(id.clone(), card);
            Sent::json(200, json!({ "id": id, "object": "confirmation_token", "created": now }))
        }
        ("GET", ["_control", "parameters"]) => {
            let rows = ALLOWED.iter().map(|allowed| {
                json!({ "method": allowed.method, "path": allowed.path, "parameters": allowed.parameters,
                    "newer": allowed.newer })
            });
            Sent::json(200, rows.collect())
        }
        ("POST", ["_control", "advance"]) => {
            let seconds = given.integer("seconds").ok().flatten().unwrap_or_default();
            shared.clock.advance_ms(seconds.max(0).saturating_mul(1_000));
            drop(shared.world());
            done()
        }
        ("POST", ["_control", "endpoint"]) => {
            let Some(url) = given.text("url") else { return Some(not_found()) };
            let secrets = ["secret", "old_secret"].iter().filter_map(|name| given.text(name)).map(str::to_owned);
            let endpoint =
                Endpoint { url: url.to_owned(), secrets: secrets.collect(), has_old_shape: given.flag("old_shape") };
            shared.world().endpoints.push(endpoint);
            done()
        }
        ("POST", ["_control", "fault"]) => {
            let call = given.text("call").and_then(Call::parse);
            let (Some(call), Some(fault)) = (call, given.text("fault").and_then(Fault::parse)) else {
                return Some(not_found());
            };
            let times = given.integer("times").ok().flatten().unwrap_or(1);
            shared.world().faults.plan(call, fault, times.clamp(0, 1_000) as usize);
            done()
        }
        ("POST", ["_control", "delivery"]) => {
            let mut world = shared.world();
            world.delivery.delay = Duration::from_millis(given.integer("delay_ms").ok().flatten().unwrap_or(0) as u64);
            world.delivery.is_twice = given.flag("twice");
            world.delivery.is_reordered = given.flag("reordered");
            world.delivery.is_before_answer = given.flag("before_answer");
            done()
        }
        (_, ["_control" | "3ds", ..]) => not_found(),
        // A parameter in the address of a POST is not read, so it must not be there.
        ("POST", ["v1", ..]) if !query.is_empty() => Sent::json(
            400,
            json!({ "error": { "type": "invalid_request_error", "message": "Parameters belong in the body." } }),
        ),
        _ => return None,
    })
}

fn done() -> Sent {
    Sent::json(200, json!({ "done": true }))
}

fn not_found() -> Sent {
    Sent::json(404, Value::Null)
}

/// The bank asks the buyer.
fn question(id: &str) -> String {
    let id: String = id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Confirm the payment</title>\
         <form method=\"post\" action=\"/3ds/{id}\"><p>Your bank asks: do you want to make this payment?</p>\
         <button name=\"answer\" value=\"yes\">Complete</button> <button name=\"answer\" value=\"no\">Fail</button></form>"
    )
}
