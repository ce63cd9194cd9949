//! Sharing a show: its link as a QR code, and its time as a calendar entry.
//!
//! Drawing a QR code takes a millisecond, and no token is needed to request one. So each code is drawn once and kept, and codes for new
//! links, which a client can invent with the `Host` header, are drawn at a limited rate.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use quick_cache::sync::Cache;
use serde::Deserialize;

use super::AppState;
use super::document::Document;
use super::error::{ApiResult, Problem};
use super::extract::{PathId, QueryParams};
use crate::domain::{Millis, Refusal, StreamId, TokenBucket};
use crate::protocol::calendar::{self, CalendarEvent};

/// Codes that are kept, about 20 KB each; those that were not asked for lately are dropped.
const CODES_MAX: usize = 256;
const CODES_DRAWN_PER_S: f64 = 20.0;
const CODES_DRAWN_BURST: f64 = 40.0;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LanguageQuery {
    /// A language tag like `ar`: the title in that language, if there is one.
    lang: Option<String>,
}

/// A scheduled show as an iCalendar entry (RFC 5545), with an alarm ten minutes before.
#[utoipa::path(get, path = "/v1/streams/{stream}/calendar.ics", tag = "streams",
    params(("stream" = StreamId, Path), LanguageQuery),
    responses((status = 200, content_type = "text/calendar", body = String), (status = "default", body = Problem)))]
pub async fn calendar(
    State(state): State<AppState>,
    headers: HeaderMap,
    PathId(stream): PathId<StreamId>,
    QueryParams(query): QueryParams<LanguageQuery>,
) -> ApiResult<Response> {
    let show = state.app.stream_cache.find_stream(stream).await?.stream();
    let Some(starts_at) = show.scheduled_at else {
        return Err(Refusal::WrongStatus("This show has no scheduled time.").into());
    };
    let title = query.lang.and_then(|lang| show.titles.get(&lang)).unwrap_or(&show.title);
    let link = watch_url(&state, &headers, stream)?;
    let id = stream.to_string();
    let entry = CalendarEvent {
        id: &id,
        title,
        host: &show.host,
        link: &link,
        starts_at,
        now: state.app.now(),
        is_cancelled: show.cancelled_at.is_some(),
    };
    Ok(text_file_response(calendar::ics(&entry), "text/calendar; charset=utf-8", "attachment; filename=\"show.ics\""))
}

/// The link of a show as a QR code. It starts with `--base-url`, or with the host of this request if that is not set.
#[utoipa::path(get, path = "/v1/streams/{stream}/qr.svg", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, content_type = "image/svg+xml", body = String), (status = "default", body = Problem)))]
pub async fn qr(
    State(state): State<AppState>,
    headers: HeaderMap,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Response> {
    state.app.stream_cache.check_stream_exists(stream).await?;
    let link = watch_url(&state, &headers, stream)?;
    let mut response = qr_code(link, state.app.clock().now())?.response(&headers, "no-cache");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, FILE_POLICY);
    Ok(response)
}

/// The picture of this link, drawn at most once while it is kept.
fn qr_code(link: String, now: Millis) -> Result<Arc<Document>, Refusal> {
    static CODES: LazyLock<Cache<String, Arc<Document>>> = LazyLock::new(|| Cache::new(CODES_MAX));
    static DRAWN: LazyLock<Mutex<TokenBucket>> =
        LazyLock::new(|| Mutex::new(TokenBucket::new(CODES_DRAWN_PER_S, CODES_DRAWN_BURST, 0)));
    if let Some(code) = CODES.get(&link) {
        return Ok(code);
    }
    let allowed = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).take(now);
    allowed.map_err(|retry_ms| Refusal::Busy { retry_ms })?;
    let code = QrCode::new(&link).map_err(|_| Refusal::bad_request("The address is too long for a QR code."))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(256, 256).build();
    let code = Arc::new(Document::new("image/svg+xml", picture));
    CODES.insert(link, code.clone());
    Ok(code)
}

const FILE_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

fn text_file_response(body: String, kind: &'static str, disposition: &'static str) -> Response {
    let mut response = body.into_response();
    let mut set = |name: HeaderName, value| response.headers_mut().insert(name, value);
    set(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    set(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    set(header::CONTENT_SECURITY_POLICY, FILE_POLICY);
    set(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    response
}

/// The address of this shop for links: `--base-url`, or the host of the request.
pub(super) fn own_address(state: &AppState, headers: &HeaderMap) -> Result<String, Refusal> {
    Ok(match state.origins.base_url() {
        Some(own) => own.to_owned(),
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b));
            let host = host
                .filter(plain)
                .ok_or_else(|| Refusal::bad_request("The Host header is missing or not valid. See --base-url."))?;
            format!("http://{host}")
        }
    })
}

fn watch_url(state: &AppState, headers: &HeaderMap, stream: StreamId) -> Result<String, Refusal> {
    Ok(format!("{}/watch?stream={stream}", own_address(state, headers)?))
}
