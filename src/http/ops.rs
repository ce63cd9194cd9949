//! Health, readiness, the descriptions, and the answers to what is not here.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AppState;
use super::error::Problem;

/// The process runs. Says nothing about what it needs: a slow database is no reason to restart it.
pub async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
pub struct ReadinessQuery {
    /// `store`: the bus may be away. For a balancer that would else send nobody anywhere when Redis dies for all nodes at
    /// once, although all of them still sell.
    only: Option<String>,
}

/// Can it serve? Not while the store is away or the bus is not heard, and not once it was asked to stop.
pub async fn readyz(State(door): State<AppState>, Query(query): Query<ReadinessQuery>) -> Response {
    let word = |fine: bool| if fine { "ok" } else { "away" };
    let (store, broker) = (door.app.check_ready().await.is_ok(), door.app.is_broker_connected());
    let stopping = door.app.is_draining();
    let needs_broker = query.only.as_deref() != Some("store");
    let ready = store && !stopping && (broker || !needs_broker);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "store": if stopping { "stopping" } else { word(store) }, "broker": word(broker) });
    (status, axum::Json(body)).into_response()
}

/// A description made from the types, once at start.
pub async fn json_document(document: Value) -> axum::Json<Value> {
    axum::Json(document)
}

pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here; /docs lists what there is")
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has other methods; see /docs")
}
