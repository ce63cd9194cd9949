//! The AsyncAPI 3.1 document of the WebSocket, generated from the types of its frames and verbs.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::openapi;
use crate::protocol::{BadFrame, Close, frame_schema};
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

/// The document. `openapi` has the schemas that both share; the other arguments are those of the OpenAPI document.
pub fn document(openapi: &Value, base_url: Option<&str>, with_test_provider: bool) -> Value {
    let (mut components, messages) = components(openapi);
    for entry in &VERBS {
        components[verb_component(entry)] = verb_schema(entry);
    }
    let verbs: Vec<Value> = VERBS.iter().map(|entry| schema_ref(&verb_component(entry))).collect();
    components["ClientFrame"] = json!({ "oneOf": verbs, "discriminator": "do" });
    let link = |name: &str| json!({ "$ref": format!("#/channels/live/messages/{name}") });
    let names = SERVER_FRAMES.map(|(name, _)| name);
    let unasked: Vec<Value> = names.iter().filter(|name| **name != "reply").map(|name| link(name)).collect();
    let document = json!({
        "asyncapi": "3.1.0",
        "info": {
            "title": "Livesouk, live",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
            "tags": [{ "name": "live", "description": "The live socket of a show" }],
            "description": "One WebSocket per viewer and show, with JSON text frames and the subprotocol `livesouk.v1`. \
                `x-close-codes` of the channel says why a connection ends, and whether to reconnect.",
        },
        "defaultContentType": "application/json",
        "servers": { "this": server(base_url) },
        "channels": { "live": channel() },
        "operations": {
            "receive": {
                "action": "send", "title": "What the server sends", "channel": { "$ref": "#/channels/live" },
                "messages": unasked,
            },
            "send": {
                "action": "receive", "title": "What a client asks for", "channel": { "$ref": "#/channels/live" },
                "messages": [link("verb")],
                "reply": { "channel": { "$ref": "#/channels/live" }, "messages": [link("reply")] },
            },
        },
        "components": { "messages": messages, "schemas": components },
    });
    let mut document = openapi::inline_primitive_schemas(document);
    openapi::simplify_nullable(&mut document);
    for entry in &VERBS {
        // The limits of a verb are those of its REST route, under the name of that route's body.
        let tag = entry.rest.map_or("chat", |route| route.tag);
        let owner = openapi::pascal_case(&format!("{tag}_{}_request", entry.name));
        let schema = &mut document["components"]["schemas"][verb_component(entry)];
        openapi::limits::apply_to(&owner, schema, with_test_provider);
    }
    openapi::limits::apply(&mut document, with_test_provider);
    document
}

/// The schemas that the frames need, and the messages of both sides.
fn components(openapi: &Value) -> (Value, Value) {
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
        ("HelloFrame", frame_schema::HelloFrame::schema()),
        ("TickFrame", frame_schema::TickFrame::schema()),
        ("SnapshotFrame", frame_schema::SnapshotFrame::schema()),
        ("ReplyFrame", frame_schema::ReplyFrame::schema()),
        ("OrderFrame", frame_schema::OrderFrame::schema()),
        ("ReviewFrame", frame_schema::ReviewFrame::schema()),
        ("AuditFrame", frame_schema::AuditFrame::schema()),
        ("MovingFrame", frame_schema::MovingFrame::schema()),
    ];
    let mut components = openapi["components"]["schemas"].clone();
    for (name, schema) in schemas {
        if components[&name].is_null() {
            components[name] = serde_json::to_value(schema).unwrap_or_default();
        }
    }
    let mut messages = json!({});
    for ((component, payload), (name, about)) in payloads.into_iter().zip(SERVER_FRAMES) {
        components[component] = serde_json::to_value(payload).unwrap_or_default();
        components[component]["properties"]["t"] = json!({ "const": name, "type": "string" });
        messages[name] = message(name, about, component);
    }
    messages["verb"] = message(
        "verb",
        "Every verb; the names are the same over REST. `ref` is your own id of the frame and comes back in the reply.",
        "ClientFrame",
    );
    messages["verb"]["examples"] =
        json!([{ "name": "say", "payload": { "ref": "1", "do": "say", "text": "Is it real leather?" } }]);
    (components, messages)
}

fn schema_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn message(name: &str, about: &str, component: &str) -> Value {
    json!({
        "name": name, "title": name, "summary": about, "contentType": "application/json", "payload": schema_ref(component),
    })
}

/// The live socket of a show.
fn channel() -> Value {
    let names = SERVER_FRAMES.map(|(name, _)| name);
    let message_ref = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }));
    let messages: Map<_, _> = names.iter().chain(&["verb"]).map(message_ref).collect();
    json!({
        "address": "/v1/streams/{stream}/live",
        "title": "A show, live",
        "servers": [{ "$ref": "#/servers/this" }],
        "parameters": { "stream": { "description": "The show's id" } },
        "description": "All query parameters are optional. Without `token` the client can only watch. `epoch` and `seq` are \
            the client's position, from which it resumes. `session` is the client's own random id: the newest \
            connection with it replaces the older one; that one is closed with 4509 once its running verbs are answered. \
            `overlay=1` is for overlays and probes, which are not counted \
            as viewers. permessage-deflate is negotiated without context takeover in both directions. If too many \
            clients connect at the same time, a connection is closed with 4013, a `retry_ms` and a `ticket`: a place is kept, \
            and the client comes back after that time with `ticket=…`. Above that it is refused with 503 and \
            `Retry-After`, and no place is kept.",
        "messages": messages,
        "bindings": { "ws": websocket_binding() },
        "x-close-codes": close_codes(),
    })
}

/// The server that the document comes from. Without a public address, the reader fills in the host.
fn server(base_url: Option<&str>) -> Value {
    let about = "This server. TLS ends in a proxy in front of it";
    match base_url.and_then(|url| url.split_once("://")) {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let protocol = if scheme == "https" { "wss" } else { "ws" };
            json!({ "host": host, "pathname": format!("/{path}"), "protocol": protocol, "description": about })
        }
        None => json!({
            "host": "{host}", "protocol": "ws", "description": about,
            "variables": { "host": { "default": "127.0.0.1:8080", "description": "Where the server listens" } },
        }),
    }
}

/// The handshake: its method and query.
fn websocket_binding() -> Value {
    let text =
        |about: &str, length_max: u32| json!({ "type": "string", "maxLength": length_max, "description": about });
    json!({
        "method": "GET",
        "query": { "type": "object", "properties": {
            "token": text("The token of the user; without it the client can only watch", 8_192),
            "epoch": text("The epoch of the position up to which the client has read", 64),
            "seq": { "type": "integer", "minimum": 0, "description": "The number of the last event that the client has" },
            "session": text("The client's own random id", 64),
            "ticket": text("The admission ticket of the last close with 4013", 52),
            "overlay": { "type": "string", "enum": ["0", "1"], "description": "`1`: not counted as a viewer" },
        } },
        "headers": { "type": "object", "properties": {
            "Sec-WebSocket-Protocol": { "type": "string", "const": "livesouk.v1" },
        } },
        "bindingVersion": "0.1.0",
    })
}

/// Why the server closes a connection, and whether to reconnect.
fn close_codes() -> Value {
    let retry_ms = 800;
    let all = [
        Close::Normal,
        Close::BadFrame(BadFrame::Opcode),
        Close::BadFrame(BadFrame::Binary),
        Close::BadFrame(BadFrame::Utf8),
        Close::BadFrame(BadFrame::TooBig),
        Close::Moving { retry_ms },
        Close::Ttl { retry_ms },
        Close::PongTimeout { retry_ms },
        Close::Slow { retry_ms },
        Close::Overload { retry_ms },
        Close::Token,
        Close::Banned,
        Close::Replaced,
    ];
    let row =
        |close: &Close| json!({ "code": close.code(), "name": close.name(), "reconnect": close.retry_ms().is_some() });
    all.iter().map(row).collect()
}

/// `DeleteMessageVerb`
fn verb_component(entry: &VerbEntry) -> String {
    openapi::pascal_case(&format!("{}_verb", entry.name))
}

/// The frame of a verb: its input, its name in `do`, and the client's own `ref`.
fn verb_schema(entry: &VerbEntry) -> Value {
    let mut schema = entry.input_schema();
    schema["properties"]["do"] = json!({ "type": "string", "const": entry.name });
    schema["properties"]["ref"] = json!({
        "type": ["string", "null"],
        "maxLength": 64,
        "description": "Your own id of the frame, at most 64 bytes; the reply repeats it",
    });
    let mut required = schema["required"].as_array().cloned().unwrap_or_default();
    required.insert(0, "do".into());
    schema["required"] = required.into();
    schema["x-least-role"] = json!(entry.least_role);
    schema
}
