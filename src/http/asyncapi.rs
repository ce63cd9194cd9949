//! The AsyncAPI 3.0 document of the WebSocket, generated from the types of its frames and verbs.

use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::protocol::frame_schema;
use crate::verbs::{VERBS, VerbEntry};

/// The frames of the server by name, with a description of each.
const SERVER_FRAMES: [(&str, &str); 8] = [
    (
        "hello",
        "The first frame of every connection: the position of the room, who you are, and the whole state. With \
        `recovered: true`, `events` are exactly the events that you missed. With `false`, they are the last visible events, and \
        continuity starts at `seq`.",
    ),
    (
        "tick",
        "All new events and the changed state keys. `seq` is your position after it. A client that is too slow gets all \
        state keys once a second instead, without events; its `seq` stays the same until a `snapshot` brings it up to date.",
    ),
    (
        "snapshot",
        "The whole state again, because the numbering broke (`hole`, `epoch`) or you were too far behind (`slow`). Discard the \
        chat messages that you have: deletions in between were not sent, and `events` are the messages that are left. The same \
        applies to a `hello` with `recovered: false`.",
    ),
    ("reply", "The reply to your frame with the same `ref`: `ok` or `error`."),
    ("order", "Your own order has changed. It is sent to all your connections."),
    (
        "review",
        "For moderators: a message is in the review queue (`message`), or was approved or rejected (`reviewed`). Read what you missed \
        with `GET …/review-queue`.",
    ),
    (
        "audit",
        "A moderator did something that affects you: deleted, muted, banned, approved and so on, with the reason.",
    ),
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
    VERBS.iter().for_each(|entry| entry.collect_schemas(&mut schemas));
    let payloads = [
        ("hello", frame_schema::HelloFrame::schema()),
        ("tick", frame_schema::TickFrame::schema()),
        ("snapshot", frame_schema::SnapshotFrame::schema()),
        ("reply", frame_schema::ReplyFrame::schema()),
        ("order", frame_schema::OrderFrame::schema()),
        ("review", frame_schema::ReviewFrame::schema()),
        ("audit", frame_schema::AuditFrame::schema()),
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
    let verbs: Vec<Value> = VERBS.iter().map(verb_schema).collect();
    components["ClientFrame"] = json!({ "oneOf": verbs });
    messages["verb"] = json!({
        "name": "verb",
        "summary": "Every verb; the names are the same over REST. `ref` is your own id of the frame and comes back in the reply.",
        "payload": { "$ref": "#/components/schemas/ClientFrame" },
    });
    let link = |name: &str| json!({ "$ref": format!("#/channels/live/messages/{name}") });
    let names = SERVER_FRAMES.map(|(name, _)| name);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Livesouk, live",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One WebSocket per viewer and show, with JSON text frames and the subprotocol `livesouk.v1`. Close \
                codes 4000–4499 mean: reconnect, after `retry_ms` of the reason. Codes 4500–4999 mean: do not reconnect.",
        },
        "channels": { "live": {
            "address": "/v1/streams/{stream}/live?token&epoch&seq&session&overlay",
            "parameters": { "stream": { "description": "The show's id" } },
            "description": "All query parameters are optional. Without `token` the client can only watch. `epoch` and `seq` are \
                the client's position, from which it resumes. `session` is the client's own random id: the newest \
                connection with it replaces the older one. `overlay=1` is for overlays and probes, which are not counted \
                as viewers. permessage-deflate is negotiated without context takeover in both directions. If too many \
                clients connect at the same time, a connection is closed with 4013 and a `retry_ms`, or, above that, \
                refused with 503 and `Retry-After`.",
            "messages": names.iter().chain(&["verb"]).map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }))).collect::<serde_json::Map<_, _>>(),
        } },
        "operations": {
            "receive": { "action": "send", "channel": { "$ref": "#/channels/live" }, "messages": names.map(link) },
            "send": { "action": "receive", "channel": { "$ref": "#/channels/live" }, "messages": [link("verb")] },
        },
        "components": { "messages": messages, "schemas": components },
    })
}

/// The frame of a verb: its input, its name in `do`, and the client's own `ref`.
fn verb_schema(entry: &VerbEntry) -> Value {
    let mut schema = entry.input_schema();
    schema["properties"]["do"] = json!({ "const": entry.name });
    schema["properties"]["ref"] = json!({
        "type": ["string", "null"],
        "description": "Your own id of the frame, at most 64 bytes; the reply repeats it",
    });
    let mut required = schema["required"].as_array().cloned().unwrap_or_default();
    required.insert(0, "do".into());
    schema["required"] = required.into();
    schema["x-least-role"] = json!(entry.least_role);
    schema
}
