//! Error responses: RFC 9457 problem details with a stable `code`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Error;
use crate::domain::{Millis, OrderId, Refusal};

/// `application/problem+json`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The page that lists the codes, relative to this server.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// The stable code that clients act on.
    pub code: &'static str,
    pub detail: String,
    /// Retry after so many milliseconds; null: a retry does not help.
    pub retry_ms: Option<i64>,
    /// With `bad_request`: the name of the invalid field, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// With `buyer_limit`: the buyer's orders that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Vec<OrderId>>,
    /// With `too_few_left` and `not_enough_stock`: the units that are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
    /// With `not_open`: when the sale opens, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Millis>,
    /// With `not_open`: the time of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Millis>,
    /// With `needs_action`: the address where the buyer confirms the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_url: Option<String>,
}

/// Every `code`.
pub const ERROR_CODES: [&str; 52] = [
    "bad_request",
    "unknown_verb",
    "sign_in",
    "token_invalid",
    "token_expired",
    "forbidden",
    "no_such_stream",
    "no_such_offer",
    "no_such_order",
    "no_such_product",
    "no_such_message",
    "no_such_invite",
    "not_yours",
    "key_missing",
    "key_invalid",
    "key_reused",
    "not_open",
    "closed",
    "buyer_limit",
    "sold_out",
    "sold_out_for_now",
    "too_few_left",
    "not_enough_stock",
    "stream_ended",
    "wrong_status",
    "hold_expired",
    "already_paid",
    "declined",
    "capture_failed",
    "needs_action",
    "not_paid",
    "already_refunded",
    "refund_failed",
    "bad_signature",
    "muted",
    "banned",
    "slow_mode",
    "chat_budget",
    "chat_off",
    "word_refused",
    "link_refused",
    "flood",
    "repeated",
    "queue_full",
    "busy",
    "unavailable",
    "outcome_unknown",
    "timeout",
    "origin_not_allowed",
    "not_found",
    "method_not_allowed",
    "internal",
];

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "/docs#schema-problem".to_owned(),
            title: code.replace('_', " "),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            retry_ms: None,
            field: None,
            orders: None,
            left: None,
            opens_at: None,
            now: None,
            action_url: None,
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let mut problem = Self::new(http_status(refusal), refusal.code(), refusal.to_string());
        problem.retry_ms = refusal.retry_ms();
        match refusal {
            Refusal::BadField { field, .. } => problem.field = Some(field),
            Refusal::BuyerLimit { orders, .. } => problem.orders = Some(orders.clone()),
            Refusal::TooFewLeft { left } | Refusal::NotEnoughStock { left } => problem.left = Some(*left),
            Refusal::NotOpen { opens_at, now } => (problem.opens_at, problem.now) = (*opens_at, Some(*now)),
            Refusal::NeedsAction { action_url } => problem.action_url = Some(action_url.clone()),
            _ => {}
        }
        problem
    }
}

/// The HTTP status of each refusal.
fn http_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::BadRequest(_)
        | Refusal::BadField { .. }
        | Refusal::UnknownVerb(_)
        | Refusal::KeyMissing
        | Refusal::KeyInvalid
        | Refusal::BadSignature => StatusCode::BAD_REQUEST,
        Refusal::SignIn | Refusal::TokenInvalid | Refusal::TokenExpired => StatusCode::UNAUTHORIZED,
        Refusal::Declined | Refusal::CaptureFailed | Refusal::NeedsAction { .. } | Refusal::RefundFailed => {
            StatusCode::PAYMENT_REQUIRED
        }
        Refusal::Forbidden | Refusal::Muted { .. } | Refusal::Banned | Refusal::ChatOff => StatusCode::FORBIDDEN,
        Refusal::NoSuchStream
        | Refusal::NoSuchOffer
        | Refusal::NoSuchOrder
        | Refusal::NoSuchProduct
        | Refusal::NoSuchMessage
        | Refusal::NoSuchInvite
        | Refusal::NotYours => StatusCode::NOT_FOUND,
        Refusal::NotOpen { .. }
        | Refusal::Closed
        | Refusal::BuyerLimit { .. }
        | Refusal::SoldOut
        | Refusal::SoldOutForNow
        | Refusal::TooFewLeft { .. }
        | Refusal::NotEnoughStock { .. }
        | Refusal::StreamEnded
        | Refusal::WrongStatus(_)
        | Refusal::HoldExpired
        | Refusal::AlreadyPaid
        | Refusal::NotPaid
        | Refusal::AlreadyRefunded => StatusCode::CONFLICT,
        Refusal::KeyReused | Refusal::BlockedWord | Refusal::LinksNotAllowed | Refusal::RepeatedCharacters => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::SlowMode { .. } | Refusal::ChatBudget { .. } | Refusal::DuplicateMessage { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Refusal::Busy { .. } | Refusal::ReviewQueueFull { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(retry_ms) = self.retry_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from((retry_ms.max(0) as u64).div_ceil(1_000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The error of a handler.
#[derive(Debug)]
pub struct ApiError(pub Problem);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let unavailable = |code| Problem {
            retry_ms: Some(1_000),
            ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
        };
        ApiError(match &error {
            Error::Refused(refusal) => Problem::from(refusal),
            Error::Unavailable | Error::OutcomeUnknown => unavailable(error.code()),
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
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error. It is logged.").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_code_is_listed() {
        let refusals = include_str!("../domain/refusal.rs")
            .split("pub fn code")
            .nth(1)
            .and_then(|rest| rest.split("pub fn").next());
        let codes: Vec<&str> =
            refusals.unwrap().split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(codes.len() > 20);
        for code in codes {
            assert!(ERROR_CODES.contains(&code), "{code}");
        }
    }
}
