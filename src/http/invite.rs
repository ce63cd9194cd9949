//! REST routes of the team of a show: invite links.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId};
use crate::app::AcceptedInvite;
use crate::domain::{ErrorCode, Invite, InviteId, Millis, Name, Refusal, Role, StreamId, UserId};
use crate::protocol::{InviteView, NewInvite};

/// The default lifetime of an invite and of its tokens: one day, enough for a show and its report.
const INVITE_TTL_S: i64 = 24 * 3_600;

#[derive(Deserialize, ToSchema)]
pub struct InviteRequest {
    /// `moderator`, `producer` or `analyst`.
    role: String,
    /// 600 to 2,592,000 seconds; default: one day.
    expires_s: Option<i64>,
    /// How many users may accept the link, 1 to 20; default: 1.
    uses: Option<i64>,
}

/// Creates an invite link into the team of a show. Hosts only.
#[utoipa::path(post, path = "/v1/streams/{stream}/invites", tag = "team", params(("stream" = StreamId, Path)),
    request_body = InviteRequest, responses((status = 201, body = NewInvite), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(form): JsonBody<InviteRequest>,
) -> ApiResult<(StatusCode, Json<NewInvite>)> {
    let role = Role::parse(&form.role).ok_or_else(|| Refusal::bad_field("role", "is unknown."))?;
    let (seconds, uses) = (form.expires_s.unwrap_or(INVITE_TTL_S), form.uses.unwrap_or(Invite::USES_DEFAULT));
    let made = state.app.moderation.create_invite(&actor, stream, role, seconds, uses).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// The invite links of a show, newest first, with the users who accepted them. Hosts only.
#[utoipa::path(get, path = "/v1/streams/{stream}/invites", tag = "team", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<InviteView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<InviteView>>> {
    Ok(Json(List { items: state.app.moderation.invites(&actor, stream).await?, next: None }))
}

/// Revokes an invite link. The users who accepted it lose their role within about two seconds, on every node. Hosts only.
#[utoipa::path(delete, path = "/v1/streams/{stream}/invites/{invite}", tag = "team",
    params(("stream" = StreamId, Path), ("invite" = InviteId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn revoke(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, invite)): PathId<(StreamId, InviteId)>,
) -> ApiResult<StatusCode> {
    state.app.moderation.revoke_invite(&actor, stream, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct AcceptInviteRequest {
    /// 1 to 40 characters; other users see it.
    name: String,
}

/// The token of a user who accepted an invite.
#[derive(Serialize, ToSchema)]
pub struct AcceptInviteResponse {
    /// Valid in this show only.
    token: String,
    user: UserId,
    role: Role,
    stream: StreamId,
    expires_at: Option<Millis>,
}

/// Accepts an invite link with a name. It needs no token: the code of the link is the credential.
#[utoipa::path(post, path = "/v1/invites/{code}", tag = "team", params(("code" = String, Path)),
    request_body = AcceptInviteRequest, responses((status = 201, body = AcceptInviteResponse), (status = "default", body = Problem)))]
pub async fn accept(
    State(state): State<AppState>,
    PathId(code): PathId<String>,
    JsonBody(body): JsonBody<AcceptInviteRequest>,
) -> ApiResult<(StatusCode, Json<AcceptInviteResponse>)> {
    let AcceptedInvite { actor, stream, ttl_ms } =
        state.app.moderation.accept_invite(&code, Name::parse(&body.name)?).await?;
    let ttl_ms_allowed = state.auth.allowed_ttl(ttl_ms);
    let expires_at = actor.expires_at.map(|at| at - (ttl_ms - ttl_ms_allowed));
    let signed = state.auth.sign(&actor, ttl_ms_allowed);
    let token = signed.map_err(|why| ApiError(Problem::new(&ErrorCode::INTERNAL, why)))?;
    let welcome = AcceptInviteResponse { token, user: actor.user, role: actor.role, stream, expires_at };
    Ok((StatusCode::CREATED, Json(welcome)))
}
