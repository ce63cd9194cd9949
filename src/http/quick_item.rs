//! The REST route of quick items.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId, idempotency_key};
use crate::app::NewQuickItem;
use crate::domain::{Minor, Permission, StreamId};
use crate::protocol::OfferView;

#[derive(Deserialize, ToSchema)]
pub struct QuickItemRequest {
    /// The `address` of an uploaded picture, or another address.
    image: Option<String>,
    price: Minor,
    quantity: i64,
    /// Whether buyers can pay it later (cash on delivery, bank transfer), where the shop takes such payments. Default: they can.
    pay_later: Option<bool>,
}

/// A product that was made in the middle of a show.
#[derive(Serialize, ToSchema)]
#[schema(as = QuickItem)]
pub struct QuickItemView {
    /// Its number in the show: the host says "number 43". Its title is `#43` until somebody gives it another one.
    pub number: i64,
    pub offer: OfferView,
}

/// Puts something on sale that is not in the catalogue: makes a product with the next number of the show, opens a regular offer of all
/// its units, and pins it. The product can be completed later like any other. A retry with the same key gives the same item.
#[utoipa::path(post, operation_id = "create_quick_item", path = "/v1/streams/{stream}/quick-items", tag = "offers",
    params(("stream" = StreamId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    request_body = QuickItemRequest,
    responses((status = 201, body = QuickItemView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    headers: HeaderMap,
    JsonBody(form): JsonBody<QuickItemRequest>,
) -> ApiResult<(StatusCode, Json<QuickItemView>)> {
    // Authorization comes before validation: a refused caller learns nothing about the form.
    state.app.stream_cache.authorize(&actor, Permission::ManageOffers, stream).await?;
    let key = idempotency_key(&headers)?;
    let QuickItemRequest { image, price, quantity, pay_later } = form;
    let new = NewQuickItem { image, price, quantity, pay_later };
    let (number, offer) = state.app.catalogue.create_quick_item(&actor, stream, new, key).await?;
    Ok((StatusCode::CREATED, Json(QuickItemView { number, offer })))
}
