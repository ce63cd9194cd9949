//! Parse once, at the door: who asks, with what, under which key.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::auth;
use super::error::{Failed, Problem};
use crate::domain::{Actor, Key, Refusal};

/// Whoever asks: the bearer of a good token, or a guest. A bad token is refused, never taken for none.
pub struct Caller(pub Actor);

impl FromRequestParts<Door> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failed> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(Self(auth::guest())) };
        let token = value.to_str().ok().and_then(bearer).unwrap_or("");
        let actor = door.auth.verify(token, door.proxies.client(parts))?;
        door.app.admit(&actor).await?;
        Ok(Self(actor))
    }
}

/// The token of `Bearer TOKEN`; the scheme's letters may be small or capital.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A JSON body; anything else is a `bad_request` that says where.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Door> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Failed> {
        match <axum::Json<T> as FromRequest<Door>>::from_request(request, door).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(Failed(refused_body(&rejection))),
        }
    }
}

/// A body one may leave out; what is sent is read as strictly.
impl<T: DeserializeOwned> OptionalFromRequest<Door> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, door: &Door) -> Result<Option<Self>, Failed> {
        match <axum::Json<T> as OptionalFromRequest<Door>>::from_request(request, door).await {
            Ok(found) => Ok(found.map(|axum::Json(value)| Self(value))),
            Err(rejection) => Err(Failed(refused_body(&rejection))),
        }
    }
}

fn refused_body(rejection: &JsonRejection) -> Problem {
    let status = match rejection.status() {
        // Well-formed JSON of the wrong shape is as bad a request as malformed JSON.
        axum::http::StatusCode::UNPROCESSABLE_ENTITY => axum::http::StatusCode::BAD_REQUEST,
        status => status,
    };
    Problem::new(status, "bad_request", rejection.body_text())
}

/// An id in the path.
pub struct Id<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Door> for Id<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failed> {
        match Path::<T>::from_request_parts(parts, door).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(rejection) => Err(Refusal::bad_request(rejection.body_text()).into()),
        }
    }
}

/// Where a page of a list begins and how long it is.
pub struct Page<A> {
    pub after: Option<A>,
    pub limit: i64,
}

/// `?limit&after` of every list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 100;

impl<A: std::str::FromStr + Send> FromRequestParts<Door> for Page<A> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failed> {
        let Asked(PageQuery { limit, after }) = Asked::from_request_parts(parts, door).await?;
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Refusal::bad_request("limit is 1 to 100").into());
        }
        let after = after.map(|text| text.parse().map_err(|_| Refusal::bad_request("after is the `next` of a page")));
        Ok(Self { after: after.transpose()?, limit })
    }
}

impl<A: ToString> Page<A> {
    /// One more than the page, so that it is known whether there is a next.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    pub fn list<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> A) -> List<T> {
        let more = items.len() as i64 > self.limit;
        items.truncate(self.limit as usize);
        let next = items.last().filter(|_| more).map(|last| cursor(last).to_string());
        List { items, next }
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// `after` of the next page; null on the last.
    pub next: Option<String>,
}

/// The query of a request.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Door> for Asked<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failed> {
        match Query::<T>::from_request_parts(parts, door).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Refusal::bad_request(rejection.body_text()).into()),
        }
    }
}

/// The `Idempotency-Key` of a request that must have exactly one.
pub struct IdempotencyKey(pub Key);

impl FromRequestParts<Door> for IdempotencyKey {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Failed> {
        Ok(Self(key_of(&parts.headers)?))
    }
}

fn key_of(headers: &HeaderMap) -> Result<Key, Refusal> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let key = keys.next().ok_or(Refusal::KeyMissing)?;
    if keys.next().is_some() {
        return Err(Refusal::KeyInvalid);
    }
    Key::parse(key.to_str().map_err(|_| Refusal::KeyInvalid)?)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_has_exactly_one_key() {
        let mut headers = HeaderMap::new();
        assert_eq!(key_of(&headers), Err(Refusal::KeyMissing));
        headers.append("Idempotency-Key", HeaderValue::from_static("\"0123456789\""));
        assert_eq!(key_of(&headers).map(|key| key.as_str().to_owned()), Ok("0123456789".to_owned()));
        headers.append("Idempotency-Key", HeaderValue::from_static("0123456789"));
        assert_eq!(key_of(&headers), Err(Refusal::KeyInvalid));
    }

    #[test]
    fn a_scheme_has_no_case() {
        for (value, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c ", Some("a.b.c")),
            ("Basic a.b.c", None),
            ("Bearer", None),
        ] {
            assert_eq!(bearer(value), token, "{value}");
        }
    }

    #[test]
    fn next_is_told_only_when_there_is_more() {
        let page = Page { after: None::<i64>, limit: 2 };
        let full = page.list(vec![1, 2, 3], |item| *item);
        assert_eq!((full.items, full.next.as_deref()), (vec![1, 2], Some("2")));
        let last = page.list(vec![1, 2], |item| *item);
        assert_eq!((last.items, last.next), (vec![1, 2], None));
    }
}
