//! Sign-in for the demo, without a password. The route exists in `livesouk demo` only.
//!
//! Anybody may become a viewer. A role of the team is given to programs and browsers on the demo's own machine, and to holders
//! of the host token that the demo prints.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::demo_host::IsLocal;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody};
use crate::domain::{Actor, ErrorCode, Name, Place, Refusal, Role, TokenStamp, UserId};

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

/// Creates a token for any name. Demo only. Another role than `viewer` needs a request from the demo's own machine, or the
/// printed host token as bearer token.
#[utoipa::path(post, path = "/v1/dev/tokens", tag = "shop", request_body = DevTokenRequest,
    responses((status = 201, body = DevTokenResponse), (status = "default", body = Problem)))]
pub async fn create_token(
    State(state): State<AppState>,
    IsLocal(is_local): IsLocal,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<DevTokenRequest>,
) -> ApiResult<(StatusCode, Json<DevTokenResponse>)> {
    let user = UserId::parse(&format!("demo-{}", uuid::Uuid::now_v7().simple()))?;
    let role = Role::of_token(&body.role).ok_or_else(|| Refusal::bad_field("role", "is unknown."))?;
    check_role(role, is_local, &caller)?;
    let (name, token) = (Name::parse(&body.name)?, TokenStamp::default());
    if role.is_audience() && name.claims_role() {
        return Err(Refusal::NameClaimsRole.into());
    }
    let actor = Actor { user, name, role, stream: None, expires_at: None, token, session: None };
    let token =
        state.auth.sign(&actor, DEV_TOKEN_TTL_MS).map_err(|why| ApiError(Problem::new(&ErrorCode::INTERNAL, why)))?;
    Ok((StatusCode::CREATED, Json(DevTokenResponse { token, user: actor.user })))
}

/// Whether the caller may have a token with this role.
fn check_role(role: Role, is_local: bool, caller: &Actor) -> Result<(), Refusal> {
    let is_host = matches!(caller.role_in(Place::Shop), Role::Host | Role::Admin | Role::Owner);
    match caller.role {
        _ if role.is_audience() || is_local || is_host => Ok(()),
        Role::Anonymous => Err(Refusal::SignIn),
        _ => Err(Refusal::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::StreamId;
    use crate::http::auth::anonymous_actor;

    #[test]
    fn role_of_the_team_needs_this_machine_or_the_host_token() {
        let as_role = |role| Actor { role, ..anonymous_actor() };
        let of_one_show = Actor { stream: Some(StreamId::new()), ..as_role(Role::Host) };
        for (role, is_local, caller, expected) in [
            (Role::Viewer, false, anonymous_actor(), Ok(())),
            (Role::Admin, true, anonymous_actor(), Ok(())),
            (Role::Host, true, as_role(Role::Viewer), Ok(())),
            (Role::Admin, false, as_role(Role::Host), Ok(())),
            (Role::Moderator, false, as_role(Role::Admin), Ok(())),
            (Role::Moderator, false, anonymous_actor(), Err(Refusal::SignIn)),
            (Role::Admin, false, anonymous_actor(), Err(Refusal::SignIn)),
            (Role::Host, false, as_role(Role::Viewer), Err(Refusal::Forbidden)),
            (Role::Analyst, false, as_role(Role::Producer), Err(Refusal::Forbidden)),
            (Role::Host, false, of_one_show, Err(Refusal::Forbidden)),
        ] {
            assert_eq!(check_role(role, is_local, &caller), expected, "{role:?} {is_local} {caller:?}");
        }
    }
}
