//! Media servers ask here whether an encoder may publish a show and whether a page may watch it; and where pages get their tokens. The
//! keys of encoders are in `publish_key`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use super::media_key::MediaAction;
use crate::domain::{Millis, Refusal, StreamId};

/// A page asks for a new token each time it connects.
const VIEW_MS: Millis = 4 * 3_600_000;

/// A key for a media server.
#[derive(Serialize, ToSchema)]
pub struct MediaKeyView {
    /// The bearer token, the password, or `?token=` behind the address.
    pub(super) key: String,
    pub(super) expires_at: Millis,
}

/// The token with which a page watches the video of a show at a media server that asks this server. Everybody who may watch the show gets
/// one, for four hours.
#[utoipa::path(post, path = "/v1/streams/{stream}/viewer-token", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 201, body = MediaKeyView), (status = "default", body = Problem)))]
pub async fn viewer_token(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<(StatusCode, Json<MediaKeyView>)> {
    state.app.streams.authorize_watching(&actor, stream).await?;
    let expires_at = state.app.now() + VIEW_MS;
    let key = state.auth.media_keys().sign_view(stream, expires_at).ok_or(Refusal::Forbidden)?;
    Ok((StatusCode::CREATED, Json(MediaKeyView { key, expires_at })))
}

/// What MediaMTX asks (`authMethod: http`). What it sends besides is not read.
#[derive(Deserialize, ToSchema)]
pub struct MediaMtxRequest {
    /// `publish`, `read` or `playback`; others are refused.
    action: String,
    /// One part of it is the id of the show.
    path: String,
    /// `hls`: a show is read without a token, because browsers have none for playlists and their parts.
    protocol: Option<String>,
    /// The bearer token.
    token: Option<String>,
    password: Option<String>,
    /// Of the address; it may have `token=`.
    query: Option<String>,
}

/// MediaMTX asks whether somebody may publish or watch the video of a show. 204: yes.
#[utoipa::path(post, path = "/v1/media/mediamtx", operation_id = "ask_mediamtx", tag = "streams", request_body = MediaMtxRequest,
    responses((status = 204, description = "Allowed"), (status = "default", body = Problem)))]
pub async fn mediamtx(
    State(state): State<AppState>,
    JsonBody(asked): JsonBody<MediaMtxRequest>,
) -> ApiResult<StatusCode> {
    let action = match asked.action.as_str() {
        "publish" => MediaAction::Publish,
        "read" | "playback" => MediaAction::View,
        _ => return Err(Refusal::TokenInvalid.into()),
    };
    if asked.action == "read" && asked.protocol.as_deref() == Some("hls") && stream_of_path(&asked.path).is_some() {
        return Ok(StatusCode::NO_CONTENT);
    }
    let query = asked.query.as_deref().and_then(token_of_query);
    let given = [asked.token.as_deref(), asked.password.as_deref(), query];
    match is_allowed(&state, action, &asked.path, given.into_iter().flatten()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::TokenInvalid.into()),
    }
}

/// What OvenMediaEngine asks (`AdmissionWebhooks`). What it sends besides is not read.
#[derive(Deserialize, ToSchema)]
pub struct OvenMediaRequest {
    request: OvenMediaCallRequest,
}

#[derive(Deserialize, ToSchema)]
pub struct OvenMediaCallRequest {
    /// `incoming`: an encoder; `outgoing`: a viewer.
    direction: String,
    /// `opening` or `closing`.
    status: String,
    /// A part of its path is the id of the show; its query may have `token=`.
    url: String,
}

#[derive(Serialize, ToSchema)]
pub struct OvenMediaAnswer {
    allowed: bool,
}

/// OvenMediaEngine asks whether somebody may publish or watch the video of a show. Its signature is not checked: without a token the
/// answer is always that it is not allowed.
#[utoipa::path(post, path = "/v1/media/ovenmediaengine", operation_id = "ask_ovenmediaengine", tag = "streams",
    request_body = OvenMediaRequest,
    responses((status = 200, body = OvenMediaAnswer), (status = "default", body = Problem)))]
pub async fn ovenmediaengine(
    State(state): State<AppState>,
    JsonBody(asked): JsonBody<OvenMediaRequest>,
) -> ApiResult<Json<OvenMediaAnswer>> {
    let OvenMediaCallRequest { direction, status, url } = asked.request;
    let action = match direction.as_str() {
        "incoming" => MediaAction::Publish,
        "outgoing" => MediaAction::View,
        _ => return Ok(Json(OvenMediaAnswer { allowed: false })),
    };
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let allowed = status == "closing" || is_allowed(&state, action, path, token_of_query(query).into_iter()).await?;
    Ok(Json(OvenMediaAnswer { allowed }))
}

/// Whether one of these keys is valid for the show in the path. The signature is checked first: a text that the shop did not sign costs no
/// query.
async fn is_allowed<'a>(
    state: &AppState,
    action: MediaAction,
    path: &str,
    mut given: impl Iterator<Item = &'a str>,
) -> ApiResult<bool> {
    let Some(stream) = stream_of_path(path) else { return Ok(false) };
    let now = state.app.now();
    let keys = state.auth.media_keys();
    match (action, given.find_map(|text| keys.verify(text, action, stream, now))) {
        (_, None) => Ok(false),
        (MediaAction::View, Some(_)) => Ok(true),
        (MediaAction::Publish, Some(generation)) => Ok(state.app.streams.admit_publisher(stream, generation).await?),
    }
}

fn stream_of_path(path: &str) -> Option<StreamId> {
    path.split('/').find_map(|part| part.parse().ok())
}

fn token_of_query(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show_and_token_are_read_from_addresses() {
        let show = StreamId::new();
        for path in [format!("{show}"), format!("live/{show}"), format!("wss://media.example:3334/app/{show}/hd")] {
            assert_eq!(stream_of_path(&path), Some(show), "{path}");
        }
        assert_eq!(stream_of_path("live/studio"), None);
        for (query, expected) in
            [("token=view_1", Some("view_1")), ("a=b&token=x&c", Some("x")), ("", None), ("tokens=x", None)]
        {
            assert_eq!(token_of_query(query), expected, "{query}");
        }
    }
}
