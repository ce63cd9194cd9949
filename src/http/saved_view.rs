//! REST routes of the saved views of the seller's desk.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::domain::SavedView;

/// My saved views, in the order of the alphabet; at most 30.
#[derive(Serialize, ToSchema)]
pub struct SavedViews {
    items: Vec<SavedView>,
}

/// The filters that a view keeps.
#[derive(Deserialize, ToSchema)]
pub struct SavedViewRequest {
    /// As the address of the desk has them: at most 500 visible ASCII characters.
    #[schema(max_length = 500)]
    query: String,
}

/// My saved views of the list of orders.
#[utoipa::path(get, operation_id = "shop_list_saved_views", path = "/v1/shop/saved-views", tag = "shop",
    responses((status = 200, body = SavedViews), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<SavedViews>> {
    Ok(Json(SavedViews { items: state.app.checkout.saved_views(&actor).await? }))
}

/// Saves a view under this name, for me alone; it replaces the one that had the name.
#[utoipa::path(put, operation_id = "shop_save_view", path = "/v1/shop/saved-views/{view}", tag = "shop", params(("view" = String, Path)),
    request_body = SavedViewRequest, responses((status = 200, body = SavedView), (status = "default", body = Problem)))]
pub async fn save(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(view): PathId<String>,
    JsonBody(SavedViewRequest { query }): JsonBody<SavedViewRequest>,
) -> ApiResult<Json<SavedView>> {
    Ok(Json(state.app.checkout.save_view(&actor, &view, &query).await?))
}

/// Removes one of my saved views. To remove it again is no error.
#[utoipa::path(delete, operation_id = "shop_remove_view", path = "/v1/shop/saved-views/{view}", tag = "shop", params(("view" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(view): PathId<String>,
) -> ApiResult<StatusCode> {
    state.app.checkout.remove_view(&actor, &view).await?;
    Ok(StatusCode::NO_CONTENT)
}
