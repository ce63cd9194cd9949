//! What passes the door: how many requests, how they were answered, how long it took; and an end to those that hang.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::AppState;
use super::error::Problem;
use crate::metrics::{DurationHistogram, SPAN_TARGET, increment};

/// A request that takes longer is given up. What it began is finished all the same: writes run in tasks of their own.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct RequestMetrics {
    /// Answers by the first digit of their status: 1xx to 5xx. A WebSocket's upgrade is a 1xx.
    responses: [AtomicU64; 5],
    pub duration: DurationHistogram,
}

impl RequestMetrics {
    pub const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    pub fn responses_by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::STATUS_CLASSES.into_iter().zip(self.responses.iter().map(|class| class.load(Ordering::Relaxed)))
    }

    fn record(&self, status: StatusCode, took: Duration) {
        if let Some(class) = self.responses.get(usize::from(status.as_u16() / 100).saturating_sub(1)) {
            increment(class);
        }
        self.duration.observe(took);
    }
}

pub async fn watch(State(door): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    // Without the query: a token may stand in it. An invite's code stands in the path.
    let (method, path) = (request.method().as_str(), request.uri().path());
    let path = if path.starts_with("/v1/invites/") { "/v1/invites/{code}" } else { path };
    let span = tracing::trace_span!(target: SPAN_TARGET, "request", method, path);
    let answered = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).instrument(span).await;
    let response = answered.unwrap_or_else(|_| timeout_problem().into_response());
    door.request_metrics.record(response.status(), began.elapsed());
    response
}

fn timeout_problem() -> Problem {
    let told = "this took too long; what it began is finished all the same, ask again with the same key";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", told)
}
