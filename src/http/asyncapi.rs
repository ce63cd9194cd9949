//! The socket's description, AsyncAPI 3.0, from the same types that are sent and understood.

use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::protocol::client::Verb;
use crate::protocol::frame_schema;

/// What the server says, by name, with a line about each.
const SERVER_FRAMES: [(&str, &str); 8] = [
    (
        "hello",
        "First on every connection: where the room stands, who you are, and all state. `recovered: true`: `events` \
        are exactly those you missed. `false`: they are the last visible ones, and continuity starts at `seq`.",
    ),
    (
        "tick",
        "All new events and the changed state keys. `seq` is your position after it. One who cannot keep up is sent \
        all state keys once a second instead, no events, and `seq` stands still until a `snapshot` brings them back.",
    ),
    (
        "snapshot",
        "Everything afresh, because the numbering broke (`hole`, `epoch`) or you were too far behind (`slow`). Let go of \
        the talk you have: what of it was deleted meanwhile is not told, and `events` are what is left of it. The same \
        holds for a `hello` that did not recover.",
    ),
    ("reply", "The answer to your frame with the same `ref`: `ok` or `error`."),
    ("order", "Your own order changed, wherever you are connected."),
    (
        "held",
        "For those who keep order: a message waits to be looked at (`message`), or does not any more (`settled`). What was missed \
        is in `GET …/held`.",
    ),
    ("action", "Somebody of the team did something to you: deleted, muted, banned, approved, … and why."),
    ("moving", "Open a new connection after `retry_ms`, then leave this one."),
];

pub fn document(openapi: &Value) -> Value {
    let mut schemas = Vec::new();
    frame_schema::HelloFrame::schemas(&mut schemas);
    frame_schema::TickFrame::schemas(&mut schemas);
    frame_schema::SnapshotFrame::schemas(&mut schemas);
    frame_schema::ReplyFrame::schemas(&mut schemas);
    frame_schema::OrderFrame::schemas(&mut schemas);
    frame_schema::ReviewFrame::schemas(&mut schemas);
    frame_schema::AuditFrame::schemas(&mut schemas);
    frame_schema::MovingFrame::schemas(&mut schemas);
    Verb::schemas(&mut schemas);
    let payloads = [
        ("hello", frame_schema::HelloFrame::schema()),
        ("tick", frame_schema::TickFrame::schema()),
        ("snapshot", frame_schema::SnapshotFrame::schema()),
        ("reply", frame_schema::ReplyFrame::schema()),
        ("order", frame_schema::OrderFrame::schema()),
        ("held", frame_schema::ReviewFrame::schema()),
        ("action", frame_schema::AuditFrame::schema()),
        ("moving", frame_schema::MovingFrame::schema()),
    ];
    let mut components = openapi["components"]["schemas"].clone();
    let mut messages = json!({});
    for (name, schema) in schemas {
        components[name] = serde_json::to_value(schema).unwrap_or_default();
    }
    for ((name, payload), (_, about)) in payloads.into_iter().zip(SERVER_FRAMES) {
        messages[name] = json!({ "name": name, "summary": about, "payload": payload });
    }
    messages["verb"] = json!({
        "name": "verb",
        "summary": "Everything one can do; the same names as over REST. `ref` is your own and comes back in the reply.",
        "payload": Verb::schema(),
    });
    let link = |name: &str| json!({ "$ref": format!("#/channels/live/messages/{name}") });
    let names = SERVER_FRAMES.map(|(name, _)| name);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Livesouk, live",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One WebSocket per viewer and show: JSON text frames, subprotocol `livesouk.v1`. Close codes \
                4000–4499 mean come back (after `retry_ms` of the reason), 4500–4999 mean do not.",
        },
        "channels": { "live": {
            "address": "/v1/streams/{stream}/live?token&epoch&seq&session&overlay",
            "parameters": { "stream": { "description": "The show's id" } },
            "description": "All query parameters are optional. Without `token` one watches. `epoch` and `seq` are the \
                client's own position, to resume from. `session` is the client's own random id: the newest connection \
                with it wins. `overlay=1` watches without being one of the viewers: a picture of the show for the show \
                itself, or a probe. permessage-deflate is agreed on without context takeover, both ways. Too many at \
                once are closed with 4013 and a `retry_ms`, or, beyond that, answered 503 with `Retry-After`.",
            "messages": names.iter().chain(&["verb"]).map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }))).collect::<serde_json::Map<_, _>>(),
        } },
        "operations": {
            "hear": { "action": "send", "channel": { "$ref": "#/channels/live" }, "messages": names.map(link) },
            "do": { "action": "receive", "channel": { "$ref": "#/channels/live" }, "messages": [link("verb")] },
        },
        "components": { "messages": messages, "schemas": components },
    })
}
