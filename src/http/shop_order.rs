//! REST routes of the seller's desk: orders of the shop, their fulfilment, notes and tags.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use super::order::OrdersQuery;
use crate::domain::{
    Actor, Consignment, Fulfilment, FulfilmentStatus, FulfilmentStep, Millis, Minor, OrderId, OrderStatus, Refusal,
    ShopOrderFilter, StreamId, UserId,
};
use crate::protocol::{OrderNoteView, OrderView, ShopOrderDetail, ShopOrderView};

/// The filters of the list. Every one that is given must match.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShopOrdersQuery {
    status: Option<OrderStatus>,
    /// Only paid orders whose last step this is.
    fulfilment: Option<FulfilmentStatus>,
    /// Only orders of this buyer.
    buyer: Option<String>,
    /// Only orders with this tag.
    tag: Option<String>,
    /// A part of the buyer's name, in any case, or the whole id of the buyer or of the order; at most 100 characters.
    search: Option<String>,
    /// Only orders that were created at this time or later, in milliseconds since 1970.
    since: Option<Millis>,
    /// Only orders that were created before this time, in milliseconds since 1970.
    until: Option<Millis>,
}

fn parse_buyer(given: &str) -> Result<UserId, Refusal> {
    UserId::parse(given).map_err(|_| Refusal::bad_field("buyer", "must have 1 to 64 visible ASCII characters."))
}

impl ShopOrdersQuery {
    pub fn into_filter(self, stream: Option<StreamId>) -> Result<ShopOrderFilter, Refusal> {
        let search =
            self.search.map(|text| text.trim().chars().take(100).collect()).filter(|text: &String| !text.is_empty());
        Ok(ShopOrderFilter {
            stream,
            status: self.status,
            fulfilment: self.fulfilment,
            buyer: self.buyer.as_deref().map(parse_buyer).transpose()?,
            tag: self.tag.filter(|tag| !tag.is_empty()),
            search,
            since: self.since,
            until: self.until,
        })
    }
}

/// Orders of the shop, newest first, for those who sell in the whole shop, or, with `stream`, in that show. A page looks at 20,000
/// orders at most: it may hold fewer than `limit`, even none, and have a `next`.
#[utoipa::path(get, operation_id = "orders_of_shop", path = "/v1/shop/orders", tag = "orders", params(OrdersQuery, ShopOrdersQuery, PageQuery),
    responses((status = 200, body = List<ShopOrderView>), (status = "default", body = Problem)))]
pub async fn of_shop(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<OrderId>,
    QueryParams(OrdersQuery { stream }): QueryParams<OrdersQuery>,
    QueryParams(query): QueryParams<ShopOrdersQuery>,
) -> ApiResult<Json<List<ShopOrderView>>> {
    list(&state, &actor, &query.into_filter(stream)?, &page).await
}

/// Orders of a show, newest first, for those who sell in it. The filters are those of `/v1/shop/orders`.
#[utoipa::path(get, operation_id = "orders_of_stream", path = "/v1/streams/{stream}/orders", tag = "orders",
    params(("stream" = StreamId, Path), ShopOrdersQuery, PageQuery),
    responses((status = 200, body = List<ShopOrderView>), (status = "default", body = Problem)))]
pub async fn of_stream(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<OrderId>,
    QueryParams(query): QueryParams<ShopOrdersQuery>,
) -> ApiResult<Json<List<ShopOrderView>>> {
    list(&state, &actor, &query.into_filter(Some(stream))?, &page).await
}

async fn list(
    state: &AppState,
    actor: &Actor,
    filter: &ShopOrderFilter,
    page: &PageRequest<OrderId>,
) -> ApiResult<Json<List<ShopOrderView>>> {
    let list = state.app.checkout.shop_orders(actor, filter, page.after, page.limit).await?;
    Ok(Json(List { items: list.items, next: list.next.map(|id| id.to_string()) }))
}

/// One order with its buyer's address, its payments and the notes of the team, for those who sell in its show. The audit log records
/// who read an address.
#[utoipa::path(get, operation_id = "orders_detail_for_seller", path = "/v1/shop/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = ShopOrderDetail), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<ShopOrderDetail>> {
    Ok(Json(state.app.checkout.shop_order(&actor, order).await?))
}

/// Records that an order was packed that is paid, or is paid in cash on delivery. To say it again is no error.
#[utoipa::path(put, operation_id = "orders_pack", path = "/v1/orders/{order}/packed", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Fulfilment), (status = "default", body = Problem)))]
pub async fn pack(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Fulfilment>> {
    Ok(Json(state.app.checkout.fulfil(&actor, order, FulfilmentStep::Packed, None).await?))
}

/// Undoes "packed", as long as the order was not sent.
#[utoipa::path(delete, operation_id = "orders_unpack", path = "/v1/orders/{order}/packed", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Fulfilment), (status = "default", body = Problem)))]
pub async fn unpack(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Fulfilment>> {
    Ok(Json(state.app.checkout.undo_fulfilment(&actor, order, FulfilmentStep::Packed).await?))
}

/// Records that an order was sent that is paid, or is paid in cash on delivery. The first time counts; to say it again can change the carrier and the number: what is not
/// given stays, an empty text removes it. From then on its address is kept only for the time of `--address-days`.
#[utoipa::path(put, operation_id = "orders_send", path = "/v1/orders/{order}/sent", tag = "orders", params(("order" = OrderId, Path)),
    request_body = Consignment,
    responses((status = 200, body = Fulfilment), (status = "default", body = Problem)))]
pub async fn send(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    body: Option<JsonBody<Consignment>>,
) -> ApiResult<Json<Fulfilment>> {
    let consignment = body.map(|JsonBody(consignment)| consignment);
    Ok(Json(state.app.checkout.fulfil(&actor, order, FulfilmentStep::Sent, consignment).await?))
}

/// What the shop has received.
#[derive(Deserialize, ToSchema)]
pub struct ReceivedPaymentForm {
    /// In minor units. It must be what the order costs.
    amount: Minor,
    /// When the shop received it, in milliseconds since 1970; left out: now.
    paid_at: Option<Millis>,
}

/// Records that the shop has received the payment of a placed order: cash, or a transfer. To say it again is no error.
#[utoipa::path(put, operation_id = "orders_mark_paid", path = "/v1/orders/{order}/paid", tag = "orders", params(("order" = OrderId, Path)),
    request_body = ReceivedPaymentForm, responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn mark_paid(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    JsonBody(form): JsonBody<ReceivedPaymentForm>,
) -> ApiResult<Json<OrderView>> {
    Ok(Json(state.app.checkout.receive_payment(&actor, order, form.amount, form.paid_at).await?))
}

/// What becomes of the units of a cancelled order.
#[derive(Deserialize, ToSchema)]
pub struct CancelPlacedForm {
    /// True: the units go back on sale, or to the stock of the variant if the offer is closed. False: they are gone.
    restock: bool,
}

/// Cancels a placed order, which is not paid yet. The buyer gets an e-mail. To cancel it again is no error.
#[utoipa::path(put, operation_id = "orders_cancel_placed", path = "/v1/orders/{order}/cancelled", tag = "orders", params(("order" = OrderId, Path)),
    request_body = CancelPlacedForm, responses((status = 200, body = OrderView), (status = "default", body = Problem)))]
pub async fn cancel_placed(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    JsonBody(form): JsonBody<CancelPlacedForm>,
) -> ApiResult<Json<OrderView>> {
    Ok(Json(state.app.checkout.cancel_placed(&actor, order, form.restock).await?))
}

/// Orders that are sent as one parcel.
#[derive(Deserialize, ToSchema)]
pub struct ParcelForm {
    /// The ids of 1 to 50 paid orders of one buyer in one show.
    #[schema(min_items = 1, max_items = 50)]
    orders: Vec<OrderId>,
    #[serde(flatten)]
    consignment: Consignment,
}

/// The steps of one order of a parcel.
#[derive(Serialize, ToSchema)]
pub struct ParcelOrder {
    order: OrderId,
    fulfilment: Fulfilment,
}

/// A parcel that was sent.
#[derive(Serialize, ToSchema)]
pub struct SentParcel {
    orders: Vec<ParcelOrder>,
}

/// Records that the orders of one buyer in one show were sent as one parcel: all of them or none. The buyer gets one e-mail. To say
/// it again is no error and changes only the carrier and the number.
#[utoipa::path(post, operation_id = "orders_send_parcel", path = "/v1/shop/parcels", tag = "orders", request_body = ParcelForm,
    responses((status = 200, body = SentParcel), (status = "default", body = Problem)))]
pub async fn send_parcel(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(ParcelForm { orders, consignment }): JsonBody<ParcelForm>,
) -> ApiResult<Json<SentParcel>> {
    let sent = state.app.checkout.send_parcel(&actor, &orders, consignment).await?;
    Ok(Json(SentParcel {
        orders: sent.into_iter().map(|(order, fulfilment)| ParcelOrder { order, fulfilment }).collect(),
    }))
}

/// Undoes "sent", as long as the order was not delivered.
#[utoipa::path(delete, operation_id = "orders_unsend", path = "/v1/orders/{order}/sent", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Fulfilment), (status = "default", body = Problem)))]
pub async fn unsend(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Fulfilment>> {
    Ok(Json(state.app.checkout.undo_fulfilment(&actor, order, FulfilmentStep::Sent).await?))
}

/// Records that a sent order was delivered. To say it again is no error.
#[utoipa::path(put, operation_id = "orders_deliver", path = "/v1/orders/{order}/delivered", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Fulfilment), (status = "default", body = Problem)))]
pub async fn deliver(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Fulfilment>> {
    Ok(Json(state.app.checkout.fulfil(&actor, order, FulfilmentStep::Delivered, None).await?))
}

/// Undoes "delivered".
#[utoipa::path(delete, operation_id = "orders_undeliver", path = "/v1/orders/{order}/delivered", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = Fulfilment), (status = "default", body = Problem)))]
pub async fn undeliver(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Fulfilment>> {
    Ok(Json(state.app.checkout.undo_fulfilment(&actor, order, FulfilmentStep::Delivered).await?))
}

/// A new note on an order.
#[derive(Deserialize, ToSchema)]
pub struct OrderNoteForm {
    /// 1 to 1,000 visible characters; may have line breaks.
    #[schema(min_length = 1, max_length = 1000)]
    text: String,
}

/// Adds a note of the team to an order, or finds the note that has this id already. The client chooses the id, so that a retry adds
/// the note once. The buyer never sees it.
#[utoipa::path(put, operation_id = "orders_add_note", path = "/v1/orders/{order}/notes/{note}", tag = "orders",
    params(("order" = OrderId, Path), ("note" = Uuid, Path)), request_body = OrderNoteForm,
    responses((status = 200, body = OrderNoteView), (status = "default", body = Problem)))]
pub async fn add_note(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((order, note)): PathId<(OrderId, Uuid)>,
    JsonBody(form): JsonBody<OrderNoteForm>,
) -> ApiResult<Json<OrderNoteView>> {
    Ok(Json(state.app.checkout.add_order_note(&actor, order, note, &form.text).await?))
}

/// Tags, in the order of the alphabet.
#[derive(Serialize, ToSchema)]
pub struct Tags {
    pub tags: Vec<String>,
}

/// Puts a tag on an order. To put it there again is no error. An order has at most 10 tags.
#[utoipa::path(put, operation_id = "orders_add_tag", path = "/v1/orders/{order}/tags/{tag}", tag = "orders",
    params(("order" = OrderId, Path), ("tag" = String, Path)),
    responses((status = 200, body = Tags), (status = "default", body = Problem)))]
pub async fn add_tag(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((order, tag)): PathId<(OrderId, String)>,
) -> ApiResult<Json<Tags>> {
    Ok(Json(Tags { tags: state.app.checkout.add_order_tag(&actor, order, &tag).await? }))
}

/// Takes a tag from an order. To take it again is no error.
#[utoipa::path(delete, operation_id = "orders_remove_tag", path = "/v1/orders/{order}/tags/{tag}", tag = "orders",
    params(("order" = OrderId, Path), ("tag" = String, Path)),
    responses((status = 200, body = Tags), (status = "default", body = Problem)))]
pub async fn remove_tag(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((order, tag)): PathId<(OrderId, String)>,
) -> ApiResult<Json<Tags>> {
    Ok(Json(Tags { tags: state.app.checkout.remove_order_tag(&actor, order, &tag).await? }))
}

/// The tags that are in use in the shop, at most 100.
#[utoipa::path(get, operation_id = "orders_tags_in_use", path = "/v1/shop/order-tags", tag = "orders",
    responses((status = 200, body = Tags), (status = "default", body = Problem)))]
pub async fn tags_in_use(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<Tags>> {
    Ok(Json(Tags { tags: state.app.checkout.tags_in_use(&actor).await? }))
}
