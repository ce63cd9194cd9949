//! Health and readiness checks, and the responses for unknown paths and methods.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::AppState;
use super::error::Problem;
use super::page;
use crate::domain::ErrorCode;

/// Liveness: the process runs. It does not check the database: a slow database is no reason to restart the process.
pub async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
pub struct ReadinessQuery {
    /// `store`: ignore the broker. For load balancers: when Redis fails, it fails for all nodes at once, and a balancer that
    /// checked it would send no traffic at all although all nodes can still sell.
    only: Option<String>,
}

/// Readiness: fails while the database or the broker is not available, and during shutdown.
pub async fn readyz(State(state): State<AppState>, Query(query): Query<ReadinessQuery>) -> Response {
    let word = |fine: bool| if fine { "ok" } else { "away" };
    let (store, broker) = (state.app.check_ready().await.is_ok(), state.app.is_broker_connected());
    let stopping = state.app.is_draining();
    let needs_broker = query.only.as_deref() != Some("store");
    let ready = store && !stopping && (broker || !needs_broker);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({ "store": if stopping { "stopping" } else { word(store) }, "broker": word(broker) });
    if let Some(problem) = state.app.broker_problem() {
        body["broker_problem"] = problem.into();
    }
    // So that a load test can say in its report that it ran without them.
    if !state.app.settings().are_requests_limited {
        body["limits"] = "off".into();
    }
    (status, axum::Json(body)).into_response()
}

/// A program gets a problem document, and a reader a page in words.
pub async fn not_found(State(state): State<AppState>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_reader = method == Method::GET && accepted.contains("text/html") && !uri.path().starts_with("/v1/");
    match is_reader {
        true => page::not_found(&state, &uri, &headers),
        false => Problem::of(&ErrorCode::NOT_FOUND).into_response(),
    }
}

pub async fn method_not_allowed() -> Problem {
    Problem::of(&ErrorCode::METHOD_NOT_ALLOWED)
}
