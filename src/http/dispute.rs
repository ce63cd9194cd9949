//! The REST route of disputes that were given up.

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::domain::{DisputeEnd, OrderId};
use crate::protocol::DisputeView;

/// Closes a dispute that was given up (`given_up` in the list), because the server cannot learn how it ended. The sums of the day count it as
/// won or lost; the provider gets no message. The same result again changes nothing, another result corrects the first one, and the provider's own
/// word, if it comes after all, replaces both. The note is for the audit log. For those who may refund, with a recent sign-in.
#[utoipa::path(put, operation_id = "orders_close_dispute", path = "/v1/orders/{order}/dispute", tag = "orders", params(("order" = OrderId, Path)),
    request_body = DisputeEnd, responses((status = 200, body = DisputeView), (status = "default", body = Problem)))]
pub async fn close(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
    JsonBody(end): JsonBody<DisputeEnd>,
) -> ApiResult<Json<DisputeView>> {
    Ok(Json(state.app.checkout.close_dispute(&actor, order, end).await?))
}
