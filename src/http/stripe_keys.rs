//! REST routes of the keys of Stripe that an owner sets. For owners only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody};
use crate::app::StripeKeysCheck;
use crate::domain::stripe_keys::{StripeKeyHint, StripeKeysRequest};
use crate::domain::{Millis, StripeKeysFixed, StripeMode};

/// The keys of Stripe: the beginning and the last four characters of each. Only owners see them here.
#[derive(Serialize, ToSchema)]
#[schema(as = StripeKeys)]
pub struct StripeKeysView {
    /// Why keys cannot be set here: `given` (the server was started with keys, which come first), `other_provider`, `no_base_url`,
    /// `no_secrets_key`; null: they can.
    fixed: Option<StripeKeysFixed>,
    /// Whether the keys that are in use, set here or given, take real money; null: nobody can pay with Stripe now.
    mode: Option<StripeMode>,
    /// Null: none was set here.
    key: Option<StripeKeyHint>,
    publishable_key: Option<StripeKeyHint>,
    webhook_secret: Option<StripeKeyHint>,
    /// Payments of the last eight days and refunds at Stripe that are not finished; at most 1,000 of each kind are counted.
    open_payments: i64,
    /// From when on these count no more, in epoch milliseconds: whatever a payment reserved on a card has lapsed by then. Null: there are
    /// none, or refunds among them, which count until they are finished.
    open_until: Option<Millis>,
    /// Where the webhook endpoint at Stripe sends its events; null without `--base-url`.
    webhook_url: Option<String>,
}

/// The keys of Stripe, without their secret parts. Owners only.
#[utoipa::path(get, path = "/v1/shop/settings/stripe", operation_id = "stripe_keys", tag = "shop",
    responses((status = 200, body = StripeKeysView), (status = "default", body = Problem)))]
pub async fn show(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<StripeKeysView>> {
    let found = state.app.checkout.stripe_keys(&actor).await?;
    let (key, publishable_key, webhook_secret) = match found.stored {
        Some(stored) => (Some(stored.key), Some(stored.publishable_key), Some(stored.webhook_secret)),
        None => (None, None, None),
    };
    Ok(Json(StripeKeysView {
        fixed: found.fixed,
        mode: found.mode,
        key,
        publishable_key,
        webhook_secret,
        open_payments: found.open_payments,
        open_until: found.open_until,
        webhook_url: found.webhook_url,
    }))
}

/// What Stripe says to the keys.
#[derive(Serialize, ToSchema)]
#[schema(as = StripeKeysCheck)]
pub struct StripeKeysCheckView {
    /// Whether they take real money.
    mode: StripeMode,
    /// They do not know the payments that the shop has: those cannot be refunded with them. It is another account, or the other mode.
    is_other_account: bool,
}

impl From<StripeKeysCheck> for StripeKeysCheckView {
    fn from(StripeKeysCheck { mode, is_other_account }: StripeKeysCheck) -> Self {
        Self { mode, is_other_account }
    }
}

/// Sets the keys that are given; the others stay. Stripe is asked first, and nothing is stored unless it accepts them: `stripe_key_kind`,
/// `stripe_key_mode`, `stripe_key_rejected`, `stripe_key_rights`, `stripe_key_account` and `stripe_unreachable` say what is wrong. Keys of
/// another account or mode are taken only after the present ones were removed (`stripe_account_changes`) and everything that was begun with
/// them is finished (`stripe_payments_open`); keys of the account that was used last are taken at once. They hold on every node within two seconds, without a restart. Owners only, with a recent
/// sign-in.
#[utoipa::path(put, path = "/v1/shop/settings/stripe", operation_id = "set_stripe_keys", tag = "shop",
    request_body = StripeKeysRequest, responses((status = 200, body = StripeKeysCheckView), (status = "default", body = Problem)))]
pub async fn set(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<StripeKeysRequest>,
) -> ApiResult<Json<StripeKeysCheckView>> {
    Ok(Json(state.app.checkout.set_stripe_keys(&actor, form).await?.into()))
}

/// Takes the keys away: nobody can pay with Stripe any more, and payments that are under way wait until keys of the same account are set
/// again. Owners only, with a recent sign-in.
#[utoipa::path(delete, path = "/v1/shop/settings/stripe", operation_id = "remove_stripe_keys", tag = "shop",
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<StatusCode> {
    state.app.checkout.remove_stripe_keys(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks Stripe about keys that need not be stored, with the stored ones in place of those that are left out. The answers are those of the
/// route that sets them, and nothing is stored. It takes nine seconds at most, and one runs at a time on each node (`busy`). Owners only, with
/// a recent sign-in.
#[utoipa::path(post, path = "/v1/shop/settings/stripe/check", operation_id = "check_stripe_keys", tag = "shop",
    request_body = StripeKeysRequest, responses((status = 200, body = StripeKeysCheckView), (status = "default", body = Problem)))]
pub async fn check(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<StripeKeysRequest>,
) -> ApiResult<Json<StripeKeysCheckView>> {
    Ok(Json(state.app.checkout.check_stripe_keys(&actor, form).await?.into()))
}
