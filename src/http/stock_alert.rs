//! REST of stock alerts that is not a live verb.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PathId};
use crate::domain::{OfferId, StreamId};

/// I want to hear of units that come back. Only while none is left; it reserves nothing, and closing the offer ends it.
#[utoipa::path(put, path = "/v1/offers/{offer}/stock-alert", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn add(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<StatusCode> {
    state.app.add_stock_alert(&actor, offer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// I wait no more.
#[utoipa::path(delete, path = "/v1/offers/{offer}/stock-alert", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<StatusCode> {
    state.app.remove_stock_alert(&actor, offer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The offers of a show for which I have a stock alert.
#[utoipa::path(get, path = "/v1/streams/{stream}/stock-alerts", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<OfferId>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<OfferId>>> {
    Ok(Json(List { items: state.app.waits(&actor, stream).await?, next: None }))
}
