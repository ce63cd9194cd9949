//! Error responses: RFC 9457 problem details with a stable `code`. The table of codes and their HTTP statuses is in
//! `domain/refusal_table.rs`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Error;
use crate::domain::{ErrorCode, Refusal};
use crate::protocol::{RefusalFacts, problem};

/// `application/problem+json`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The page that explains the code, relative to the origin of this server; with the path of `--base-url`, if it has one.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// The stable code that clients act on.
    pub code: &'static str,
    pub detail: String,
    /// The time in milliseconds after which a retry may succeed; null: a retry does not help.
    pub retry_ms: Option<i64>,
    /// With `outdated`: the object as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub current: Option<serde_json::Value>,
    #[serde(flatten)]
    pub facts: RefusalFacts,
}

impl Problem {
    /// The problem of a code: its HTTP status and, as the detail, its meaning.
    pub fn of(code: &ErrorCode) -> Self {
        Self::new(code, code.meaning)
    }

    pub fn new(code: &ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: problem::type_uri(code),
            title: code.code.replace('_', " "),
            status: code.status,
            code: code.code,
            detail: detail.into(),
            retry_ms: None,
            current: None,
            facts: RefusalFacts::default(),
        }
    }

    /// A `bad_request` with another HTTP status: 413 for a body that is too large, for example.
    pub fn bad_request(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status: status.as_u16(), ..Self::from(&Refusal::bad_request(detail)) }
    }

    /// The problem of a change that somebody else overtook, with the object as it is now.
    pub fn outdated(current: &impl Serialize) -> Self {
        Self { current: serde_json::to_value(current).ok(), ..Self::from(&Refusal::Outdated) }
    }

    /// The same problem of a server whose routes are below `base`.
    pub fn below(self, base: &str) -> Self {
        Self { kind: format!("{base}{}", self.kind), ..self }
    }

    /// The response with this problem as its body.
    pub fn replace_in(&self, mut response: Response) -> Response {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = self.to_body();
        response
    }

    fn to_body(&self) -> Body {
        Body::from(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let problem = Self::new(refusal.error_code(), refusal.to_string());
        Self { retry_ms: refusal.retry_ms(), facts: refusal.into(), ..problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(self.to_body());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(retry_ms) = self.retry_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from((retry_ms.max(0) as u64).div_ceil(1_000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // `base_url` may have to write it again.
        response.extensions_mut().insert(self);
        response
    }
}

/// The error of a handler.
#[derive(Debug)]
pub struct ApiError(pub Problem);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let unavailable = |code| Problem { retry_ms: Some(1_000), ..Problem::of(code) };
        ApiError(match &error {
            Error::Refused(refusal) => Problem::from(refusal),
            Error::Unavailable => unavailable(&ErrorCode::UNAVAILABLE),
            Error::OutcomeUnknown => unavailable(&ErrorCode::OUTCOME_UNKNOWN),
        })
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        ApiError(Problem::from(&refusal))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

pub type ApiResult<T> = Result<T, ApiError>;

/// A panic in a handler is logged and answered with 500; the connection stays open.
pub fn handle_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::of(&ErrorCode::INTERNAL).into_response()
}
