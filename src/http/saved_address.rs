//! REST routes of the delivery address that a person saved for the next purchase.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody};
use crate::domain::Address;

/// The delivery address that I saved for the next purchase; null if there is none.
#[utoipa::path(get, operation_id = "my_address_show", path = "/v1/me/address", tag = "shop",
    responses((status = 200, body = Option<Address>), (status = "default", body = Problem)))]
pub async fn show(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<Option<Address>>> {
    Ok(Json(state.app.checkout.saved_address(&actor).await?))
}

/// Saves a delivery address for my next purchase, and replaces the one before. It is deleted after two years without being saved again.
#[utoipa::path(put, operation_id = "my_address_set", path = "/v1/me/address", tag = "shop",
    request_body = Address, responses((status = 200, body = Address), (status = "default", body = Problem)))]
pub async fn set(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(address): JsonBody<Address>,
) -> ApiResult<Json<Address>> {
    Ok(Json(state.app.checkout.save_address(&actor, address).await?))
}

/// Deletes the delivery address that I saved. Orders keep theirs.
#[utoipa::path(delete, operation_id = "my_address_erase", path = "/v1/me/address", tag = "shop",
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn erase(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<StatusCode> {
    state.app.checkout.delete_saved_address(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
