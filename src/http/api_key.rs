//! API keys: REST routes for owners and admins, and the actor of a request with a key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::app::{ApiKeyForm, Result};
use crate::domain::api_key::parse_scopes;
use crate::domain::{Actor, ApiKey, ApiKeyId, ApiKeySecret, ApiScope, Millis, Name, Refusal};

/// The actor of a request whose bearer token is meant as an API key. Refused when the key is not in force, when it has no scope for the
/// route, and when it sends too much. A client that guesses keys is refused before the database is asked.
pub async fn authenticate(state: &AppState, parts: &Parts, token: &str) -> Result<Actor> {
    let (client, now) = (state.trusted_proxies.client_ip(parts), state.app.now());
    let secret = ApiKeySecret::parse(token);
    let key = match &secret {
        Some(secret) => {
            if !state.app.api_keys.is_known(secret) {
                state.wrong_keys.check(client, now)?;
            }
            state.app.api_keys.authenticate(secret).await?
        }
        None => Err(Refusal::TokenInvalid),
    };
    let key = match key {
        Ok(key) => key,
        Err(refusal) => {
            state.wrong_keys.take(client, now)?;
            return Err(refusal.into());
        }
    };
    state.key_limit.take(key.id, now)?;
    let actor = key.actor();
    state.app.tokens.check(&actor)?;
    key.check_scope(parts.method.as_str(), parts.uri.path())?;
    Ok(actor)
}

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    id: ApiKeyId,
    name: Name,
    /// The beginning and the end of the secret: `lsk_live_…a1B2`.
    hint: String,
    scopes: Vec<&'static str>,
    /// The name of the person who made it.
    by: String,
    created_at: Millis,
    /// Rounded down to a minute; null: it was not used yet.
    last_used_at: Option<Millis>,
    /// Null: it has no end.
    expires_at: Option<Millis>,
    /// When somebody ended it, or its maker lost the role; null: nobody did.
    ended_at: Option<Millis>,
    is_in_force: bool,
}

impl ApiKeyView {
    fn of(key: ApiKey, now: Millis) -> Self {
        let is_in_force = key.is_in_force(now);
        let ApiKey { id, name, hint, scopes, by_name, created_at, last_used_at, expires_at, ended_at, .. } = key;
        let scopes = scopes.into_iter().map(ApiScope::name).collect();
        Self { id, name, hint, scopes, by: by_name, created_at, last_used_at, expires_at, ended_at, is_in_force }
    }
}

/// The keys of the shop, newest first.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyList {
    keys: Vec<ApiKeyView>,
    /// The scopes that a key may have.
    scopes: Vec<&'static str>,
}

/// A new key with its secret, which is shown once.
#[derive(Serialize, ToSchema)]
pub struct NewApiKey {
    /// What the program sends: `Authorization: Bearer SECRET`.
    secret: String,
    key: ApiKeyView,
}

/// The API keys of the shop, also those that ended in the last 90 days. Owners and admins only.
#[utoipa::path(get, path = "/v1/api-keys", operation_id = "list_api_keys", tag = "staff",
    responses((status = 200, body = ApiKeyList), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<ApiKeyList>> {
    let keys = state.app.api_keys.list(&actor).await?;
    let now = state.app.now();
    Ok(Json(ApiKeyList {
        keys: keys.into_iter().map(|key| ApiKeyView::of(key, now)).collect(),
        scopes: ApiScope::ALL.iter().map(|scope| scope.name()).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
pub struct NewApiKeyRequest {
    /// Which program uses it. At most two keys of one name are in force.
    name: String,
    /// What it may do; left out: reading products, shows, offers and orders.
    scopes: Option<Vec<String>>,
    /// When it ends by itself; left out: never.
    expires_at: Option<Millis>,
}

/// Makes an API key for a program of the shop. Its secret is in this answer only. It needs a session with a sign-in of the last ten
/// minutes. The key ends when its maker loses power. Owners and admins only.
#[utoipa::path(post, path = "/v1/api-keys", operation_id = "create_api_key", tag = "staff", request_body = NewApiKeyRequest,
    responses((status = 201, body = NewApiKey), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<NewApiKeyRequest>,
) -> ApiResult<(StatusCode, Json<NewApiKey>)> {
    // Authorization comes before validation: a refused caller learns nothing about the form.
    state.app.api_keys.check_may_make(&actor).await?;
    let form = ApiKeyForm {
        name: Name::parse(&form.name).map_err(|refusal| refusal.in_field("name"))?,
        scopes: form.scopes.map_or_else(|| Ok(ApiScope::defaults()), |given| parse_scopes(&given))?,
        expires_at: form.expires_at,
    };
    Ok(made(&state, state.app.api_keys.create(&actor, form).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct RotateApiKeyRequest {
    /// How many hours the old key still works: 0 to 168; left out: 24.
    hours: Option<i64>,
}

/// Makes a key that replaces another one, with the same name and scopes. The old one works for some hours more, so that no program
/// stops. It needs a session with a sign-in of the last ten minutes. Owners and admins only.
#[utoipa::path(post, path = "/v1/api-keys/{api_key}/rotate", operation_id = "rotate_api_key", tag = "staff",
    params(("api_key" = ApiKeyId, Path)), request_body = RotateApiKeyRequest,
    responses((status = 201, body = NewApiKey), (status = "default", body = Problem)))]
pub async fn rotate(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(id): PathId<ApiKeyId>,
    JsonBody(form): JsonBody<RotateApiKeyRequest>,
) -> ApiResult<(StatusCode, Json<NewApiKey>)> {
    Ok(made(&state, state.app.api_keys.rotate(&actor, id, form.hours).await?))
}

/// Ends a key at once. It holds on every node within two seconds. Owners and admins only.
#[utoipa::path(delete, path = "/v1/api-keys/{api_key}", operation_id = "end_api_key", tag = "staff",
    params(("api_key" = ApiKeyId, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub async fn end(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(id): PathId<ApiKeyId>,
) -> ApiResult<StatusCode> {
    state.app.api_keys.end(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn made(state: &AppState, (key, secret): (ApiKey, ApiKeySecret)) -> (StatusCode, Json<NewApiKey>) {
    let key = ApiKeyView::of(key, state.app.now());
    (StatusCode::CREATED, Json(NewApiKey { secret: secret.as_str().to_owned(), key }))
}
