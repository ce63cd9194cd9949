//! The keys with which encoders publish the video of a show, for media servers that ask this server: made, replaced and revoked.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use super::media_access::MediaKeyView;
use crate::domain::publish_key::PublishKeyChange;
use crate::domain::{Actor, Millis, Refusal, StreamId};

/// An encoder is set up days before its show.
const PUBLISH_MS: Millis = 30 * 86_400_000;

/// What is known of the publish keys of a show. The keys themselves are not stored.
#[derive(Serialize, ToSchema)]
pub struct PublishKeyStateView {
    /// When the newest valid key was made; null: none was made since the keys were revoked, or none has been made yet.
    made_at: Option<Millis>,
    /// When the newest key ends, if the show has not ended before.
    expires_at: Option<Millis>,
    /// When a media server last let an encoder in with one of them, to the minute.
    used_at: Option<Millis>,
}

/// What is known of the publish keys of a show: when the newest was made, and when one was used.
#[utoipa::path(get, path = "/v1/streams/{stream}/publish-key", operation_id = "publish_key_state", tag = "streams",
    params(("stream" = StreamId, Path)),
    responses((status = 200, body = PublishKeyStateView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<PublishKeyStateView>> {
    let keys = state.app.streams.publish_keys(&actor, stream).await?;
    let expires_at = keys.made_at.map(|at| at + PUBLISH_MS);
    Ok(Json(PublishKeyStateView { made_at: keys.made_at, expires_at, used_at: keys.used_at }))
}

/// A key with which an encoder publishes the video of a show, for media servers that ask this server (`/v1/media/…`). It is valid for this
/// show only, until the show has ended, for 30 days at most, and until it is replaced or revoked. It is not stored: to ask again gives
/// another one, and the earlier ones remain valid. The audit log records it.
#[utoipa::path(post, path = "/v1/streams/{stream}/publish-key", operation_id = "publish_key", tag = "streams",
    params(("stream" = StreamId, Path)),
    responses((status = 201, body = MediaKeyView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<(StatusCode, Json<MediaKeyView>)> {
    new_key(&state, &actor, stream, PublishKeyChange::Add).await
}

/// Replaces the publish keys of a show: gives a new key, and all earlier ones are refused from then on. An encoder that is connected stays
/// connected until its media server asks again. The audit log records it.
#[utoipa::path(post, path = "/v1/streams/{stream}/publish-key/rotate", operation_id = "rotate_publish_key", tag = "streams",
    params(("stream" = StreamId, Path)),
    responses((status = 201, body = MediaKeyView), (status = "default", body = Problem)))]
pub async fn rotate(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<(StatusCode, Json<MediaKeyView>)> {
    new_key(&state, &actor, stream, PublishKeyChange::Replace).await
}

/// Revokes the publish keys of a show: all that were made are refused from now on. The audit log records it.
#[utoipa::path(delete, path = "/v1/streams/{stream}/publish-key", operation_id = "end_publish_keys", tag = "streams",
    params(("stream" = StreamId, Path)),
    responses((status = 204, description = "Revoked"), (status = "default", body = Problem)))]
pub async fn end(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<StatusCode> {
    state.app.streams.change_publish_keys(&actor, stream, PublishKeyChange::Revoke).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn new_key(
    state: &AppState,
    actor: &Actor,
    stream: StreamId,
    change: PublishKeyChange,
) -> ApiResult<(StatusCode, Json<MediaKeyView>)> {
    let generation = state.app.streams.change_publish_keys(actor, stream, change).await?;
    let expires_at = state.app.now() + PUBLISH_MS;
    let key = state.auth.media_keys().sign_publish(stream, generation, expires_at).ok_or(Refusal::Forbidden)?;
    Ok((StatusCode::CREATED, Json(MediaKeyView { key, expires_at })))
}
