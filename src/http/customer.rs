//! REST routes of the customers: for hosts, admins and owners.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use super::own_data;
use crate::domain::customer::{Customer, CustomerBlock, CustomerDetail, CustomerNote};
use crate::domain::{EmailAddress, Language, Millis, Minor, OrderId, Role, UserId};

/// Somebody who ordered, also without paying.
#[derive(Serialize, ToSchema)]
#[schema(as = Customer)]
pub struct CustomerView {
    user: UserId,
    /// Empty: it was erased.
    name: String,
    /// The proven address of an account; null: there is none.
    email: Option<EmailAddress>,
    /// When the customer bought first.
    since: Millis,
    /// When the customer bought last.
    last_at: Millis,
    is_blocked: bool,
}

impl From<Customer> for CustomerView {
    fn from(customer: Customer) -> Self {
        let Customer { user, name, email, first_order, last_order, is_blocked, .. } = customer;
        Self { user, name, email, since: first_order.created_at(), last_at: last_order.created_at(), is_blocked }
    }
}

/// A note of the team on a customer.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerNote)]
pub struct CustomerNoteView {
    id: Uuid,
    at: Millis,
    /// Who wrote it.
    by: String,
    by_name: String,
    text: String,
}

impl From<CustomerNote> for CustomerNoteView {
    fn from(CustomerNote { id, at, by, by_name, text }: CustomerNote) -> Self {
        Self { id, at, by, by_name, text }
    }
}

/// A block in the whole shop.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerBlock)]
pub struct CustomerBlockView {
    /// The user who did it.
    by: String,
    by_role: Role,
    reason: Option<String>,
    at: Millis,
}

impl From<CustomerBlock> for CustomerBlockView {
    fn from(CustomerBlock { by, by_role, reason, at }: CustomerBlock) -> Self {
        Self { by, by_role, reason, at }
    }
}

/// One customer. Their orders are in `GET /v1/shop/orders?buyer=`.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerDetail)]
pub struct CustomerDetailView {
    customer: CustomerView,
    /// The language of the account; null: the customer has none.
    language: Option<Language>,
    /// Paid orders that were not wholly refunded.
    orders_paid: i64,
    /// What the items of these orders cost, in minor units.
    amount_paid: Minor,
    /// Oldest first.
    notes: Vec<CustomerNoteView>,
    /// Null: the customer is not blocked.
    block: Option<CustomerBlockView>,
}

impl From<CustomerDetail> for CustomerDetailView {
    fn from(detail: CustomerDetail) -> Self {
        let CustomerDetail { customer, language, orders_paid, amount_paid, notes, block } = detail;
        Self {
            customer: customer.into(),
            language,
            orders_paid,
            amount_paid,
            notes: notes.into_iter().map(CustomerNoteView::from).collect(),
            block: block.map(CustomerBlockView::from),
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CustomerQuery {
    /// A part of the name, in any case and with any form of Arabic letters and digits, or the whole e-mail address.
    search: Option<String>,
}

/// Everybody who ordered, also those who never paid; those who ordered last come first. A new customer appears within a minute. With `search`, a page looks at a bounded
/// number of customers: it may be short, or empty, and have a `next`. Hosts, admins and owners only.
#[utoipa::path(get, path = "/v1/shop/customers", operation_id = "list_customers", tag = "shop", params(CustomerQuery, PageQuery),
    responses((status = 200, body = List<CustomerView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<OrderId>,
    QueryParams(query): QueryParams<CustomerQuery>,
) -> ApiResult<Json<List<CustomerView>>> {
    let search = query.search.unwrap_or_default();
    let (found, next) = state.app.customers.list(&actor, &search, page.after, page.limit).await?;
    let items = found.into_iter().map(CustomerView::from).collect();
    Ok(Json(List { items, next: next.map(|next| next.to_string()) }))
}

/// One customer, with the notes of the team and the block. Hosts, admins and owners only.
#[utoipa::path(get, path = "/v1/shop/customers/{user}", operation_id = "show_customer", tag = "shop",
    params(("user" = String, Path)), responses((status = 200, body = CustomerDetailView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
) -> ApiResult<Json<CustomerDetailView>> {
    state.app.customers.authorize(&actor).await?;
    Ok(Json(state.app.customers.detail(&actor, &UserId::parse(&user)?).await?.into()))
}

#[derive(Deserialize, ToSchema)]
pub struct CustomerNoteRequest {
    /// 1 to 1,000 characters, with line breaks. Only the team sees it.
    text: String,
}

/// Adds a note on a customer. The client makes its id, so that a retry adds no second one. A customer has at most 100 notes. Hosts, admins
/// and owners only.
#[utoipa::path(put, path = "/v1/shop/customers/{user}/notes/{note}", operation_id = "add_customer_note", tag = "shop",
    params(("user" = String, Path), ("note" = Uuid, Path)), request_body = CustomerNoteRequest,
    responses((status = 200, body = CustomerNoteView), (status = "default", body = Problem)))]
pub async fn add_note(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((user, note)): PathId<(String, Uuid)>,
    JsonBody(form): JsonBody<CustomerNoteRequest>,
) -> ApiResult<Json<CustomerNoteView>> {
    state.app.customers.authorize(&actor).await?;
    Ok(Json(state.app.customers.add_note(&actor, UserId::parse(&user)?, note, &form.text).await?.into()))
}

#[derive(Deserialize, ToSchema)]
pub struct BlockCustomerRequest {
    /// At most 200 characters; for the team and the audit log.
    reason: Option<String>,
}

/// Blocks the person behind a user in the whole shop: they watch no show, write nothing and buy nothing, under any identity of theirs. Their
/// orders stay theirs. It holds on every node within two seconds. Refused for somebody who ranks as high as the caller. Hosts, admins and
/// owners only.
#[utoipa::path(put, path = "/v1/shop/customers/{user}/block", operation_id = "block_customer", tag = "shop",
    params(("user" = String, Path)), request_body = BlockCustomerRequest,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn block(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
    JsonBody(form): JsonBody<BlockCustomerRequest>,
) -> ApiResult<StatusCode> {
    state.app.customers.authorize(&actor).await?;
    state.app.customers.block(&actor, UserId::parse(&user)?, form.reason.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReasonQuery {
    /// At most 200 characters; for the audit log.
    reason: Option<String>,
}

/// Lifts a block. Refused if somebody of a higher rank imposed it. Hosts, admins and owners only.
#[utoipa::path(delete, path = "/v1/shop/customers/{user}/block", operation_id = "unblock_customer", tag = "shop",
    params(("user" = String, Path), ReasonQuery), responses((status = 204), (status = "default", body = Problem)))]
pub async fn unblock(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
    QueryParams(query): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    state.app.customers.authorize(&actor).await?;
    state.app.customers.unblock(&actor, &UserId::parse(&user)?, query.reason.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is stored about a customer, one object a line, for a customer who asked outside of the system. It is written into the audit log. Admins
/// and owners only.
#[utoipa::path(get, path = "/v1/shop/customers/{user}/data", operation_id = "customer_data", tag = "shop",
    params(("user" = String, Path)),
    responses((status = 200, description = "The file", content_type = "application/jsonl"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
) -> ApiResult<Response> {
    state.app.checkout.authorize_customer_data(&actor).await?;
    let user = UserId::parse(&user)?;
    state.app.checkout.begin_customer_export(&actor, &user).await?;
    Ok(own_data::respond(&state.app, actor, user, "customer-data.jsonl"))
}
