//! REST routes of orders, except the live verbs (`src/verbs`).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PageQuery, PageRequest, PathId, QueryParams, idempotency_key};
use crate::domain::{IdempotencyKey, OrderId, StreamId};
use crate::protocol::{OrderDetail, OrderView};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrdersQuery {
    /// Only orders of this show.
    pub stream: Option<StreamId>,
}

/// My orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(OrdersQuery, PageQuery),
    responses((status = 200, body = List<OrderView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<OrderId>,
    QueryParams(query): QueryParams<OrdersQuery>,
) -> ApiResult<Json<List<OrderView>>> {
    let orders = state.app.checkout.orders(&actor, query.stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(orders, |order| order.id)))
}

/// The order of an idempotency key: for a client that did not get the response of its purchase. The key may also be the last part of the
/// path.
#[utoipa::path(get, path = "/v1/orders/by-key", tag = "orders",
    params(("Idempotency-Key" = String, Header, description = "The key of the purchase")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn by_key(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> ApiResult<Json<OrderView>> {
    Ok(Json(state.app.checkout.order_by_key(&actor, &idempotency_key(&headers)?).await?))
}

pub async fn by_key_in_path(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(key): PathId<String>,
) -> ApiResult<Json<OrderView>> {
    Ok(Json(state.app.checkout.order_by_key(&actor, &IdempotencyKey::parse(&key)?).await?))
}

/// One of my orders, with its history and its address.
#[utoipa::path(get, path = "/v1/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<OrderDetail>> {
    Ok(Json(state.app.checkout.order_detail(&actor, order).await?))
}
