//! REST for where an order goes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::domain::{Address, OrderId};

/// Where an order goes, for its buyer and for those who sell in its show; null when it was not said, or was erased.
#[utoipa::path(get, path = "/v1/orders/{order}/address", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Option<Address>), (status = "default", body = Problem)))]
pub async fn show(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Option<Address>>> {
    Ok(Json(door.app.address(&actor, order).await?))
}

/// Says where an order of mine goes, instead of what was said before; not once it is over.
#[utoipa::path(put, path = "/v1/orders/{order}/address", tag = "orders", params(("order" = OrderId, Path)),
    request_body = Address, responses((status = 200, body = Address), (status = "default", body = Problem)))]
pub async fn set(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    JsonBody(address): JsonBody<Address>,
) -> ApiResult<Json<Address>> {
    Ok(Json(door.app.set_address(&actor, order, address).await?))
}

/// Erases it; the order stays.
#[utoipa::path(delete, path = "/v1/orders/{order}/address", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn erase(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<StatusCode> {
    door.app.erase_address(&actor, order).await?;
    Ok(StatusCode::NO_CONTENT)
}
