//! REST routes of the withdrawal from a purchase, for its buyer.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use super::order::OrderOfLinkRequest;
use crate::app::WithdrawalState;
use crate::domain::{Millis, OrderId};

/// The withdrawal from an order.
#[derive(Serialize, ToSchema)]
#[schema(as = Withdrawal)]
pub struct WithdrawalView {
    /// When the buyer withdrew; null: not at all.
    withdrawn_at: Option<Millis>,
    /// Whether the buyer may withdraw now.
    may_withdraw: bool,
    /// The end of the time for it; null: it has not begun, or there is no such right.
    until: Option<Millis>,
}

impl From<WithdrawalState> for WithdrawalView {
    fn from(WithdrawalState { withdrawn_at, may_withdraw, until }: WithdrawalState) -> Self {
        Self { withdrawn_at, may_withdraw, until }
    }
}

/// Whether I may withdraw from one of my orders, and whether I did. Buyers in the European Union, Iceland, Liechtenstein and Norway have
/// fourteen days after the delivery.
#[utoipa::path(get, path = "/v1/orders/{order}/withdrawal", operation_id = "withdrawal", tag = "orders",
    params(("order" = OrderId, Path)), responses((status = 200, body = WithdrawalView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<WithdrawalView>> {
    Ok(Json(state.app.checkout.withdrawal(&actor, order).await?.into()))
}

/// Withdraws from the order of a link: for a guest, who has nothing to sign in with. It is like the withdrawal from one of my orders.
#[utoipa::path(post, path = "/v1/order-links/withdrawal", operation_id = "withdraw_by_link", tag = "orders", request_body = OrderOfLinkRequest,
    responses((status = 201, body = WithdrawalView), (status = "default", body = Problem)))]
pub async fn withdraw_by_link(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    JsonBody(form): JsonBody<OrderOfLinkRequest>,
) -> ApiResult<(StatusCode, Json<WithdrawalView>)> {
    state.sign_in_attempts.take(client, state.app.now())?;
    Ok((StatusCode::CREATED, Json(state.app.checkout.withdraw_by_link(&form.secret).await?.into())))
}

/// Withdraws from one of my orders. It is confirmed by e-mail, and the shop refunds. To do it again changes nothing.
#[utoipa::path(post, path = "/v1/orders/{order}/withdrawal", operation_id = "withdraw", tag = "orders",
    params(("order" = OrderId, Path)), responses((status = 201, body = WithdrawalView), (status = "default", body = Problem)))]
pub async fn withdraw(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<(StatusCode, Json<WithdrawalView>)> {
    Ok((StatusCode::CREATED, Json(state.app.checkout.withdraw(&actor, order).await?.into())))
}
