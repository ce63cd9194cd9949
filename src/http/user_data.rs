//! REST routes for erasing the personal data of a user.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use utoipa::IntoParams;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use super::page_language::page_language;
use crate::domain::{Language, UserId};
use crate::protocol::ErasedView;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query, which is read like that of a page")]
pub struct ErasureQuery {
    /// The language in which the answer says what is kept and why, if the user has no account with one: `en`, `ar` or `id`; left out:
    /// that of `Accept-Language`.
    lang: Option<String>,
}

/// The language that the caller reads.
fn language(query: Option<&str>, headers: &HeaderMap) -> Language {
    Language::of_tag(page_language(query, headers).code)
}

/// Erases my personal data: messages, names, addresses, e-mails, follows, saved cards, claimed coupons, stock alerts, sign-ins. Orders
/// keep their amounts and my user id. The response lists what is kept and why.
#[utoipa::path(delete, path = "/v1/me", tag = "shop", params(ErasureQuery),
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_me(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Caller(actor): Caller,
) -> ApiResult<Json<ErasedView>> {
    let language = language(query.as_deref(), &headers);
    Ok(Json(state.app.moderation.erase_own_data(&actor, language).await?))
}

/// Erases the data of another user. Admins only.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "shop", params(("user" = String, Path), ErasureQuery),
    responses((status = 200, body = ErasedView), (status = "default", body = Problem)))]
pub async fn erase_user(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Caller(actor): Caller,
    PathId(user): PathId<String>,
) -> ApiResult<Json<ErasedView>> {
    let language = language(query.as_deref(), &headers);
    Ok(Json(state.app.moderation.erase_user_data(&actor, UserId::parse(&user)?, language).await?))
}
