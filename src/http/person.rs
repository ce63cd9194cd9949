//! REST for what the server knows of a person: it can be forgotten.

use axum::Json;
use axum::extract::State;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Caller, Id};
use crate::domain::UserId;
use crate::protocol::ErasedView;

/// Forgets what I said and how I am called. Orders keep their amounts and my id; the answer says what was kept and why.
#[utoipa::path(delete, path = "/v1/me", tag = "shop",
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_me(State(door): State<Door>, Caller(actor): Caller) -> Answer<Json<ErasedView>> {
    Ok(Json(door.app.erase_me(&actor).await?))
}

/// The same for another person: for an admin.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "shop", params(("user" = String, Path)),
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_user(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(user): Id<String>,
) -> Answer<Json<ErasedView>> {
    Ok(Json(door.app.erase_user(&actor, UserId::parse(&user)?).await?))
}
