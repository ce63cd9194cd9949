//! REST routes of the settings of the shop. For owners and admins.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody};
use crate::app::Settings;
use crate::domain::country::{COUNTRIES, Country};
use crate::domain::retention::kept_days;
use crate::domain::shop_settings::{ShopForm, ShopProfile};
use crate::domain::{Shop, Titles};

/// The settings of the shop.
#[derive(Serialize, ToSchema)]
#[schema(as = ShopSettings)]
pub struct SettingsView {
    title: String,
    titles: Titles,
    /// The ISO 4217 code. It can be changed while the shop has no product.
    currency: String,
    #[serde(flatten)]
    profile: ShopProfile,
    /// How long things are kept now, in days; 0: forever. Where `retention` has null, it is the setting with which this node was started.
    kept_days: KeptDays,
    /// The countries in which a shop may be, with what follows from each.
    countries: &'static [Country],
}

/// Days for which things are kept; 0: forever.
#[derive(Serialize, ToSchema)]
pub struct KeptDays {
    address_days: i64,
    chat_days: i64,
    mail_days: i64,
}

impl SettingsView {
    pub fn of(shop: &Shop, profile: &ShopProfile, node: &Settings) -> Self {
        let kept = &profile.retention;
        let kept_days = KeptDays {
            address_days: kept_days(kept.address_days, node.address_retention_ms),
            chat_days: kept_days(kept.chat_days, node.chat_retention_ms),
            mail_days: kept_days(kept.mail_days, node.mail_retention_ms),
        };
        let Shop { title, titles, currency, .. } = shop.clone();
        Self { title, titles, currency, profile: profile.clone(), kept_days, countries: &COUNTRIES }
    }
}

/// The settings of the shop. Owners and admins only.
#[utoipa::path(get, path = "/v1/shop/settings", operation_id = "settings", tag = "shop",
    responses((status = 200, body = SettingsView), (status = "default", body = Problem)))]
pub async fn show(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<SettingsView>> {
    let (shop, profile) = state.app.settings_sync.settings(&actor).await?;
    Ok(Json(SettingsView::of(&shop, &profile, state.app.settings())))
}

/// Changes settings; what is left out stays. It holds on every node within two seconds, without a restart. Owners and admins only.
#[utoipa::path(patch, path = "/v1/shop/settings", operation_id = "change_settings", tag = "shop", request_body = ShopForm,
    responses((status = 200, body = SettingsView), (status = "default", body = Problem)))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<ShopForm>,
) -> ApiResult<Json<SettingsView>> {
    let (shop, profile) = state.app.settings_sync.change(&actor, form).await?;
    Ok(Json(SettingsView::of(&shop, &profile, state.app.settings())))
}
