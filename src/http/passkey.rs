//! REST routes of passkeys: for our own pages, because browsers use a passkey only on the pages of its site.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::account::{IdentityView, signed_in};
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use super::session_cookie::{CookieScope, OwnPage};
use crate::app::{PasskeyChallenge, PasskeyUse};
use crate::domain::passkey::{
    NewPasskey, PASSKEY_ALGORITHMS, PASSKEY_PART_BYTES_MAX, Passkey, PasskeyAssertion, PasskeySite,
};
use crate::domain::{Millis, PasskeyId, Refusal};

/// A question that a browser answers with a passkey.
#[derive(Serialize, ToSchema)]
#[schema(as = PasskeyChallenge)]
pub struct ChallengeView {
    /// 32 random bytes in base64url. The question can be answered once, within five minutes.
    challenge: String,
    /// The site for which passkeys are made: the host of the shop.
    rp_id: String,
    /// The passkeys that can answer, in base64url; empty: any passkey of this site. For a new passkey: those that the account has already.
    credentials: Vec<String>,
    /// For a new passkey: the algorithms that are accepted, by their COSE numbers, the preferred one first.
    algorithms: Vec<i64>,
}

/// A passkey of mine.
#[derive(Serialize, ToSchema)]
#[schema(as = Passkey)]
pub struct PasskeyView {
    id: PasskeyId,
    name: String,
    created_at: Millis,
    last_used_at: Option<Millis>,
}

impl From<Passkey> for PasskeyView {
    fn from(Passkey { id, name, created_at, last_used_at, .. }: Passkey) -> Self {
        Self { id, name, created_at, last_used_at }
    }
}

#[derive(Serialize, ToSchema)]
pub struct PasskeyList {
    items: Vec<PasskeyView>,
}

fn site(scope: &CookieScope) -> Result<PasskeySite, Refusal> {
    scope.passkey_site().ok_or(Refusal::PasskeysOff)
}

fn view(asked: PasskeyChallenge, site: PasskeySite) -> Json<ChallengeView> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Json(ChallengeView {
        challenge: encode(&asked.challenge),
        rp_id: site.rp_id,
        credentials: asked.credentials.iter().map(|id| encode(id)).collect(),
        algorithms: PASSKEY_ALGORITHMS.to_vec(),
    })
}

/// Reads a field in base64url.
fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let fits = decoded.filter(|bytes| !bytes.is_empty() && bytes.len() <= PASSKEY_PART_BYTES_MAX);
    fits.ok_or_else(|| Refusal::bad_field(field, "must be 1 to 4096 bytes in base64url."))
}

/// A question for a passkey: to sign in, or to prove the session that one has. Only for our own pages.
#[utoipa::path(post, path = "/v1/session/passkey/challenge", operation_id = "passkey_challenge", tag = "shop",
    responses((status = 201, body = ChallengeView), (status = "default", body = Problem)))]
pub async fn challenge(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    Caller(actor): Caller,
) -> ApiResult<(StatusCode, Json<ChallengeView>)> {
    let site = site(&page.scope)?;
    state.sign_in_attempts.take(client, state.app.now())?;
    Ok((StatusCode::CREATED, view(state.app.accounts.ask_for_passkey(&actor).await?, site)))
}

#[derive(Deserialize, ToSchema)]
pub struct UsePasskeyRequest {
    /// The id of the passkey that was used, in base64url, like all of these.
    credential: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
}

/// Signs in with a passkey, without a code; in a session of its account it proves that session instead, and the answer sets no cookie.
/// Only for our own pages.
#[utoipa::path(post, path = "/v1/session/passkey", operation_id = "use_passkey", tag = "shop", request_body = UsePasskeyRequest,
    responses((status = 201, body = IdentityView), (status = "default", body = Problem)))]
pub async fn use_passkey(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    headers: HeaderMap,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<UsePasskeyRequest>,
) -> ApiResult<Response> {
    let site = site(&page.scope)?;
    let assertion = PasskeyAssertion {
        credential: bytes("credential", &form.credential)?,
        client_data: bytes("client_data", &form.client_data)?,
        authenticator_data: bytes("authenticator_data", &form.authenticator_data)?,
        signature: bytes("signature", &form.signature)?,
    };
    state.sign_in_attempts.take(client, state.app.now())?;
    let accounts = &state.app.accounts;
    match accounts.use_passkey(&actor, &assertion, &site, &page.user_agent).await? {
        PasskeyUse::Started(started) => Ok(signed_in(&state, &page.scope, &started).into_response()),
        PasskeyUse::Proved => {
            let secret = page.scope.secret(&Method::POST, &headers);
            let again = match secret {
                Some(secret) => accounts.authenticate(&secret).await?,
                None => None,
            };
            let view = IdentityView::of(&state, &page.scope, &again.ok_or(Refusal::SignIn)?);
            Ok((StatusCode::CREATED, Json(view)).into_response())
        }
    }
}

/// My passkeys, at most ten.
#[utoipa::path(get, path = "/v1/passkeys", operation_id = "passkeys", tag = "shop",
    responses((status = 200, body = PasskeyList), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<PasskeyList>> {
    let found = state.app.accounts.passkeys(&actor).await?;
    Ok(Json(PasskeyList { items: found.into_iter().map(PasskeyView::from).collect() }))
}

/// A question for a new passkey of mine. For the staff, with a recent sign-in, and only for our own pages.
#[utoipa::path(post, path = "/v1/passkeys/challenge", operation_id = "new_passkey_challenge", tag = "shop",
    responses((status = 201, body = ChallengeView), (status = "default", body = Problem)))]
pub async fn new_challenge(
    State(state): State<AppState>,
    scope: CookieScope,
    Caller(actor): Caller,
) -> ApiResult<(StatusCode, Json<ChallengeView>)> {
    let asked = state.app.accounts.ask_for_new_passkey(&actor).await?;
    Ok((StatusCode::CREATED, view(asked, site(&scope)?)))
}

#[derive(Deserialize, ToSchema)]
pub struct NewPasskeyRequest {
    /// What I call it.
    name: String,
    /// In base64url, like the next one.
    client_data: String,
    authenticator_data: String,
}

/// Adds a passkey that my browser made. My roles need it from now on in each of my sessions. For the staff, with a recent sign-in.
#[utoipa::path(post, path = "/v1/passkeys", operation_id = "add_passkey", tag = "shop", request_body = NewPasskeyRequest,
    responses((status = 201, body = PasskeyView), (status = "default", body = Problem)))]
pub async fn add(
    State(state): State<AppState>,
    scope: CookieScope,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<NewPasskeyRequest>,
) -> ApiResult<(StatusCode, Json<PasskeyView>)> {
    let accounts = &state.app.accounts;
    // May the caller at all? Before their form is judged.
    accounts.check_may_add_passkey(&actor)?;
    let new = NewPasskey {
        client_data: bytes("client_data", &form.client_data)?,
        authenticator_data: bytes("authenticator_data", &form.authenticator_data)?,
    };
    let added = accounts.register_passkey(&actor, new, &form.name, &site(&scope)?).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// Removes a passkey of mine, with a recent sign-in. Without any the roles need only the code by e-mail.
#[utoipa::path(delete, path = "/v1/passkeys/{passkey}", operation_id = "remove_passkey", tag = "shop",
    params(("passkey" = PasskeyId, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(passkey): PathId<PasskeyId>,
) -> ApiResult<StatusCode> {
    state.app.accounts.remove_passkey(&actor, passkey).await?;
    Ok(StatusCode::NO_CONTENT)
}
