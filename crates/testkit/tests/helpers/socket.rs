//! Tests of the socket client of the tests against a scripted server: the client must detect a server that violates the protocol.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use testkit::SOON;
use testkit::socket::{Closed, JoinOptions, Live};

/// Starts a server for one connection: it sends `first`, waits for a frame and sends `then`, with the received reference in
/// place of `"ref": "?"`. Then it closes with 4001.
async fn server(first: Vec<Value>, then: Vec<Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
        for frame in first {
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        if !then.is_empty() {
            let received: Value =
                serde_json::from_str(&socket.next().await.unwrap().unwrap().into_text().unwrap()).unwrap();
            for mut frame in then {
                if frame["ref"] == "?" {
                    frame["ref"] = received["ref"].clone();
                }
                socket.send(Message::text(frame.to_string())).await.unwrap();
            }
        }
        let _ = socket.close(Some(CloseFrame { code: 4001.into(), reason: "{\"retry_ms\":8}".into() })).await;
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    });
    format!("http://{address}")
}

fn hello() -> Value {
    let state = json!({"pin": null, "offers": {"o": {"left": 3, "v": [1, 5]}}, "viewers": 1});
    json!({"t": "hello", "epoch": "a", "seq": 5, "recovered": false, "events": [{"seq": 4}], "state": state})
}

fn tick(seq: u64) -> Value {
    json!({"t": "tick", "seq": seq, "events": [{"seq": seq, "type": "chat", "text": format!("number {seq}")}]})
}

fn counts(left: u64, version: u64) -> Value {
    json!({"t": "tick", "seq": 5, "state": {"offers": {"o": {"left": left, "v": [1, version]}}}})
}

#[tokio::test]
async fn reply_is_found_among_events_which_are_kept_in_order() {
    let other = json!({"t": "reply", "ref": "another", "ok": {}});
    let reply = json!({"t": "reply", "ref": "?", "ok": {"id": "m1"}});
    let base = server(vec![hello()], vec![tick(6), other, reply, tick(7)]).await;
    let mut live = Live::connect(&base, "s", None).await;
    assert_eq!(live.ask(json!({"do": "say", "text": "hi"})).await.unwrap(), json!({"id": "m1"}));
    assert_eq!(live.next(SOON).await["seq"], 6);
    let event = live.event("number 7", SOON, |event| event["text"] == "number 7").await;
    assert_eq!(event["seq"], 7);
    assert_eq!((live.position.epoch.as_str(), live.position.seq), ("a", 7));
    assert_eq!(live.closed(SOON).await, Closed { code: 4001, reason: "{\"retry_ms\":8}".to_owned() });
}

#[tokio::test]
async fn refusal_returns_its_code() {
    let reply = json!({"t": "reply", "ref": "?", "error": {"code": "sold_out", "message": "Sold out"}});
    let mut live = Live::connect(&server(vec![hello()], vec![reply]).await, "s", None).await;
    assert_eq!(live.refused(json!({"do": "buy", "offer": "o"})).await, "sold_out");
}

#[tokio::test]
async fn state_is_merged_from_hello_ticks_and_snapshots() {
    let snapshot = json!({"t": "snapshot", "why": "slow", "epoch": "a", "seq": 9, "recovered": false, "events": [],
                          "state": {"pin": {"offer": "o", "v": 1}, "offers": {}}});
    let base = server(vec![hello(), counts(2, 6), snapshot], vec![]).await;
    let mut live = Live::connect(&base, "s", None).await;
    live.until_state("stock of 2", SOON, |state| state["offers"]["o"]["left"] == 2 && state["viewers"] == 1).await;
    live.until_state("pin", SOON, |state| state["pin"]["offer"] == "o" && state["viewers"].is_null()).await;
    assert_eq!(live.next(SOON).await["t"], "tick");
    assert_eq!(live.next(SOON).await["t"], "snapshot");
}

#[tokio::test]
#[should_panic(expected = "event 8 follows 6")]
async fn missing_event_is_detected() {
    let mut live = Live::connect(&server(vec![hello(), tick(6), tick(8)], vec![]).await, "s", None).await;
    live.until("eight", SOON, |frame| frame["seq"] == 8).await;
}

#[tokio::test]
#[should_panic(expected = "event 6 follows 6")]
async fn duplicate_event_is_detected() {
    let mut live = Live::connect(&server(vec![hello(), tick(6), tick(6)], vec![]).await, "s", None).await;
    live.closed(SOON).await;
}

#[tokio::test]
#[should_panic(expected = "offer o went back from (1, 5) to (1, 4)")]
async fn version_that_goes_backwards_is_detected() {
    let mut live = Live::connect(&server(vec![hello(), counts(4, 4)], vec![]).await, "s", None).await;
    live.next(SOON).await;
}

#[tokio::test]
#[should_panic(expected = "no pin in time")]
async fn missing_frame_does_not_hang_the_test() {
    let base = server(vec![hello()], vec![tick(6)]).await; // the server waits for a frame that the test does not send
    let mut live = Live::connect(&base, "s", None).await;
    live.until("pin", Duration::from_millis(200), |_| false).await;
}

#[tokio::test]
async fn refused_connection_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(Live::join(&closed_address, "s", JoinOptions::default()).await.unwrap_err().code, 1006);
    let base = server(vec![], vec![]).await;
    assert_eq!(Live::join(&base, "s", JoinOptions::default()).await.unwrap_err().code, 4001);
}
