//! Rehearsing a show before it begins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::domain::StreamId;
use crate::domain::rehearsal::RehearsalForm;
use crate::protocol::RehearsalView;

#[derive(Deserialize, ToSchema)]
pub struct RehearsalRequest {
    /// 1 to 200; 50 if not given.
    viewers: Option<i64>,
    /// 24 to 90; 30 if not given.
    seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct LastRehearsalResponse {
    /// Null: there was none on the node that answers.
    rehearsal: Option<RehearsalView>,
}

/// Plays a small show to simulated viewers, on the node that is asked, in a shop made for it alone and removed
/// afterwards. One at a time on a node.
#[utoipa::path(post, path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    request_body = RehearsalRequest, responses((status = 202, body = RehearsalView), (status = "default", body = Problem)))]
pub async fn begin(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(new): JsonBody<RehearsalRequest>,
) -> ApiResult<(StatusCode, Json<RehearsalView>)> {
    let form = RehearsalForm::validated(new.viewers, new.seconds)?;
    Ok((StatusCode::ACCEPTED, Json(door.app.start_rehearsal(&actor, stream, form).await?)))
}

/// How the last rehearsal of this show goes, or went.
#[utoipa::path(get, path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = LastRehearsalResponse), (status = "default", body = Problem)))]
pub async fn show(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<LastRehearsalResponse>> {
    Ok(Json(LastRehearsalResponse { rehearsal: door.app.rehearsal(&actor, stream)? }))
}

/// Stops it.
#[utoipa::path(delete, path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn stop(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<StatusCode> {
    door.app.stop_rehearsal(&actor, stream)?;
    Ok(StatusCode::NO_CONTENT)
}
