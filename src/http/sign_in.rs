//! REST routes of the hand-over from a shop's own site: a one-time code instead of a token in the link.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, bearer};
use crate::domain::{ErrorCode, Millis, Permission, Refusal, UserId};

/// A created credential, which must not stay in a cache.
type Credential<T> = (StatusCode, [(HeaderName, &'static str); 1], Json<T>);

fn credential<T>(answer: T) -> Credential<T> {
    (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer))
}

#[derive(Deserialize, ToSchema)]
pub struct SignInCodeRequest {
    /// The site that will link to the page, like `https://shop.example`. It must be one of `--allow-origin`, or the server itself.
    #[schema(max_length = 255)]
    origin: String,
}

/// A one-time code.
#[derive(Serialize, ToSchema)]
pub struct SignInCodeResponse {
    /// Goes behind the `#` of the link: `/watch?stream=STREAM#code=CODE`.
    code: String,
    /// A minute from now.
    expires_at: Millis,
}

/// Makes a one-time code for the owner of the bearer token. The shop's site links to a page with it: `/watch?stream=…#code=…`.
/// A code works once, for a minute, and only if a page of `origin` links to it. A user has at most ten open codes.
#[utoipa::path(post, path = "/v1/sign-in-codes", tag = "shop", request_body = SignInCodeRequest,
    responses((status = 201, body = SignInCodeResponse), (status = "default", body = Problem)))]
pub async fn create_code(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
    JsonBody(form): JsonBody<SignInCodeRequest>,
) -> ApiResult<Credential<SignInCodeResponse>> {
    state.app.stream_cache.authorize_in_shop(&actor, Permission::UseOwnData).await?;
    // The code replaces a token; a session of ours stays in its browser.
    if actor.session.is_some() {
        return Err(Refusal::Forbidden.into());
    }
    let origin = state.origins.linking_site(&form.origin, &headers);
    let origin = origin.ok_or_else(|| ApiError(Problem::of(&ErrorCode::ORIGIN_NOT_ALLOWED)))?;
    let made = state.app.sign_in.create_code(&actor, bearer(&headers), origin).await?;
    Ok(credential(SignInCodeResponse { code: made.code, expires_at: made.expires_at }))
}

#[derive(Deserialize, ToSchema)]
pub struct RedeemSignInCodeRequest {
    #[schema(max_length = 64)]
    code: String,
    /// The site that linked to the page: the origin of `document.referrer`. A page of that site itself leaves it out.
    #[schema(max_length = 255)]
    origin: Option<String>,
}

/// The token behind a code.
#[derive(Serialize, ToSchema)]
pub struct RedeemSignInCodeResponse {
    token: String,
    user: UserId,
    expires_at: Option<Millis>,
}

/// Exchanges a one-time code for the token behind it. It needs no token. A code that is unknown, used, expired or bound to
/// another site is refused with `sign_in_code_invalid`, and is used up.
#[utoipa::path(post, path = "/v1/sign-in-codes/redeem", tag = "shop", request_body = RedeemSignInCodeRequest,
    responses((status = 201, body = RedeemSignInCodeResponse), (status = "default", body = Problem)))]
pub async fn redeem_code(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    headers: HeaderMap,
    JsonBody(form): JsonBody<RedeemSignInCodeRequest>,
) -> ApiResult<Credential<RedeemSignInCodeResponse>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let origin = state.origins.linked_from(&headers, form.origin.as_deref());
    let token = state.app.sign_in.redeem_code(&form.code, origin.as_deref()).await?;
    // The token may have expired, or its owner may have been revoked, since the code was made.
    let actor = state.authenticate(&token, client).await?;
    state.app.moderation.check_helper_access(&actor).await?;
    Ok(credential(RedeemSignInCodeResponse { token, user: actor.user, expires_at: actor.expires_at }))
}
