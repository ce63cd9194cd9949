//! REST for the helpers of a show.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId};
use crate::app::AcceptedInvite;
use crate::domain::{InviteId, Millis, Name, Refusal, Role, StreamId, UserId};
use crate::protocol::{InviteView, NewInvite};

/// A day: an evening and the report of it.
const INVITE_TTL_S: i64 = 24 * 3_600;

#[derive(Deserialize, ToSchema)]
pub struct InviteRequest {
    /// `moderator`, `producer` or `analyst`.
    role: String,
    /// 600 to 2,592,000 seconds; a day if not given.
    expires_s: Option<i64>,
}

/// Makes a link into the team of this show. Host only.
#[utoipa::path(post, path = "/v1/streams/{stream}/invites", tag = "team", params(("stream" = StreamId, Path)),
    request_body = InviteRequest, responses((status = 201, body = NewInvite), (status = "default", body = Problem)))]
pub async fn create(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(form): JsonBody<InviteRequest>,
) -> ApiResult<(StatusCode, Json<NewInvite>)> {
    let role = Role::parse(&form.role).ok_or_else(|| Refusal::bad_request("there is no such role"))?;
    let made = door.app.create_invite(&actor, stream, role, form.expires_s.unwrap_or(INVITE_TTL_S)).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// The links of this show, newest first, and who came by them. Host only.
#[utoipa::path(get, path = "/v1/streams/{stream}/invites", tag = "team", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<InviteView>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<InviteView>>> {
    Ok(Json(List { items: door.app.invites(&actor, stream).await?, next: None }))
}

/// Takes a link back: whoever came by it is out within about two seconds, on every node. Host only.
#[utoipa::path(delete, path = "/v1/streams/{stream}/invites/{invite}", tag = "team",
    params(("stream" = StreamId, Path), ("invite" = InviteId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn revoke(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, invite)): PathId<(StreamId, InviteId)>,
) -> ApiResult<StatusCode> {
    door.app.revoke_invite(&actor, stream, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct AcceptInviteRequest {
    /// 1 to 40 characters, as others see it.
    name: String,
}

/// What an opened link gives.
#[derive(Serialize, ToSchema)]
pub struct AcceptInviteResponse {
    /// Holds in this show only.
    token: String,
    user: UserId,
    role: Role,
    stream: StreamId,
    expires_at: Option<Millis>,
}

/// Opens an invite link, under a name. Needs no token: the code is the key.
#[utoipa::path(post, path = "/v1/invites/{code}", tag = "team", params(("code" = String, Path)),
    request_body = AcceptInviteRequest, responses((status = 201, body = AcceptInviteResponse), (status = "default", body = Problem)))]
pub async fn accept(
    State(door): State<AppState>,
    PathId(code): PathId<String>,
    JsonBody(body): JsonBody<AcceptInviteRequest>,
) -> ApiResult<(StatusCode, Json<AcceptInviteResponse>)> {
    let AcceptedInvite { actor, stream, ttl_ms } = door.app.accept_invite(&code, Name::parse(&body.name)?).await?;
    let signed = door.auth.sign(&actor, ttl_ms);
    let token = signed.map_err(|why| ApiError(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why)))?;
    let welcome =
        AcceptInviteResponse { token, user: actor.user, role: actor.role, stream, expires_at: actor.expires_at };
    Ok((StatusCode::CREATED, Json(welcome)))
}
