//! What leads people to a show: its link as a QR code, its time as a calendar entry.

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
    /// A tag like `ar`: the title in that language, where there is one.
    lang: Option<String>,
}

/// The time of a show that is to come, as iCalendar (RFC 5545), with an alarm ten minutes before.
#[utoipa::path(get, path = "/v1/streams/{stream}/calendar.ics", tag = "streams",
    params(("stream" = StreamId, Path), LanguageQuery),
    responses((status = 200, content_type = "text/calendar", body = String), (status = "default", body = Problem)))]
pub async fn calendar(
    State(door): State<AppState>,
    headers: HeaderMap,
    PathId(stream): PathId<StreamId>,
    QueryParams(query): QueryParams<LanguageQuery>,
) -> ApiResult<Response> {
    let show = door.app.stream(stream).await?;
    let Some(starts_at) = show.scheduled_at else {
        return Err(Refusal::WrongStatus("no time is set for this show").into());
    };
    let title = query.lang.and_then(|lang| show.titles.get(&lang)).unwrap_or(&show.title);
    let link = watch_url(&door, &headers, stream)?;
    let id = stream.to_string();
    let entry = CalendarEvent { id: &id, title, host: &show.host, link: &link, starts_at, now: show.now };
    Ok(text_file_response(
        calendar::ics(&entry),
        "text/calendar; charset=utf-8",
        Some("attachment; filename=\"show.ics\""),
    ))
}

/// The show's link as a QR code. The link begins with `--base-url`, else with the address this was asked at.
#[utoipa::path(get, path = "/v1/streams/{stream}/qr.svg", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, content_type = "image/svg+xml", body = String), (status = "default", body = Problem)))]
pub async fn qr(
    State(door): State<AppState>,
    headers: HeaderMap,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Response> {
    door.app.stream(stream).await?;
    let link = watch_url(&door, &headers, stream)?;
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

fn watch_url(door: &AppState, headers: &HeaderMap, stream: StreamId) -> Result<String, Refusal> {
    let base = match door.origins.base_url() {
        Some(own) => own.to_owned(),
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b));
            let host = host.filter(plain).ok_or_else(|| Refusal::bad_request("which host? see --base-url"))?;
            format!("http://{host}")
        }
    };
    Ok(format!("{base}/watch?stream={stream}"))
}
