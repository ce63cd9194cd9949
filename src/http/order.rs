//! REST of orders that is not a live verb.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, IdempotencyKeyHeader, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::app::OrderResult;
use crate::domain::{IdempotencyKey, OfferId, OrderId, StreamId};
use crate::protocol::{OrderDetail, OrderView};

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A new order is 201 with its place; the order of an earlier try is 200, marked.
fn order_response(bought: OrderResult, created: bool) -> Response {
    let status = if created && !bought.is_replay { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/v1/orders/{}", bought.order.id);
    let mut response = (status, Json(&bought.order)).into_response();
    if bought.is_replay {
        response.headers_mut().insert(&IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    if let Ok(location) = HeaderValue::from_str(&location)
        && status == StatusCode::CREATED
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[derive(Deserialize, ToSchema)]
pub struct BuyRequest {
    qty: i64,
}

/// Buys: holds the units until `hold_until`. The same key again gives the same order, for ever.
#[utoipa::path(post, path = "/v1/offers/{offer}/orders", tag = "orders", request_body = BuyRequest,
    params(("offer" = OfferId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 201, body = OrderView), (status = 200, description = "Retried: the order as it is now", body = OrderView),
        (status = "default", body = Problem)))]
pub async fn buy(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(offer): PathId<OfferId>,
    IdempotencyKeyHeader(key): IdempotencyKeyHeader,
    JsonBody(body): JsonBody<BuyRequest>,
) -> ApiResult<Response> {
    Ok(order_response(state.app.buy(&actor, offer, body.qty, key).await?, true))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrdersQuery {
    /// Only orders of this show.
    stream: Option<StreamId>,
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
    let orders = state.app.orders(&actor, query.stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(orders, |order| order.id)))
}

/// The order of an idempotency key: for a client that did not get the response of its purchase.
#[utoipa::path(get, path = "/v1/orders/by-key/{key}", tag = "orders", params(("key" = String, Path)),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn by_key(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(key): PathId<String>,
) -> ApiResult<Json<OrderView>> {
    Ok(Json(state.app.order_by_key(&actor, &IdempotencyKey::parse(&key)?).await?))
}

/// One of my orders, with its history and its address.
#[utoipa::path(get, path = "/v1/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<OrderDetail>> {
    Ok(Json(state.app.order_detail(&actor, order).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct PayRequest {
    /// Of the payment provider. The test provider takes the name of what it shall do: `ok`, `declined`, `needs_action`
    /// (402, then POST to its `action_url`), `slow`, `timeout_after_charge` and `500_after_charge` (done, and the
    /// answers are lost), `webhook_twice`, `webhook_before_reply`, `webhook_never`, `webhook_reordered`,
    /// `cancel_too_late`, `capture_fails`, `wrong_amount`, `bad_signature`, `refund_fails`.
    token: String,
}

/// Pays a held order. Declined: 402, still held, try another card.
#[utoipa::path(post, path = "/v1/orders/{order}/pay", tag = "orders", request_body = PayRequest,
    params(("order" = OrderId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn pay(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    IdempotencyKeyHeader(key): IdempotencyKeyHeader,
    JsonBody(body): JsonBody<PayRequest>,
) -> ApiResult<Response> {
    Ok(order_response(state.app.pay(&actor, order, &body.token, key).await?, false))
}

#[derive(Deserialize, ToSchema)]
pub struct RefundRequest {
    /// The units go back on sale (to the pool, when the offer is closed); else they are gone with the goods.
    restock: bool,
    /// For your own books; at most 500 bytes.
    reason: Option<String>,
}

/// Gives a paid order's money back, all of it. The order stays `paid` until the provider has done it.
#[utoipa::path(post, path = "/v1/orders/{order}/refund", tag = "orders", request_body = RefundRequest,
    params(("order" = OrderId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn refund(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    IdempotencyKeyHeader(key): IdempotencyKeyHeader,
    JsonBody(body): JsonBody<RefundRequest>,
) -> ApiResult<Response> {
    Ok(order_response(state.app.refund(&actor, order, body.restock, body.reason, key).await?, false))
}

/// Gives a held order up.
#[utoipa::path(post, path = "/v1/orders/{order}/cancel", tag = "orders",
    params(("order" = OrderId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn cancel(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    IdempotencyKeyHeader(key): IdempotencyKeyHeader,
) -> ApiResult<Response> {
    Ok(order_response(state.app.cancel(&actor, order, key).await?, false))
}
