//! REST routes of orders, except the live verbs (`src/verbs`).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams, given, idempotency_key};
use super::withdrawal::WithdrawalView;
use crate::app::Error;
use crate::domain::{Address, CouponProblem, IdempotencyKey, OrderId, Refusal, ReservationId, StreamId};
use crate::protocol::{OrderDetail, OrderView, ReservationView};

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

/// The reservations of an order.
#[derive(Deserialize, ToSchema)]
pub struct OpenOrderRequest {
    /// Held reservations of mine in one show: 1 to 50.
    reservations: Vec<ReservationId>,
}

/// Makes held reservations the lines of one order, which is paid and sent at once: of the order that some of them are in, else of my
/// open order in that show, else of a new one. To do it again changes nothing. An order whose payment is under way takes no line.
#[utoipa::path(post, operation_id = "put_together", path = "/v1/orders", tag = "orders", request_body = OpenOrderRequest,
    responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn open(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<OpenOrderRequest>,
) -> ApiResult<Json<OrderView>> {
    Ok(Json(state.app.checkout.open_order(&actor, &form.reservations).await?))
}

/// One of my reservations: a line of an order.
#[utoipa::path(get, operation_id = "reservation_show", path = "/v1/reservations/{reservation}", tag = "orders",
    params(("reservation" = ReservationId, Path)),
    responses((status = 200, body = ReservationView), (status = "default", body = Problem)))]
pub async fn reservation(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(reservation): PathId<ReservationId>,
) -> ApiResult<Json<ReservationView>> {
    Ok(Json(state.app.checkout.reservation(&actor, reservation).await?))
}

/// Cancels one held reservation of mine and releases its units; the order keeps its other lines. To cancel it again is no error.
#[utoipa::path(delete, operation_id = "release_reservation", path = "/v1/reservations/{reservation}", tag = "orders",
    params(("reservation" = ReservationId, Path)),
    responses((status = 200, body = ReservationView), (status = "default", body = Problem)))]
pub async fn cancel_reservation(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(reservation): PathId<ReservationId>,
) -> ApiResult<Json<ReservationView>> {
    Ok(Json(state.app.checkout.cancel_reservation(&actor, reservation).await?))
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

/// The reservation of an idempotency key: for a client that did not get the response of its purchase. The key may also be the last part
/// of the path.
#[utoipa::path(get, operation_id = "reservation_by_key", path = "/v1/reservations/by-key", tag = "orders",
    params(("Idempotency-Key" = String, Header, description = "The key of the purchase")),
    responses((status = 200, body = ReservationView), (status = "default", body = Problem)))]
pub async fn reservation_by_key(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> ApiResult<Json<ReservationView>> {
    Ok(Json(state.app.checkout.reservation_by_key(&actor, &idempotency_key(&headers)?).await?))
}

pub async fn reservation_by_key_in_path(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(key): PathId<String>,
) -> ApiResult<Json<ReservationView>> {
    Ok(Json(state.app.checkout.reservation_by_key(&actor, &IdempotencyKey::parse(&key)?).await?))
}

/// What a buyer may change of an order.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"address": {"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA"}}))]
pub struct ChangeOrderRequest {
    /// The delivery address, as in `PUT /v1/orders/{order}/address`; left out: it stays.
    address: Option<Address>,
    /// The code of a coupon, in place of the one that the order has; null: the order has none any more, not even one that I have claimed;
    /// left out: it stays. An order has one coupon at most. A purchase that is in no order yet becomes a line of my open order of that show
    /// with it. A code that is refused changes nothing; the `address` of the same request stays set.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    coupon: Option<Option<String>>,
}

/// Changes my order before it has ended, and gives it with the quote that follows: its address, its coupon, or both. What is left out stays as it is. A coupon reserves one
/// of its uses for the order; an order that ends without a payment gives it back.
#[utoipa::path(put, operation_id = "orders_change", path = "/v1/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    request_body = ChangeOrderRequest, responses((status = 200, body = OrderDetail), (status = "default", body = Problem)))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    ClientIp(client): ClientIp,
    PathId(order): PathId<OrderId>,
    JsonBody(form): JsonBody<ChangeOrderRequest>,
) -> ApiResult<Json<OrderDetail>> {
    let ChangeOrderRequest { address, coupon } = form;
    if let Some(address) = address {
        state.app.checkout.set_address(&actor, order, address).await?;
    }
    match coupon {
        None => {}
        Some(None) => state.app.checkout.set_coupon(&actor, order, None).await?,
        Some(Some(code)) => {
            // Counted before it is looked up, so that requests at the same time are counted too.
            let counted = state.wrong_codes.count(client, state.app.now())?;
            let set = state.app.checkout.set_coupon(&actor, order, Some(&code)).await;
            if matches!(set, Err(Error::Refused(Refusal::Coupon(CouponProblem::Unknown)))) {
                counted.keep();
            }
            set?;
        }
    }
    Ok(Json(state.app.checkout.order_detail(&actor, order).await?))
}

/// One of my orders, with its history and its address. The quote of an open order that has no coupon shows the newest one that I claimed in
/// its show and that fits. Reading changes nothing; the payment takes the use.
#[utoipa::path(get, path = "/v1/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<OrderDetail>> {
    Ok(Json(state.app.checkout.order_detail(&actor, order).await?))
}

/// A link to one order.
#[derive(Serialize, ToSchema)]
pub struct OrderLinkResponse {
    /// Goes behind the `#` of the link: `/orders#order=SECRET`.
    secret: String,
}

/// Makes a link to one of my orders, for a guest who has nothing to sign in with. Whoever has it sees the order, without the
/// address. An order has at most five links; a new one ends the oldest.
#[utoipa::path(post, path = "/v1/orders/{order}/link", operation_id = "create_link", tag = "orders",
    params(("order" = OrderId, Path)), responses((status = 201, body = OrderLinkResponse), (status = "default", body = Problem)))]
pub async fn create_link(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<(StatusCode, Json<OrderLinkResponse>)> {
    let secret = state.app.checkout.create_order_link(&actor, order).await?;
    Ok((StatusCode::CREATED, Json(OrderLinkResponse { secret: secret.as_str().to_owned() })))
}

#[derive(Deserialize, ToSchema)]
pub struct OrderOfLinkRequest {
    pub secret: String,
}

/// The order of a link, and whether its buyer may withdraw from it or did.
#[derive(Serialize, ToSchema)]
#[schema(as = LinkedOrder)]
pub struct LinkedOrderView {
    #[serde(flatten)]
    order: OrderDetail,
    withdrawal: WithdrawalView,
}

/// The order of a link. A POST, because addresses end up in logs; it changes nothing.
#[utoipa::path(post, path = "/v1/order-links", operation_id = "of_link", tag = "orders", request_body = OrderOfLinkRequest,
    responses((status = 200, body = LinkedOrderView), (status = "default", body = Problem)))]
pub async fn of_link(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    JsonBody(form): JsonBody<OrderOfLinkRequest>,
) -> ApiResult<Json<LinkedOrderView>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let (order, withdrawal) = state.app.checkout.order_of_link(&form.secret).await?;
    Ok(Json(LinkedOrderView { order, withdrawal: withdrawal.into() }))
}
