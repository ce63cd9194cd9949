//! Extractors: the caller, path ids, query, JSON body, idempotency key and page of a request. Each value is parsed once, here.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::AppState;
use super::api_key;
use super::auth;
use super::error::{ApiError, Problem};
use super::session_cookie::CookieScope;
use crate::domain::{Actor, ApiKeySecret, IdempotencyKey, Refusal, limits};
use crate::protocol::input_error;

/// The user who sends the request: the owner of a valid token, the program with a valid API key, the user of a session whose cookie counts, or an anonymous user. An
/// invalid token is refused, not treated as an anonymous user. A cookie without a session is nobody: the browser keeps sending it.
pub struct Caller(pub Actor);

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            let scope = CookieScope::of(&state.origins, &state.trusted_proxies, parts);
            let actor = match scope.secret(&parts.method, &parts.headers) {
                Some(secret) => state.app.accounts.authenticate(&secret).await?,
                None => None,
            };
            return Ok(Self(actor.unwrap_or_else(auth::anonymous_actor)));
        };
        let token = value.to_str().ok().and_then(bearer_token).unwrap_or("");
        if ApiKeySecret::is_meant(token) {
            return Ok(Self(api_key::authenticate(state, parts, token).await?));
        }
        let actor = state.authenticate(token, state.trusted_proxies.client_ip(parts)).await?;
        state.app.moderation.check_helper_access(&actor).await?;
        Ok(Self(actor))
    }
}

/// The bearer token of a request whose [`Caller`] was verified; empty for an anonymous user and for a session.
pub fn bearer(headers: &HeaderMap) -> &str {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token).unwrap_or("")
}

/// The token of `Bearer TOKEN`; the scheme is case-insensitive.
pub fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A JSON body. Anything else is refused as `bad_request` with the place of the error.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !is_json(kind) {
            let why = "The Content-Type must be application/json.";
            return Err(ApiError(Problem::bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| body_rejection(&rejection))?;
        Ok(Self(input_error::parse_body(&body)?))
    }
}

/// An optional JSON body. If there is one, it is parsed just as strictly.
impl<T: DeserializeOwned> OptionalFromRequest<AppState> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Option<Self>, ApiError> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<AppState>>::from_request(request, state).await.map(Some)
    }
}

/// `application/json`, or a type whose name ends with `+json`, with any parameters.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
}

fn body_rejection(rejection: &BytesRejection) -> ApiError {
    let why = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large.",
        _ => "The body could not be read.",
    };
    ApiError(Problem::bad_request(rejection.status(), why))
}

/// An id in the path, or several.
pub struct PathId<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(bad_path(parts, state).await.into()),
        }
    }
}

/// Names the first part of the path that is not an id.
async fn bad_path(parts: &mut Parts, state: &AppState) -> Refusal {
    let names = RawPathParams::from_request_parts(parts, state).await;
    let bad = names.ok().and_then(|names| {
        let bad = names.iter().find(|(_, id)| id.parse::<uuid::Uuid>().is_err());
        bad.map(|(name, _)| name.to_owned())
    });
    match bad {
        Some(name) => input_error::not_an_id(name),
        None => Refusal::bad_request("The path is not valid."),
    }
}

/// The start and the length of a page of a list.
pub struct PageRequest<A> {
    pub after: Option<A>,
    pub limit: i64,
}

/// The query `?limit&after` of every list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 to 100; default 50.
    limit: Option<i64>,
    /// The `next` of the previous page.
    after: Option<String>,
}

const PAGE_LIMIT_DEFAULT: i64 = 50;

impl<A: std::str::FromStr + Send> FromRequestParts<AppState> for PageRequest<A> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let QueryParams(PageQuery { limit, after }) = QueryParams::from_request_parts(parts, state).await?;
        let limit = limit.unwrap_or(PAGE_LIMIT_DEFAULT);
        let (low, high) = limits::PAGE;
        if !(low..=high).contains(&limit) {
            return Err(Refusal::bad_field("limit", format!("must be {low} to {high}.")).into());
        }
        let after =
            after.map(|text| text.parse().map_err(|_| Refusal::bad_field("after", "must be the `next` of a page.")));
        Ok(Self { after: after.transpose()?, limit })
    }
}

impl<A: ToString> PageRequest<A> {
    /// One row more than the page has, to know whether there is a next page.
    pub fn fetch_limit(&self) -> i64 {
        self.limit + 1
    }

    pub fn to_list<T>(&self, items: Vec<T>, cursor: impl Fn(&T) -> A) -> List<T> {
        self.to_cut_list(items, false, cursor)
    }

    /// The same for items of which fewer than the limit may have been read, although more follow (`is_cut`).
    pub fn to_cut_list<T>(&self, mut items: Vec<T>, is_cut: bool, cursor: impl Fn(&T) -> A) -> List<T> {
        let more = is_cut || items.len() as i64 > self.limit;
        items.truncate(self.limit as usize);
        let next = items.last().filter(|_| more).map(|last| cursor(last).to_string());
        List { items, next }
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// The `after` of the next page; null on the last page.
    pub next: Option<String>,
}

/// The query parameters of a request.
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(input_error::refuse_query(&rejection.body_text()).into()),
        }
    }
}

/// The `Idempotency-Key` header. A request must have exactly one.
pub fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Refusal> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let key = keys.next().ok_or(Refusal::KeyMissing)?;
    if keys.next().is_some() {
        return Err(Refusal::KeyInvalid);
    }
    IdempotencyKey::parse(key.to_str().map_err(|_| Refusal::KeyInvalid)?)
}

/// A field that may be null: left out, it stays as it is.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(input).map(Some)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn request_must_have_exactly_one_idempotency_key() {
        let mut headers = HeaderMap::new();
        assert_eq!(idempotency_key(&headers), Err(Refusal::KeyMissing));
        headers.append("Idempotency-Key", HeaderValue::from_static("\"0123456789\""));
        assert_eq!(idempotency_key(&headers).map(|key| key.as_str().to_owned()), Ok("0123456789".to_owned()));
        headers.append("Idempotency-Key", HeaderValue::from_static("0123456789"));
        assert_eq!(idempotency_key(&headers), Err(Refusal::KeyInvalid));
    }

    #[test]
    fn json_has_its_own_media_type_or_one_built_on_it() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/json", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_json(kind), expected, "{kind}");
        }
    }

    #[test]
    fn bearer_scheme_is_case_insensitive() {
        for (value, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c ", Some("a.b.c")),
            ("Basic a.b.c", None),
            ("Bearer", None),
        ] {
            assert_eq!(bearer_token(value), token, "{value}");
        }
    }

    #[test]
    fn next_is_null_on_the_last_page() {
        let page = PageRequest { after: None::<i64>, limit: 2 };
        let full = page.to_list(vec![1, 2, 3], |item| *item);
        assert_eq!((full.items, full.next.as_deref()), (vec![1, 2], Some("2")));
        let last = page.to_list(vec![1, 2], |item| *item);
        assert_eq!((last.items, last.next), (vec![1, 2], None));
    }
}
