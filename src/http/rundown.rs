//! REST for the run-down: the order of a show's offers, and when one begins by itself.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Body, Caller, Id, List};
use crate::domain::{Millis, OfferId, StreamId};
use crate::protocol::OfferView;

#[derive(Deserialize, ToSchema)]
pub struct Rundown {
    /// Every offer of the show that is not closed, once.
    offers: Vec<OfferId>,
}

/// Puts a show's offers into this order, for the host and for every bag.
#[utoipa::path(put, path = "/v1/streams/{stream}/rundown", tag = "offers", params(("stream" = StreamId, Path)),
    request_body = Rundown, responses((status = 200, body = List<OfferView>), (status = "default", body = Problem)))]
pub async fn arrange(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<Rundown>,
) -> Answer<Json<List<OfferView>>> {
    Ok(Json(List { items: door.app.arrange(&actor, stream, body.offers).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct Plan {
    /// Epoch milliseconds, at most 90 days ahead; null: when the host starts it.
    starts_at: Option<Millis>,
}

/// Says when a draft begins by itself, its countdown before that. More than 15 minutes late it is left to the host.
#[utoipa::path(put, path = "/v1/offers/{offer}/plan", tag = "offers", params(("offer" = OfferId, Path)),
    request_body = Plan, responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn plan(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(offer): Id<OfferId>,
    Body(body): Body<Plan>,
) -> Answer<Json<OfferView>> {
    Ok(Json(door.app.plan_offer(&actor, offer, body.starts_at).await?))
}
