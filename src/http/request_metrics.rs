//! Middleware for every request: counts it by status, measures its duration, and limits it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::AppState;
use super::error::Problem;
use crate::domain::ErrorCode;
use crate::metrics::{DurationHistogram, SPAN_TARGET, increment};

/// A request that takes longer is answered with 408. Its writes finish anyway, because they run in separate tasks.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct RequestMetrics {
    /// Responses by the first digit of their status: 1xx to 5xx. A WebSocket upgrade is a 1xx.
    responses: [AtomicU64; 5],
    pub duration: DurationHistogram,
}

impl RequestMetrics {
    pub const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    pub fn responses_by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::STATUS_CLASSES.into_iter().zip(self.responses.iter().map(|class| class.load(Ordering::Relaxed)))
    }

    fn record(&self, status: StatusCode, duration: Duration) {
        if let Some(class) = self.responses.get(usize::from(status.as_u16() / 100).saturating_sub(1)) {
            increment(class);
        }
        self.duration.observe(duration);
    }
}

pub async fn track_request(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    // The query is left out because it may contain a token. The code of an invite is in the path.
    let (method, path) = (request.method().as_str(), request.uri().path());
    let path = if path.starts_with("/v1/invites/") { "/v1/invites/{code}" } else { path };
    let span = tracing::trace_span!(target: SPAN_TARGET, "request", method, path);
    let response = next.run(request).instrument(span).await;
    state.request_metrics.record(response.status(), began.elapsed());
    response
}

/// The same for an upload: 15 MB through the uplink of a phone.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Middleware that ends a request with 408 when it takes too long.
pub async fn limit_duration(request: Request, next: Next) -> Response {
    let limit = if request.uri().path() == "/v1/pictures" { UPLOAD_TIMEOUT } else { REQUEST_TIMEOUT };
    let result = tokio::time::timeout(limit, next.run(request)).await;
    result.unwrap_or_else(|_| timeout_problem().into_response())
}

fn timeout_problem() -> Problem {
    let detail = "The request took too long. Its writes may still finish: retry with the same idempotency key.";
    Problem::new(&ErrorCode::TIMEOUT, detail)
}
