//! Sharing a show: its link as a QR code, and its time as a calendar entry.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{PathId, QueryParams};
use crate::domain::{Refusal, StreamId};
use crate::protocol::calendar::{self, CalendarEvent};

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
    let show = state.app.streams.stream(stream).await?;
    let Some(starts_at) = show.scheduled_at else {
        return Err(Refusal::WrongStatus("this show has no scheduled time").into());
    };
    let title = query.lang.and_then(|lang| show.titles.get(&lang)).unwrap_or(&show.title);
    let link = watch_url(&state, &headers, stream)?;
    let id = stream.to_string();
    let entry = CalendarEvent { id: &id, title, host: &show.host, link: &link, starts_at, now: show.now };
    Ok(text_file_response(
        calendar::ics(&entry),
        "text/calendar; charset=utf-8",
        Some("attachment; filename=\"show.ics\""),
    ))
}

/// The link of a show as a QR code. It starts with `--base-url`, or with the host of this request if that is not set.
#[utoipa::path(get, path = "/v1/streams/{stream}/qr.svg", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, content_type = "image/svg+xml", body = String), (status = "default", body = Problem)))]
pub async fn qr(
    State(state): State<AppState>,
    headers: HeaderMap,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Response> {
    state.app.streams.stream(stream).await?;
    let link = watch_url(&state, &headers, stream)?;
    let code = QrCode::new(&link).map_err(|_| Refusal::bad_request("the address is too long for a QR code"))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(256, 256).build();
    Ok(text_file_response(picture, "image/svg+xml", None))
}

fn text_file_response(body: String, kind: &'static str, disposition: Option<&'static str>) -> Response {
    let mut response = body.into_response();
    let mut set = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, kind);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'");
    if let Some(disposition) = disposition {
        set(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

fn watch_url(state: &AppState, headers: &HeaderMap, stream: StreamId) -> Result<String, Refusal> {
    let base = match state.origins.base_url() {
        Some(own) => own.to_owned(),
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b));
            let host = host
                .filter(plain)
                .ok_or_else(|| Refusal::bad_request("the Host header is missing or invalid; set --base-url"))?;
            format!("http://{host}")
        }
    };
    Ok(format!("{base}/watch?stream={stream}"))
}
