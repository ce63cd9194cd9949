//! The REST route of the shop.

use axum::Json;
use axum::extract::State;

use super::AppState;
use crate::app::StripeCardForm;
use crate::protocol::{ShopView, StripeFormView};

/// The shop.
#[utoipa::path(get, operation_id = "shop_show", path = "/v1/shop", tag = "shop", responses((status = 200, body = ShopView)))]
pub async fn show(State(state): State<AppState>) -> Json<ShopView> {
    let payments = state.app.checkout.payment_provider();
    let (dev_login, emails) = (state.app.settings().is_dev_login_enabled, state.app.mail.has_server());
    let (shop, profile) = (state.app.shop(), state.app.profile());
    let stripe = state
        .app
        .checkout
        .card_form()
        .map(|StripeCardForm { publishable_key, script }| StripeFormView { publishable_key, script });
    let view = ShopView::of((&shop, &profile), dev_login, payments, stripe, emails, state.origins.base_url());
    Json(ShopView { coupons: state.app.checkout.has_coupons(), ..view })
}
