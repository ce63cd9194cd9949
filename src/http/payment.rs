//! Webhooks of payment providers, and the confirmation of payments of the test provider.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{JsonBody, PathId};
use crate::domain::{ErrorCode, Refusal};

/// Receives a webhook of a payment provider. 200: the event is saved, now or before. Its content is not trusted: the server asks the
/// provider for the state of the payment.
#[utoipa::path(post, path = "/v1/webhooks/{provider}", tag = "payments",
    params(("provider" = String, Path, description = "`stripe`, `http` (a payment adapter) or `test`"),
        ("livesouk-signature" = Option<String>, Header, description = "Of `test`: `t=<unix seconds>,v1=<hex>`, HMAC-SHA256 of `<t>.<body>`, at most 300 s old"),
        ("stripe-signature" = Option<String>, Header, description = "Of `stripe`: the same form"),
        ("webhook-id" = Option<String>, Header, description = "Of `http`: the id of the event; one that was received before does nothing"),
        ("webhook-timestamp" = Option<String>, Header, description = "Of `http`: unix seconds, at most 300 s old"),
        ("webhook-signature" = Option<String>, Header, description = "Of `http`: `v1,<base64>`, HMAC-SHA256 of `<id>.<timestamp>.<body>`; several are separated by spaces")),
    request_body(content = Object, description = "`{\"id\",\"type\",\"data\":{\"object\":{\"id\"}}}`; of `http`: `{\"type\",\"payment\"}`"),
    responses((status = 200, description = "Saved, now or before"), (status = "default", body = Problem)))]
pub async fn webhook(
    State(state): State<AppState>,
    PathId(provider): PathId<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> ApiResult<StatusCode> {
    let Some(names) = state.app.checkout.webhook_headers(&provider) else {
        return Err(ApiError(Problem::new(&ErrorCode::NOT_FOUND, "There is no such payment provider.")));
    };
    let signature: Option<Vec<&str>> = names.iter().map(|name| only_header(&headers, name)).collect();
    state.app.checkout.receive_webhook(&signature.ok_or(Refusal::BadSignature)?, &raw).await?;
    Ok(StatusCode::OK)
}

/// The text of a header that was sent once.
fn only_header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()
}

#[derive(Deserialize, ToSchema)]
pub struct TestPaymentApproval {
    approve: bool,
}

/// The buyer confirms or rejects a payment of the test provider that has the status `needs_action`. It needs no token: only the
/// buyer gets this address from the provider.
#[utoipa::path(post, path = "/v1/test-provider/{payment}/approve", tag = "payments", request_body = TestPaymentApproval,
    params(("payment" = String, Path, description = "As in the `action_url` of `needs_action`")),
    responses((status = 200, description = "The test provider has the decision; the order follows at once"), (status = "default", body = Problem)))]
pub async fn approve(
    State(state): State<AppState>,
    PathId(payment): PathId<String>,
    JsonBody(body): JsonBody<TestPaymentApproval>,
) -> ApiResult<Json<serde_json::Value>> {
    state.app.checkout.approve_test_payment(&payment, body.approve).await?;
    Ok(Json(serde_json::json!({ "approved": body.approve })))
}
