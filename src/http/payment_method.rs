//! REST routes of my saved cards.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use crate::domain::{Millis, SavedCard, SavedCardId};

/// A card with which I can pay again. Its number is known to the payment provider only.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedCard)]
pub struct SavedCardView {
    /// What `pay` takes as `payment_method`.
    id: SavedCardId,
    /// As the provider calls it, such as `visa`, `mastercard` or `amex`.
    brand: String,
    /// The last four digits.
    last4: String,
    /// 1 to 12.
    exp_month: i64,
    /// With four digits.
    exp_year: i64,
    created_at: Millis,
}

impl From<SavedCard> for SavedCardView {
    fn from(SavedCard { id, facts, created_at }: SavedCard) -> Self {
        Self {
            id,
            brand: facts.brand,
            last4: facts.last4,
            exp_month: facts.exp_month,
            exp_year: facts.exp_year,
            created_at,
        }
    }
}

/// My saved cards, the newest first.
#[derive(Serialize, ToSchema)]
pub struct SavedCardList {
    items: Vec<SavedCardView>,
    /// A card with which I pay now can be saved (`save_card`): I have an account, the payment provider of this shop keeps cards, and fewer
    /// than ten are saved.
    can_save: bool,
}

/// My saved cards; empty without an account, and in a shop whose payment provider keeps no cards.
#[utoipa::path(get, path = "/v1/me/payment-methods", operation_id = "my_payment_methods", tag = "shop",
    responses((status = 200, body = SavedCardList), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<SavedCardList>> {
    let saved = state.app.checkout.saved_cards(&actor).await?;
    let items = saved.cards.into_iter().map(SavedCardView::from).collect();
    Ok(Json(SavedCardList { items, can_save: saved.can_save }))
}

/// Removes one of my saved cards. The payment provider deletes it soon afterwards. A payment with it that is under way goes on.
#[utoipa::path(delete, path = "/v1/me/payment-methods/{payment_method}", operation_id = "remove_payment_method", tag = "shop",
    params(("payment_method" = SavedCardId, Path)),
    responses((status = 204, description = "Removed"), (status = "default", body = Problem)))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(card): PathId<SavedCardId>,
) -> ApiResult<StatusCode> {
    state.app.checkout.remove_saved_card(&actor, card).await?;
    Ok(StatusCode::NO_CONTENT)
}
