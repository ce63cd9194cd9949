//! REST routes of the set-up of a shop, for the page that the one-time link opens.
//!
//! The code of the link is the credential. Only our own pages use it: the answer is a session, which is a cookie.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::account::{IdentityView, WithCookie};
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::JsonBody;
use super::session_cookie::OwnPage;
use super::shop_settings::SettingsView;
use crate::app::{SetupForm, SetupState};
use crate::domain::setup::NewOwner;
use crate::domain::shop_settings::ShopForm;
use crate::domain::{EmailAddress, Language, Name};

#[derive(Deserialize, ToSchema)]
pub struct SetupLinkRequest {
    /// What the link has behind `#`.
    code: String,
}

/// What a set-up link allows.
#[derive(Serialize, ToSchema)]
pub struct SetupView {
    /// The shop has an owner: the link signs in as the first one, and nothing has to be typed.
    has_owner: bool,
    /// The shop has products, so its currency stays.
    has_products: bool,
    /// Codes by e-mail reach people. Otherwise an owner comes back only by `livesouk owner recover`.
    can_send_email: bool,
    settings: SettingsView,
}

/// What a set-up link allows. The link remains valid.
#[utoipa::path(post, path = "/v1/setup/open", operation_id = "open_setup", tag = "staff", request_body = SetupLinkRequest,
    responses((status = 200, body = SetupView), (status = "default", body = Problem)))]
pub async fn open(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    JsonBody(form): JsonBody<SetupLinkRequest>,
) -> ApiResult<Json<SetupView>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let SetupState { has_owner, shop, profile, has_products } = state.app.staff.open_setup_link(&form.code).await?;
    let can_send_email = state.app.accounts.can_send_codes();
    Ok(Json(SetupView {
        has_owner,
        has_products,
        can_send_email,
        settings: SettingsView::of(&shop, &profile, state.app.settings()),
    }))
}

#[derive(Deserialize, ToSchema)]
pub struct OwnerRequest {
    name: String,
    /// Left out: the owner comes back only by `livesouk owner recover`.
    email: Option<String>,
    /// The language of the owner's mails: `en`, `ar` or `id`.
    lang: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct SetupRequest {
    /// What the link has behind `#`.
    code: String,
    /// Needed if the shop has no owner.
    owner: Option<OwnerRequest>,
    shop: Option<ShopForm>,
}

/// Uses a set-up link up: makes the owner of a shop that has none, and signs in. If the input is refused, the link remains valid.
#[utoipa::path(post, path = "/v1/setup", operation_id = "set_up", tag = "staff", request_body = SetupRequest,
    responses((status = 201, body = IdentityView), (status = "default", body = Problem)))]
pub async fn set_up(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    JsonBody(form): JsonBody<SetupRequest>,
) -> ApiResult<WithCookie<Json<IdentityView>>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let owner = form.owner.map(|owner| {
        Ok::<_, crate::domain::Refusal>(NewOwner {
            name: Name::parse(&owner.name)?,
            email: owner.email.as_deref().filter(|email| !email.is_empty()).map(EmailAddress::parse).transpose()?,
            language: Language::of_tag(owner.lang.as_deref().unwrap_or_default()),
        })
    });
    let typed = SetupForm { owner: owner.transpose()?, shop: form.shop };
    let started = state.app.staff.use_setup_link(&form.code, typed, &page.user_agent).await?;
    Ok(super::account::signed_in(&state, &page.scope, &started))
}
