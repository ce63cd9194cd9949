//! REST routes for erasing the personal data of a user.

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use crate::domain::UserId;
use crate::protocol::ErasedView;

/// Erases my chat messages and my name. Orders keep their amounts and my user id; the response says what is kept and why.
#[utoipa::path(delete, path = "/v1/me", tag = "shop",
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_me(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<ErasedView>> {
    Ok(Json(state.app.moderation.erase_own_data(&actor).await?))
}

/// Erases the data of another user. Admins only.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "shop", params(("user" = String, Path)),
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_user(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
) -> ApiResult<Json<ErasedView>> {
    Ok(Json(state.app.moderation.erase_user_data(&actor, UserId::parse(&user)?).await?))
}
