//! Invalid frames: an invalid verb gets an error reply, and a protocol violation ends the connection with the code of the standard.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::assert_unharmed;
use crate::support::SOON;
use crate::support::shop::Shop;
use crate::support::socket::Live;

/// Sends a text and returns the next reply, whatever its `ref` is.
async fn reply_to(live: &mut Live, text: &str) -> Value {
    live.send(Message::text(text)).await;
    live.until("reply", SOON, |frame| frame["t"] == "reply").await
}

#[tokio::test]
async fn invalid_verb_gets_an_error_reply_and_the_connection_stays_open() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let deep = "[".repeat(10_000);
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(2_000), "}".repeat(2_000));
    let numeric = format!(r#"{{"ref":7,"do":"buy","offer":"{offer}","qty":1,"key":"12345678"}}"#);
    let long_ref = format!(r#"{{"ref":"{}","do":"unpin"}}"#, "r".repeat(65));
    for bad in ["", "hi", "null", "7", "[]", "{}", "{", "{\"do\":7}", &deep, &deep_objects, &numeric, &long_ref] {
        let reply = reply_to(&mut live, bad).await;
        let start: String = bad.chars().take(40).collect();
        assert_eq!((&reply["ref"], &reply["error"]["code"]), (&json!(null), &json!("bad_request")), "{start}");
    }
    let reply = reply_to(&mut live, r#"{"ref":"x","do":"dance"}"#).await;
    assert_eq!((&reply["ref"], &reply["error"]["code"]), (&json!("x"), &json!("unknown_verb")));
    assert!(reply["error"]["message"].as_str().unwrap().contains("dance"), "{reply}");
    // Unknown fields are ignored.
    live.ask(json!({"do": "say", "text": "hi", "from": "Bob", "role": "host", "more": [1]})).await.unwrap();
    let event = live.event("chat message", SOON, |event| event["type"] == "chat").await;
    assert_eq!(event["from"], json!({"id": "Ann", "name": "Ann", "role": "viewer"}));
    assert_unharmed(&shop, &offer, 5).await;
}

#[tokio::test]
async fn protocol_violation_ends_the_connection() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut neighbour = shop.live("Bob", "viewer").await;
    let largest = format!(r#"{{"do":"dance","pad":"{}"}}"#, "x".repeat(16 * 1024 - 23));
    assert_eq!(largest.len(), 16 * 1024);
    let mut live = shop.live("Ann", "viewer").await;
    assert_eq!(reply_to(&mut live, &largest).await["error"]["code"], "unknown_verb", "16 KiB is allowed");
    live.send(Message::text(format!("{largest} "))).await;
    assert_eq!(live.closed(SOON).await.code, 1009);
    let mut live = shop.live("Ann", "viewer").await;
    live.send(Message::binary(r#"{"do":"unpin"}"#)).await;
    let closed = live.closed(SOON).await;
    assert_eq!(closed.code, 1003);
    assert_eq!(closed.reason, r#"{"retry_ms":null,"message":"Binary messages are not supported."}"#);

    neighbour.ask(json!({"do": "say", "text": "still connected"})).await.unwrap();
    assert_unharmed(&shop, &offer, 5).await;
}
