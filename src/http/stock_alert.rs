//! REST for waiting: to hear of units that come back. No reservation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PathId};
use crate::domain::{OfferId, StreamId};

/// I want to hear of units that come back. Only while none is left; it reserves nothing, and closing the offer ends it.
#[utoipa::path(put, path = "/v1/offers/{offer}/wait", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn add(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<StatusCode> {
    door.app.add_stock_alert(&actor, offer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// I wait no more.
#[utoipa::path(delete, path = "/v1/offers/{offer}/wait", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<StatusCode> {
    door.app.remove_stock_alert(&actor, offer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The offers of a show for which I wait.
#[utoipa::path(get, path = "/v1/streams/{stream}/waits", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<OfferId>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<OfferId>>> {
    Ok(Json(List { items: door.app.waits(&actor, stream).await?, next: None }))
}
