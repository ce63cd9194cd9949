//! REST routes of stock alerts, except the live verbs (`src/verbs`).

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PathId};
use crate::domain::{OfferId, StreamId};

/// The offers of a show for which I have a stock alert.
#[utoipa::path(get, operation_id = "offers_stock_alerts", path = "/v1/streams/{stream}/stock-alerts", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<OfferId>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<OfferId>>> {
    Ok(Json(List { items: state.app.catalogue.stock_alerts(&actor, stream).await?, next: None }))
}
