//! What payment providers call, and the page where a buyer of the test provider says yes.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{JsonBody, PathId};
use crate::domain::Refusal;

/// A provider says that something happened. 200 once it is kept, also when it was told before; what it says is not
/// believed, the provider is asked.
#[utoipa::path(post, path = "/v1/webhooks/{provider}", tag = "payments",
    params(("provider" = String, Path, description = "`test`"),
        ("livesouk-signature" = String, Header, description = "`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`, at most 300 s old")),
    request_body(content = Object, description = "`{\"id\",\"type\",\"data\":{\"object\":{\"id\"}}}`"),
    responses((status = 200, description = "Kept, now or before"), (status = "default", body = Problem)))]
pub async fn webhook(
    State(door): State<AppState>,
    PathId(provider): PathId<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> ApiResult<StatusCode> {
    let Some(header) = door.app.webhook_header(&provider) else {
        return Err(ApiError(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such provider")));
    };
    let mut signatures = headers.get_all(header).iter();
    let (Some(signature), None) = (signatures.next(), signatures.next()) else {
        return Err(Refusal::BadSignature.into());
    };
    let signature = signature.to_str().map_err(|_| Refusal::BadSignature)?;
    door.app.receive_webhook(signature, &raw).await?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize, ToSchema)]
pub struct TestPaymentApproval {
    approve: bool,
}

/// The buyer's yes or no to a payment of the test provider that needs their action. Nobody signs in here: whoever has
/// the address was given it by the provider.
#[utoipa::path(post, path = "/v1/test-provider/{payment}/approve", tag = "payments", request_body = TestPaymentApproval,
    params(("payment" = String, Path, description = "As in the `action_url` of `needs_action`")),
    responses((status = 200, description = "The provider knows; the order follows at once"), (status = "default", body = Problem)))]
pub async fn approve(
    State(door): State<AppState>,
    PathId(payment): PathId<String>,
    JsonBody(body): JsonBody<TestPaymentApproval>,
) -> ApiResult<Json<serde_json::Value>> {
    door.app.approve_test_payment(&payment, body.approve).await?;
    Ok(Json(serde_json::json!({ "approved": body.approve })))
}
