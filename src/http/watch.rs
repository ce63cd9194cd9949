//! What passes the door: how many requests, how they were answered, how long it took; and an end to those that hang.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::Door;
use super::error::Problem;
use crate::metrics::{SPANS, Times, count};

/// A request that takes longer is given up. What it began is finished all the same: writes run in tasks of their own.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Requests {
    /// Answers by the first digit of their status: 1xx to 5xx. A WebSocket's upgrade is a 1xx.
    answers: [AtomicU64; 5],
    pub took: Times,
}

impl Requests {
    pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    pub fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::CLASSES.into_iter().zip(self.answers.iter().map(|class| class.load(Ordering::Relaxed)))
    }

    fn add(&self, status: StatusCode, took: Duration) {
        if let Some(class) = self.answers.get(usize::from(status.as_u16() / 100).saturating_sub(1)) {
            count(class);
        }
        self.took.add(took);
    }
}

pub async fn watch(State(door): State<Door>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    // Without the query: a token may stand in it. An invite's code stands in the path.
    let (method, path) = (request.method().as_str(), request.uri().path());
    let path = if path.starts_with("/v1/invites/") { "/v1/invites/{code}" } else { path };
    let span = tracing::trace_span!(target: SPANS, "request", method, path);
    let answered = tokio::time::timeout(REQUEST_DEADLINE, next.run(request)).instrument(span).await;
    let response = answered.unwrap_or_else(|_| too_late().into_response());
    door.requests.add(response.status(), began.elapsed());
    response
}

fn too_late() -> Problem {
    let told = "this took too long; what it began is finished all the same, ask again with the same key";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", told)
}
