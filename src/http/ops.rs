//! Health, readiness, the pages, and the answers to what is not here.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Door;
use super::error::Problem;

/// The pages, inside the binary.
#[derive(Embed)]
#[folder = "web-demo/"]
struct Pages;

/// The process runs. Says nothing about what it needs: a slow database is no reason to restart it.
pub async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
pub struct ReadyQuery {
    /// `store`: the bus may be away. For a balancer that would else send nobody anywhere when Redis dies for all nodes at
    /// once, although all of them still sell.
    only: Option<String>,
}

/// Can it serve? Not while the store is away or the bus is not heard, and not once it was asked to stop.
pub async fn readyz(State(door): State<Door>, Query(query): Query<ReadyQuery>) -> Response {
    let word = |fine: bool| if fine { "ok" } else { "away" };
    let (store, broker) = (door.app.ready().await.is_ok(), door.app.hears_the_bus());
    let stopping = door.app.is_leaving();
    let needs_broker = query.only.as_deref() != Some("store");
    let ready = store && !stopping && (broker || !needs_broker);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "store": if stopping { "stopping" } else { word(store) }, "broker": word(broker) });
    (status, axum::Json(body)).into_response()
}

/// A description made from the types, once at start.
pub async fn document(document: Value) -> axum::Json<Value> {
    axum::Json(document)
}

pub async fn page_shop(State(door): State<Door>, headers: HeaderMap) -> Response {
    page(&door, &headers, "index.html")
}

pub async fn page_watch(State(door): State<Door>, headers: HeaderMap) -> Response {
    page(&door, &headers, "watch.html")
}

pub async fn page_host(State(door): State<Door>, headers: HeaderMap) -> Response {
    page(&door, &headers, "host.html")
}

pub async fn page_docs(State(door): State<Door>, headers: HeaderMap) -> Response {
    page(&door, &headers, "docs.html")
}

pub async fn asset(State(door): State<Door>, headers: HeaderMap, Path(path): Path<String>) -> Response {
    page(&door, &headers, &path)
}

/// One file of the pages: revalidated by its hash, so a new binary is seen at once and an old file is not sent again.
fn page(door: &Door, headers: &HeaderMap, path: &str) -> Response {
    let Some(file) = Pages::get(path) else {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such file").into_response();
    };
    let tag = tag(&file);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = file.metadata.mimetype().to_owned();
        let kind = if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind };
        ([(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
    };
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &tag);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, door.origins.content_policy());
    set(header::REFERRER_POLICY, "same-origin");
    response
}

fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here; /docs lists what there is")
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has other methods; see /docs")
}
