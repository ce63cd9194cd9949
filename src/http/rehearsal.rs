//! Rehearsing a show before it begins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Body, Caller, Id};
use crate::domain::StreamId;
use crate::domain::rehearsal::RehearsalForm;
use crate::protocol::RehearsalView;

#[derive(Deserialize, ToSchema)]
pub struct NewRehearsal {
    /// 1 to 200; 50 if not given.
    viewers: Option<i64>,
    /// 24 to 90; 30 if not given.
    seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct LastRehearsal {
    /// Null: there was none on the node that answers.
    rehearsal: Option<RehearsalView>,
}

/// Plays a small show to simulated viewers, on the node that is asked, in a shop made for it alone and removed
/// afterwards. One at a time on a node.
#[utoipa::path(post, path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    request_body = NewRehearsal, responses((status = 202, body = RehearsalView), (status = "default", body = Problem)))]
pub async fn begin(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(new): Body<NewRehearsal>,
) -> Answer<(StatusCode, Json<RehearsalView>)> {
    let form = RehearsalForm::checked(new.viewers, new.seconds)?;
    Ok((StatusCode::ACCEPTED, Json(door.app.rehearse(&actor, stream, form).await?)))
}

/// How the last rehearsal of this show goes, or went.
#[utoipa::path(get, path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = LastRehearsal), (status = "default", body = Problem)))]
pub async fn show(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<Json<LastRehearsal>> {
    Ok(Json(LastRehearsal { rehearsal: door.app.rehearsal(&actor, stream)? }))
}

/// Stops it.
#[utoipa::path(delete, path = "/v1/streams/{stream}/rehearsal", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn stop(State(door): State<Door>, Caller(actor): Caller, Id(stream): Id<StreamId>) -> Answer<StatusCode> {
    door.app.stop_rehearsal(&actor, stream)?;
    Ok(StatusCode::NO_CONTENT)
}
