//! REST for the run-down: the order of a show's offers, and when one begins by itself.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId};
use crate::domain::{Millis, OfferId, StreamId};
use crate::protocol::OfferView;

#[derive(Deserialize, ToSchema)]
pub struct LineupRequest {
    /// Every offer of the show that is not closed, once.
    offers: Vec<OfferId>,
}

/// Puts a show's offers into this order, for the host and for every bag.
#[utoipa::path(put, path = "/v1/streams/{stream}/rundown", tag = "offers", params(("stream" = StreamId, Path)),
    request_body = LineupRequest, responses((status = 200, body = List<OfferView>), (status = "default", body = Problem)))]
pub async fn set_lineup(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<LineupRequest>,
) -> ApiResult<Json<List<OfferView>>> {
    Ok(Json(List { items: door.app.set_lineup(&actor, stream, body.offers).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct ScheduleRequest {
    /// Epoch milliseconds, at most 90 days ahead; null: when the host starts it.
    starts_at: Option<Millis>,
}

/// Says when a draft begins by itself, its countdown before that. More than 15 minutes late it is left to the host.
#[utoipa::path(put, path = "/v1/offers/{offer}/plan", tag = "offers", params(("offer" = OfferId, Path)),
    request_body = ScheduleRequest, responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn schedule(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
    JsonBody(body): JsonBody<ScheduleRequest>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(door.app.schedule_offer(&actor, offer, body.starts_at).await?))
}
