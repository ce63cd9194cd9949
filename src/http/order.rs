//! REST for buying. Every verb that may be retried carries an `Idempotency-Key`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Asked, Body, Caller, Id, IdempotencyKey, List, Page, PageQuery};
use crate::app::Bought;
use crate::domain::{Key, OfferId, OrderId, StreamId};
use crate::protocol::{OrderDetail, OrderView};

static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A new order is 201 with its place; the order of an earlier try is 200, marked.
fn answer(bought: Bought, created: bool) -> Response {
    let status = if created && !bought.replayed { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/v1/orders/{}", bought.order.id);
    let mut response = (status, Json(&bought.order)).into_response();
    if bought.replayed {
        response.headers_mut().insert(&REPLAYED, HeaderValue::from_static("true"));
    }
    if let Ok(location) = HeaderValue::from_str(&location)
        && status == StatusCode::CREATED
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[derive(Deserialize, ToSchema)]
pub struct Buy {
    qty: i64,
}

/// Buys: holds the units until `hold_until`. The same key again gives the same order, for ever.
#[utoipa::path(post, path = "/v1/offers/{offer}/orders", tag = "orders", request_body = Buy,
    params(("offer" = OfferId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 201, body = OrderView), (status = 200, description = "Retried: the order as it is now", body = OrderView),
        (status = "default", body = Problem)))]
pub async fn buy(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(offer): Id<OfferId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<Buy>,
) -> Answer<Response> {
    Ok(answer(door.app.buy(&actor, offer, body.qty, key).await?, true))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MineQuery {
    /// Only this show's.
    stream: Option<StreamId>,
}

/// My orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(MineQuery, PageQuery),
    responses((status = 200, body = List<OrderView>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    Caller(actor): Caller,
    page: Page<OrderId>,
    Asked(query): Asked<MineQuery>,
) -> Answer<Json<List<OrderView>>> {
    let orders = door.app.orders(&actor, query.stream, page.after, page.fetch()).await?;
    Ok(Json(page.list(orders, |order| order.id)))
}

/// What a key's purchase became: for a client that never heard the answer.
#[utoipa::path(get, path = "/v1/orders/by-key/{key}", tag = "orders", params(("key" = String, Path)),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn by_key(State(door): State<Door>, Caller(actor): Caller, Id(key): Id<String>) -> Answer<Json<OrderView>> {
    Ok(Json(door.app.order_by_key(&actor, &Key::parse(&key)?).await?))
}

/// One order of mine, with what became of it and where it goes.
#[utoipa::path(get, path = "/v1/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem)))]
pub async fn show(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(order): Id<OrderId>,
) -> Answer<Json<OrderDetail>> {
    Ok(Json(door.app.order_detail(&actor, order).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct Pay {
    /// Of the payment provider. The test provider takes the name of what it shall do: `ok`, `declined`, `needs_action`
    /// (402, then POST to its `action_url`), `slow`, `timeout_after_charge` and `500_after_charge` (done, and the
    /// answers are lost), `webhook_twice`, `webhook_before_reply`, `webhook_never`, `webhook_reordered`,
    /// `cancel_too_late`, `capture_fails`, `wrong_amount`, `bad_signature`, `refund_fails`.
    token: String,
}

/// Pays a held order. Declined: 402, still held, try another card.
#[utoipa::path(post, path = "/v1/orders/{order}/pay", tag = "orders", request_body = Pay,
    params(("order" = OrderId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn pay(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(order): Id<OrderId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<Pay>,
) -> Answer<Response> {
    Ok(answer(door.app.pay(&actor, order, &body.token, key).await?, false))
}

#[derive(Deserialize, ToSchema)]
pub struct Refund {
    /// The units go back on sale (to the pool, when the offer is closed); else they are gone with the goods.
    restock: bool,
    /// For your own books; at most 500 bytes.
    reason: Option<String>,
}

/// Gives a paid order's money back, all of it. The order stays `paid` until the provider has done it.
#[utoipa::path(post, path = "/v1/orders/{order}/refund", tag = "orders", request_body = Refund,
    params(("order" = OrderId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn refund(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(order): Id<OrderId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<Refund>,
) -> Answer<Response> {
    Ok(answer(door.app.refund(&actor, order, body.restock, body.reason, key).await?, false))
}

/// Gives a held order up.
#[utoipa::path(post, path = "/v1/orders/{order}/cancel", tag = "orders",
    params(("order" = OrderId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn cancel(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(order): Id<OrderId>,
    IdempotencyKey(key): IdempotencyKey,
) -> Answer<Response> {
    Ok(answer(door.app.cancel(&actor, order, key).await?, false))
}
