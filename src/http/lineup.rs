//! REST routes of the line-up: the order of the offers of a show, and their schedule.

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
    /// Every offer of the show that is not closed, once each.
    offers: Vec<OfferId>,
}

/// Sets the order of the offers of a show, for the host and for the product list of every viewer.
#[utoipa::path(put, path = "/v1/streams/{stream}/lineup", tag = "offers", params(("stream" = StreamId, Path)),
    request_body = LineupRequest, responses((status = 200, body = List<OfferView>), (status = "default", body = Problem)))]
pub async fn set_lineup(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<LineupRequest>,
) -> ApiResult<Json<List<OfferView>>> {
    Ok(Json(List { items: state.app.catalogue.set_lineup(&actor, stream, body.offers).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct ScheduleRequest {
    /// Epoch milliseconds, at most 90 days ahead; null: the host starts the offer.
    starts_at: Option<Millis>,
}

/// Schedules a draft: the sale starts at this time by itself, and the countdown runs before it. If that is missed by more than
/// 15 minutes, the host has to start it.
#[utoipa::path(put, path = "/v1/offers/{offer}/schedule", tag = "offers", params(("offer" = OfferId, Path)),
    request_body = ScheduleRequest, responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn schedule(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
    JsonBody(body): JsonBody<ScheduleRequest>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.catalogue.schedule_offer(&actor, offer, body.starts_at).await?))
}
