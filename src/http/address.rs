//! REST routes of the delivery address of an order.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::domain::{Address, OrderId};

/// The delivery address of an order, for its buyer and for producers and hosts of its show; null if it was not given or was erased.
#[utoipa::path(get, operation_id = "orders_address_show", path = "/v1/orders/{order}/address", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Option<Address>), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Option<Address>>> {
    Ok(Json(state.app.checkout.address(&actor, order).await?))
}

/// Sets the delivery address of my order; not possible after the order has ended.
#[utoipa::path(put, operation_id = "orders_address_set", path = "/v1/orders/{order}/address", tag = "orders", params(("order" = OrderId, Path)),
    request_body = Address, responses((status = 200, body = Address), (status = "default", body = Problem)))]
pub async fn set(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    JsonBody(address): JsonBody<Address>,
) -> ApiResult<Json<Address>> {
    Ok(Json(state.app.checkout.set_address(&actor, order, address).await?))
}

/// Erases the delivery address; the order stays. The address of a paid order is refused with `wrong_status` until the order was sent.
#[utoipa::path(delete, operation_id = "orders_address_erase", path = "/v1/orders/{order}/address", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn erase(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<StatusCode> {
    state.app.checkout.erase_address(&actor, order).await?;
    Ok(StatusCode::NO_CONTENT)
}
