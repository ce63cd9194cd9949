//! REST for waiting: to hear of units that come back. No reservation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Caller, Id, List};
use crate::domain::{OfferId, StreamId};

/// I want to hear of units that come back. Only while none is left; it reserves nothing, and closing the offer ends it.
#[utoipa::path(put, path = "/v1/offers/{offer}/wait", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn wait(State(door): State<Door>, Caller(actor): Caller, Id(offer): Id<OfferId>) -> Answer<StatusCode> {
    door.app.wait(&actor, offer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// I wait no more.
#[utoipa::path(delete, path = "/v1/offers/{offer}/wait", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unwait(State(door): State<Door>, Caller(actor): Caller, Id(offer): Id<OfferId>) -> Answer<StatusCode> {
    door.app.unwait(&actor, offer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The offers of a show for which I wait.
#[utoipa::path(get, path = "/v1/streams/{stream}/waits", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<OfferId>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<Json<List<OfferId>>> {
    Ok(Json(List { items: door.app.waits(&actor, stream).await?, next: None }))
}
