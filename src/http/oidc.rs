//! REST routes of signing in with the identity provider of the shop. Only for our own pages: the session is a cookie.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::AppendHeaders;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::account::{IdentityView, WithCookie, signed_in};
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody};
use super::session_cookie::{CookieScope, OwnPage};
use crate::app::OidcAnswer;
use crate::domain::{Language, Refusal};

/// Our page to which the provider sends the browser back.
const PAGE: &str = "/sign-in";

/// Where a browser goes to sign in.
#[derive(Serialize, ToSchema)]
pub struct OidcStartResponse {
    /// The page of the identity provider. It sends the browser back to `/sign-in` with a `code` and the `state`.
    url: String,
}

fn redirect(scope: &CookieScope) -> Result<String, Refusal> {
    let base = scope.base_url().ok_or_else(|| Refusal::bad_request("The Host header is missing. See --base-url."))?;
    Ok(format!("{base}{PAGE}"))
}

/// Begins to sign in with the identity provider of the shop. Only for our own pages, within ten minutes, and in the same browser.
#[utoipa::path(post, path = "/v1/session/oidc", operation_id = "begin_oidc", tag = "shop",
    responses((status = 201, body = OidcStartResponse), (status = "default", body = Problem)))]
pub async fn begin(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
) -> ApiResult<WithCookie<Json<OidcStartResponse>>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let start = state.app.accounts.begin_oidc(&redirect(&page.scope)?, page.code_secret).await?;
    let cookie = AppendHeaders([page.scope.bind_code(&start.browser)]);
    Ok((StatusCode::CREATED, cookie, Json(OidcStartResponse { url: start.url })))
}

#[derive(Deserialize, ToSchema)]
pub struct FinishOidcRequest {
    /// What the identity provider put into the address, like the next two.
    code: String,
    state: String,
    /// Who says so, if the provider does.
    iss: Option<String>,
    /// The language of a new account: `en`, `ar` or `id`.
    lang: Option<String>,
}

/// Signs in with what the identity provider gave the browser. A new identity gets an account; where the operator trusts the provider for
/// that, a verified address leads to the account of that address. What the guest of this browser bought joins it.
#[utoipa::path(post, path = "/v1/session/oidc/finish", operation_id = "finish_oidc", tag = "shop", request_body = FinishOidcRequest,
    responses((status = 201, body = IdentityView), (status = "default", body = Problem)))]
pub async fn finish(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    Caller(caller): Caller,
    JsonBody(form): JsonBody<FinishOidcRequest>,
) -> ApiResult<WithCookie<Json<IdentityView>>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let redirect = redirect(&page.scope)?;
    let answer = OidcAnswer { code: form.code, state: form.state, issuer: form.iss };
    let language = Language::of_tag(form.lang.as_deref().unwrap_or_default());
    let OwnPage { scope, code_secret, user_agent } = page;
    let accounts = &state.app.accounts;
    let started = accounts.finish_oidc(answer, &redirect, code_secret, (caller, language), &user_agent).await?;
    Ok(signed_in(&state, &scope, &started))
}
