//! REST routes of offers, except the live verbs (`src/verbs`).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId, idempotency_key};
use crate::domain::offer::OfferForm;
use crate::domain::{Millis, Minor, OfferBuyers, OfferId, OfferKind, StreamId, VariantId};
use crate::protocol::OfferView;

/// The offers of a show in the order of its line-up. Drafts are shown to producers and hosts only.
#[utoipa::path(get, path = "/v1/streams/{stream}/offers", tag = "offers", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<OfferView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<OfferView>>> {
    Ok(Json(List { items: state.app.catalogue.offers(&actor, stream).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct NewOfferRequest {
    variant: VariantId,
    kind: OfferKind,
    /// Minor units of the currency of the shop.
    price: Minor,
    old_price: Option<Minor>,
    /// Units to move from the stock of the variant into the offer.
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
    /// Who may buy it. Default: `verified` for flash sales where the shop can send e-mail, else `anyone`.
    buyers: Option<OfferBuyers>,
    /// Whether buyers can pay it later (cash on delivery, bank transfer), where the shop takes such payments. Default: a regular offer can be
    /// paid later, a flash sale only where `for_flash_sales` of the settings says so.
    pay_later: Option<bool>,
}

/// Creates an offer as a draft. Its units are taken from the stock of the variant. The same key always gives the same offer.
#[utoipa::path(post, path = "/v1/streams/{stream}/offers", tag = "offers",
    params(("stream" = StreamId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    request_body = NewOfferRequest, responses((status = 201, body = OfferView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewOfferRequest>,
) -> ApiResult<(StatusCode, Json<OfferView>)> {
    let key = idempotency_key(&headers)?;
    let form = OfferForm {
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
        buyers: new.buyers,
        pay_later: new.pay_later,
    };
    Ok((StatusCode::CREATED, Json(state.app.catalogue.create_offer(&actor, stream, form, key).await?)))
}

/// One offer.
#[utoipa::path(get, path = "/v1/offers/{offer}", tag = "offers", params(("offer" = OfferId, Path)),
    responses((status = 200, body = OfferView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
) -> ApiResult<Json<OfferView>> {
    Ok(Json(state.app.catalogue.offer(&actor, offer).await?))
}
