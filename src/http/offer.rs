//! REST of offers that is not a live verb.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId};
use crate::app::NewOfferForm;
use crate::domain::{Millis, Minor, OfferId, OfferKind, StreamId, VariantId};
use crate::protocol::{OfferView, PinView};

#[derive(Deserialize, ToSchema)]
pub struct PinRequest {
    offer: OfferId,
}

#[derive(Serialize, ToSchema)]
pub struct PinResponse {
    pub pin: Option<PinView>,
}

/// Shows this offer's card to everybody.
#[utoipa::path(put, path = "/v1/streams/{stream}/pin", tag = "offers", params(("stream" = StreamId, Path)),
    request_body = PinRequest, responses((status = 200, body = PinResponse), (status = "default", body = Problem)))]
pub async fn pin(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<PinRequest>,
) -> ApiResult<Json<PinResponse>> {
    let pin = Some(state.app.pin(&actor, stream, body.offer).await?);
    Ok(Json(PinResponse { pin }))
}

/// Takes the card away.
#[utoipa::path(delete, path = "/v1/streams/{stream}/pin", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = PinResponse), (status = "default", body = Problem)))]
pub async fn unpin(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<PinResponse>> {
    state.app.unpin(&actor, stream).await?;
    Ok(Json(PinResponse { pin: None }))
}

/// The offers of a show in the order of its line-up. Drafts are shown to producers and hosts only.
#[utoipa::path(get, path = "/v1/streams/{stream}/offers", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<OfferView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<OfferView>>> {
    Ok(Json(List { items: state.app.offers(&actor, stream).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct NewOfferRequest {
    variant: VariantId,
    kind: OfferKind,
    /// Minor units of the currency of the shop.
    price: Minor,
    old_price: Option<Minor>,
    /// Units to move from the pool of the variant into the offer.
    quantity: i64,
    /// The maximum number of units per buyer, 1 to 1000; default 10.
    per_buyer: Option<i64>,
    /// Flash sales only: 10 to 300 seconds from `open` to the start of the sale.
    countdown_s: Option<i64>,
    /// Flash sales only: 60 to 1200 seconds of sale.
    duration_s: Option<i64>,
    /// The duration of a hold, 10 to 3600 seconds; default 300.
    hold_s: Option<i64>,
    /// When the sale starts by itself, in epoch milliseconds, at most 90 days ahead. The countdown runs before it.
    starts_at: Option<Millis>,
}

/// Creates an offer as a draft. Its units are taken from the pool of the variant.
#[utoipa::path(post, path = "/v1/streams/{stream}/offers", tag = "offers", params(("stream" = StreamId, Path)),
    request_body = NewOfferRequest, responses((status = 201, body = OfferView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(new): JsonBody<NewOfferRequest>,
) -> ApiResult<(StatusCode, Json<OfferView>)> {
    let form = NewOfferForm {
        variant: new.variant,
        kind: new.kind,
        price: new.price,
        old_price: new.old_price,
        quantity: new.quantity,
        per_buyer: new.per_buyer,
        countdown_s: new.countdown_s,
        duration_s: new.duration_s,
        hold_s: new.hold_s,
        starts_at: new.starts_at,
    };
    Ok((StatusCode::CREATED, Json(state.app.create_offer(&actor, stream, form).await?)))
}

/// One offer.
#[utoipa::path(get, path = "/v1/offers/{offer}", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.offer(&actor, offer).await?))
}

/// Starts the sale (a flash sale counts down first), or goes on after a pause.
#[utoipa::path(post, path = "/v1/offers/{offer}/open", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn open(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.open_offer(&actor, offer).await?))
}

/// Stops selling for now. The window goes on.
#[utoipa::path(post, path = "/v1/offers/{offer}/pause", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn pause(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.pause_offer(&actor, offer).await?))
}

/// Ends the sale; what nobody holds returns to the pool.
#[utoipa::path(post, path = "/v1/offers/{offer}/close", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn close(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.close_offer(&actor, offer).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct RestockRequest {
    /// Units to move from the pool.
    pub add: i64,
}

/// Moves more units from the pool into the offer.
#[utoipa::path(post, path = "/v1/offers/{offer}/restock", tag = "offers", params(("offer" = OfferId, Path)),
    request_body = RestockRequest, responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn restock(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
    JsonBody(body): JsonBody<RestockRequest>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.restock_offer(&actor, offer, body.add).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct ExtendRequest {
    /// 10 to 1200.
    seconds: i64,
}

/// Moves the end of a flash sale that has started.
#[utoipa::path(post, path = "/v1/offers/{offer}/extend", tag = "offers", params(("offer" = OfferId, Path)),
    request_body = ExtendRequest, responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn extend(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
    JsonBody(body): JsonBody<ExtendRequest>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.extend_offer(&actor, offer, body.seconds).await?))
}
