//! REST routes that change shows: the form, calling one off, a copy.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId, given, idempotency_key};
use crate::app::Error;
use crate::domain::stream_change::StreamForm;
use crate::domain::{Millis, Refusal, StreamId, Titles};
use crate::protocol::{StreamCopyView, StreamView};

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
pub struct ChangeStreamRequest {
    /// The `version` that the change is based on.
    version: i64,
    title: Option<String>,
    titles: Option<Titles>,
    /// The URL of an HLS playlist. Viewers who watch get the new one within two seconds.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    video: Option<Option<String>>,
    /// The URL of the same video with low delay (WHEP).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    whep: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    poster: Option<Option<String>>,
    /// The URL of the recording, as a file or an HLS playlist; only of a show that has ended.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    replay: Option<Option<String>>,
    /// When the first picture of the recording was taken, in epoch milliseconds; null: when the show went live.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    replay_started_at: Option<Option<Millis>>,
    /// Epoch milliseconds; only of a show that has not begun.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    scheduled_at: Option<Option<Millis>>,
    /// At most ten words by which the shop sorts its shows.
    tags: Option<Vec<String>>,
}

impl From<ChangeStreamRequest> for StreamForm {
    fn from(form: ChangeStreamRequest) -> Self {
        let ChangeStreamRequest {
            version,
            title,
            titles,
            video,
            whep,
            poster,
            replay,
            replay_started_at,
            scheduled_at,
            tags,
        } = form;
        Self { edition: version, title, titles, video, whep, poster, replay, replay_started_at, scheduled_at, tags }
    }
}

/// Changes a show. Viewers see it at once. With another version than the newest the answer is 409 `outdated`, and its `current` is the
/// show as it is now.
#[utoipa::path(patch, path = "/v1/streams/{stream}", tag = "streams", params(("stream" = StreamId, Path)),
    request_body = ChangeStreamRequest, responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(form): JsonBody<ChangeStreamRequest>,
) -> ApiResult<Json<StreamView>> {
    match state.app.streams.change_stream(&actor, stream, form.into()).await {
        Ok(changed) => Ok(Json(changed)),
        Err(Error::Refused(Refusal::Outdated)) => {
            Err(ApiError(Problem::outdated(&state.app.streams.stream(stream).await?)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Cancels a show that has not begun. Its page stays and says so; the units of its offers return to the stock. To cancel it again is
/// no error.
#[utoipa::path(post, path = "/v1/streams/{stream}/cancel", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn cancel(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<StreamView>> {
    Ok(Json(state.app.streams.cancel_stream(&actor, stream).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct CopyStreamRequest {
    /// When the copy begins, in epoch milliseconds; left out: it is not known yet.
    scheduled_at: Option<Millis>,
}

/// Copies a show with its line-up: drafts of its offers, whose units are taken from the stock as far as it has them. A retry with the
/// same key gives the same copy.
#[utoipa::path(post, path = "/v1/streams/{stream}/copies", tag = "streams",
    params(("stream" = StreamId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    request_body = CopyStreamRequest, responses((status = 201, body = StreamCopyView), (status = "default", body = Problem)))]
pub async fn copy(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    headers: HeaderMap,
    JsonBody(CopyStreamRequest { scheduled_at }): JsonBody<CopyStreamRequest>,
) -> ApiResult<(StatusCode, Json<StreamCopyView>)> {
    let key = idempotency_key(&headers)?;
    Ok((StatusCode::CREATED, Json(state.app.streams.copy_stream(&actor, stream, scheduled_at, key).await?)))
}

#[derive(Deserialize, ToSchema)]
pub struct StreamSeriesRequest {
    /// The start of the first show in the time zone of the shop, like `2026-12-03T20:00`.
    first: String,
    /// How many shows, 1 to 52.
    count: i64,
}

/// Creates shows like this one, without its line-up: every week at the same time of day in the time zone of the shop, also when the
/// clocks change. A retry with the same key gives the same shows.
#[utoipa::path(post, path = "/v1/streams/{stream}/series", tag = "streams",
    params(("stream" = StreamId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    request_body = StreamSeriesRequest, responses((status = 201, body = List<StreamView>), (status = "default", body = Problem)))]
pub async fn series(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    headers: HeaderMap,
    JsonBody(StreamSeriesRequest { first, count }): JsonBody<StreamSeriesRequest>,
) -> ApiResult<(StatusCode, Json<List<StreamView>>)> {
    let key = idempotency_key(&headers)?;
    let items = state.app.streams.create_series(&actor, stream, (&first, count), key).await?;
    Ok((StatusCode::CREATED, Json(List { items, next: None })))
}
