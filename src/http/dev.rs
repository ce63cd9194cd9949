//! Sign-in for the demo: anybody, with any role. The route exists in `livesouk demo` only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::JsonBody;
use crate::domain::{Actor, ErrorCode, Name, Refusal, Role, UserId};

const DEV_TOKEN_TTL_MS: i64 = 24 * 3_600 * 1_000;

#[derive(Deserialize, ToSchema)]
pub struct DevTokenRequest {
    name: String,
    /// `viewer`, `moderator`, `producer`, `analyst`, `host` or `admin`.
    role: String,
}

#[derive(Serialize, ToSchema)]
pub struct DevTokenResponse {
    token: String,
    user: UserId,
}

/// Creates a token for any name and role. Demo only.
#[utoipa::path(post, path = "/v1/dev/tokens", tag = "shop", request_body = DevTokenRequest,
    responses((status = 201, body = DevTokenResponse), (status = "default", body = Problem)))]
pub async fn create_token(
    State(state): State<AppState>,
    JsonBody(body): JsonBody<DevTokenRequest>,
) -> ApiResult<(StatusCode, Json<DevTokenResponse>)> {
    let user = UserId::parse(&format!("demo-{}", uuid::Uuid::now_v7().simple()))?;
    let role = Role::parse(&body.role).ok_or_else(|| Refusal::bad_request("`role` is unknown"))?;
    let actor = Actor { user, name: Name::parse(&body.name)?, role, stream: None, expires_at: None };
    let token =
        state.auth.sign(&actor, DEV_TOKEN_TTL_MS).map_err(|why| ApiError(Problem::new(&ErrorCode::INTERNAL, why)))?;
    Ok((StatusCode::CREATED, Json(DevTokenResponse { token, user: actor.user })))
}
