//! REST routes of rehearsals: a test run of a show before it starts.

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
    /// 1 to 200; default 50.
    viewers: Option<i64>,
    /// 24 to 90; default 30.
    seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct LastRehearsalResponse {
    /// Null: this node has had no rehearsal of the show.
    rehearsal: Option<RehearsalView>,
}

/// Starts a rehearsal: a small show with simulated viewers on this node, in a separate shop that is removed afterwards. A node runs
/// one rehearsal at a time.
#[utoipa::path(post, operation_id = "streams_rehearsal_start", path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    request_body = RehearsalRequest, responses((status = 202, body = RehearsalView), (status = "default", body = Problem)))]
pub async fn start(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(new): JsonBody<RehearsalRequest>,
) -> ApiResult<(StatusCode, Json<RehearsalView>)> {
    let form = RehearsalForm::validated(new.viewers, new.seconds)?;
    Ok((StatusCode::ACCEPTED, Json(state.app.streams.start_rehearsal(&actor, stream, form).await?)))
}

/// The state of the last rehearsal of a show.
#[utoipa::path(get, operation_id = "streams_rehearsal_show", path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = LastRehearsalResponse), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<LastRehearsalResponse>> {
    Ok(Json(LastRehearsalResponse { rehearsal: state.app.streams.rehearsal(&actor, stream).await? }))
}

/// Stops the rehearsal of a show.
#[utoipa::path(delete, operation_id = "streams_rehearsal_stop", path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn stop(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<StatusCode> {
    state.app.streams.stop_rehearsal(&actor, stream).await?;
    Ok(StatusCode::NO_CONTENT)
}
