//! REST for what the server knows of a person: it can be forgotten.

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use crate::domain::UserId;
use crate::protocol::ErasedView;

/// Forgets what I said and how I am called. Orders keep their amounts and my id; the answer says what was kept and why.
#[utoipa::path(delete, path = "/v1/me", tag = "shop",
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_me(State(door): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<ErasedView>> {
    Ok(Json(door.app.erase_own_data(&actor).await?))
}

/// The same for another person: for an admin.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "shop", params(("user" = String, Path)),
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_user(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
) -> ApiResult<Json<ErasedView>> {
    Ok(Json(door.app.erase_user_data(&actor, UserId::parse(&user)?).await?))
}
