//! `docs/protocol.md`, written from the types: verbs, frames, close codes, error codes and limits.
//!
//! A test compares the page with what this module writes. `LIVESOUK_UPDATE_DOCS=1 cargo test --test it protocol_page` writes it.

use std::fmt::Write;

use livesouk::app::PurchaseResult;
use livesouk::domain::audit::REASON_LENGTH_MAX;
use livesouk::domain::blocklist::Blocklist;
use livesouk::domain::chat::{ChatText, REVIEW_QUEUE_MAX};
use livesouk::domain::reaction::REACTION_COUNT_MAX;
use livesouk::domain::{ErrorCode, Event, Name, Refusal, UserId};
use livesouk::protocol::frame_reader::MESSAGE_BYTES_MAX;
use livesouk::protocol::{BadFrame, Close, EncodedEvent, Frame, HelloHead, SharedTail, SnapshotReason, server};
use livesouk::room::ring_buffer::RECENT_MAX;
use livesouk::verbs::{Method, NewOrder, VERBS, VerbEntry, VerbReply};
use serde_json::Value;

use super::sample_views;

const INTRODUCTION: &str = "# Protocol v1

This page is generated from the types of the server (`tests/it/tidy/protocol_page.rs`); a test keeps it up to date. Every server also
serves its own OpenAPI and AsyncAPI documents under `/docs`, with every field and every REST route.

`GET /v1/streams/{stream}/live?token=…&epoch=…&seq=…&session=…` is a WebSocket with JSON text frames and the optional subprotocol
`livesouk.v1`. All parameters are optional. Without a token the client only watches. The token should not be in the address, because proxies log it: a client offers
the subprotocols `livesouk.v1, token.TOKEN`, and the server agrees on `livesouk.v1` only. With both, the subprotocol counts. `epoch` and `seq` are the position up to which
the client has read. `session` is a random id of the client; the newest connection with it wins. A connection with `overlay=1` is not counted as a viewer.

Times are UTC epoch milliseconds, money is in minor units of an ISO 4217 currency. Clients ignore unknown fields, events and frames.
";

/// The whole page.
pub fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    frames(&mut out);
    verbs(&mut out);
    closes(&mut out);
    errors(&mut out);
    limits(&mut out);
    out
}

/// The JSON of a frame, without its WebSocket header.
fn text(frame: Frame) -> String {
    let bytes = frame.into_bytes();
    let header = match bytes[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    String::from_utf8(bytes[header..].to_vec()).expect("a frame is text")
}

fn frames(out: &mut String) {
    let (offer, message) = (sample_views::offer_id(), sample_views::message_id());
    let text_of_ann = "Is it real leather?".to_owned();
    let chat = Event::Chat { id: message, from: sample_views::ann(), text: text_of_ann, reply: None };
    let events = [
        (42, EncodedEvent::new(1_760_000_000_100, &chat)),
        (43, EncodedEvent::new(1_760_000_000_120, &Event::Pinned { offer })),
    ];
    let mut state = sample_views::room_state();
    let tail = SharedTail { plain: server::hello_tail("e1", 43, &events, &state).into(), compressed: None };
    let you = sample_views::json(&sample_views::identity());
    let head = HelloHead { recovered: false, now: sample_views::NOW, you: &you, receipts: false };
    let snapshot = server::snapshot(SnapshotReason::Slow, "e1", 90, &[], &state);
    let order = sample_views::order();
    let reservation = sample_views::reservation();
    let bought = NewOrder(PurchaseResult { reservation, order: order.clone(), is_replay: false });
    let rows = [
        (
            "hello",
            "The first frame: who you are, the stream, the whole state, and events. With `recovered: true` they are exactly those after the client's position; otherwise they are the newest visible ones. With `receipts: true`, which one viewer in a sample gets, the client sends the verb `seen` when the card of the pinned offer is on the screen; from that the host sees how fast a pin reaches the viewers",
            text(server::hello(&head, &tail, false)),
        ),
        (
            "tick",
            "New events and changed state values. `seq` is the position after the frame; `events` and `state` may each be absent",
            text(server::tick(43, &events, &mut state)),
        ),
        (
            "snapshot",
            "Events were lost, so the client replaces everything by this. `why` is `slow`, `hole` or `epoch`",
            text(snapshot),
        ),
        ("reply", "The answer to the request with the same `ref`", text(server::reply(Some("7"), &bought.on_socket()))),
        ("reply", "A refusal", text(server::reply_refused(Some("7"), &Refusal::SoldOut))),
        ("order", "One of your orders changed; sent on every connection that you have", text(server::order(&order))),
        (
            "review",
            "A message entered the review queue; sent to the members of the team who may moderate. Its author gets only the reply `pending_review`",
            text(server::review(&sample_views::message())),
        ),
        (
            "review",
            "A message left the review queue; sent to the same members of the team",
            text(server::reviewed(message)),
        ),
        (
            "audit",
            "A team member did something to you, such as a mute; sent only to the affected user. The team reads the audit log over REST",
            text(server::audit(&sample_views::mute())),
        ),
        (
            "moving",
            "This node is stopping: open a new connection after `retry_ms`, then close this one",
            text(server::moving(800)),
        ),
    ];
    out.push_str("\n## Frames from the server\n");
    for (name, meaning, frame) in rows {
        let value: Value = serde_json::from_str(&frame).expect("a frame is JSON");
        assert_eq!(value["t"], name);
        let _ = write!(out, "\n**`{name}`** — {meaning}.\n\n```json\n{frame}\n```\n");
    }
}

fn verbs(out: &mut String) {
    out.push_str("\n## Verbs\n\nA client sends `{\"ref\":\"1\",\"do\":\"say\",\"text\":\"hi\"}`. `ref` comes back in the reply. The same verbs exist as REST routes.\n\n");
    out.push_str("| Verb | Least role | Fields | REST |\n|---|---|---|---|\n");
    for verb in &VERBS {
        let reply = if verb.has_reply { "" } else { " (no reply)" };
        let _ = writeln!(
            out,
            "| `{}`{reply} | {} | {} | {} |",
            verb.name,
            verb.least_role.name(),
            fields(verb),
            route(verb)
        );
    }
}

/// The input fields: required ones as they are, optional ones with a question mark.
fn fields(verb: &VerbEntry) -> String {
    let schema = verb.input_schema();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return String::new() };
    let mark =
        |name: &String| if required.contains(&name.as_str()) { format!("`{name}`") } else { format!("`{name}`?") };
    properties.keys().map(mark).collect::<Vec<_>>().join(", ")
}

fn route(verb: &VerbEntry) -> String {
    let Some(rest) = verb.rest else { return "–".to_owned() };
    let method = match rest.method {
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let key = if rest.has_key { " with `Idempotency-Key`" } else { "" };
    format!("`{method} {}`{key}", rest.path)
}

fn closes(out: &mut String) {
    out.push_str("\n## Close codes\n\nThe reason of the close frame is `{\"retry_ms\":800}` where a client should reconnect, and with 4013 it may have a `ticket`: the server keeps a place for that time, and the client sends `ticket=…` with its next connection. The ticket is valid for the same user, or for anonymous users of the same address, on every node, once and from one second before the time until 30 seconds after it. With 1002, 1003, 1007 and 1009 the client itself is at fault, and `message` in the reason says what is wrong. On 1001, 1006, 1012 and 1013 a client reconnects with jitter.\n\n| Code | Name | Reconnect |\n|---|---|---|\n");
    let retry_ms = 800;
    let all = [
        Close::Normal,
        Close::Moving { retry_ms },
        Close::Ttl { retry_ms },
        Close::PongTimeout { retry_ms },
        Close::Slow { retry_ms },
        Close::Overload { retry_ms },
        // One of each code.
        Close::BadFrame(BadFrame::Opcode),
        Close::BadFrame(BadFrame::Binary),
        Close::BadFrame(BadFrame::Utf8),
        Close::BadFrame(BadFrame::TooBig),
        Close::Token,
        Close::Banned,
        Close::Replaced,
    ];
    for close in all {
        let reconnect = if close.retry_ms().is_some() { "after `retry_ms`" } else { "no" };
        let _ = writeln!(out, "| {} | `{}` | {reconnect} |", close.code(), close.name());
    }
}

fn errors(out: &mut String) {
    out.push_str("\n## Error codes\n\nThe same on the socket (`error.code`) and over REST (problem details, RFC 9457, field `code`).\n\n| Code | HTTP status | Meaning |\n|---|---|---|\n");
    for error in ErrorCode::all() {
        let _ = writeln!(out, "| `{}` | {} | {} |", error.code, error.status, error.meaning);
    }
}

fn limits(out: &mut String) {
    let rows = [
        ("Frame from a client", format!("{MESSAGE_BYTES_MAX} bytes")),
        ("Chat message", format!("{} characters", ChatText::LENGTH_MAX)),
        ("Display name", format!("{} characters", Name::LENGTH_MAX)),
        ("User id", format!("{} visible ASCII characters", UserId::LENGTH_MAX)),
        ("Idempotency key", "8 to 255 visible ASCII characters".to_owned()),
        ("Reactions in one frame", REACTION_COUNT_MAX.to_string()),
        ("Reason of a moderation action", format!("{REASON_LENGTH_MAX} characters")),
        ("Blocklist", format!("{} words of {} characters", Blocklist::WORDS_MAX, Blocklist::LENGTH_MAX)),
        ("Review queue of a stream", format!("{REVIEW_QUEUE_MAX} messages")),
        ("Events in the first hello", RECENT_MAX.to_string()),
        ("Ping, and the time to answer it", "25 s, 10 s".to_owned()),
    ];
    out.push_str("\n## Limits\n\n| What | At most |\n|---|---|\n");
    for (what, limit) in rows {
        let _ = writeln!(out, "| {what} | {limit} |");
    }
}
