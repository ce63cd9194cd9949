//! REST routes of moderation, except the live verbs (`src/verbs`): mutes and bans, the blocklist and the review queue.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PathId};
use crate::domain::{BlockedWord, StreamId};
use crate::protocol::{MessageView, SanctionView};

/// The mutes and bans of a show.
#[utoipa::path(get, path = "/v1/streams/{stream}/mutes", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<SanctionView>), (status = "default", body = Problem)))]
pub async fn sanctions(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<SanctionView>>> {
    Ok(Json(List { items: state.app.moderation.sanctions(&actor, stream).await?, next: None }))
}

/// At most 500 words.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct BlocklistBody {
    words: Vec<BlockedWord>,
}

/// The blocklist. Moderators only.
#[utoipa::path(get, path = "/v1/streams/{stream}/blocklist", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = BlocklistBody), (status = "default", body = Problem)))]
pub async fn blocklist(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<BlocklistBody>> {
    Ok(Json(BlocklistBody { words: state.app.chat.blocklist(&actor, stream).await? }))
}

/// Replaces the blocklist.
#[utoipa::path(put, path = "/v1/streams/{stream}/blocklist", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = BlocklistBody, responses((status = 200, body = BlocklistBody), (status = "default", body = Problem)))]
pub async fn set_blocklist(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(list): JsonBody<BlocklistBody>,
) -> ApiResult<Json<BlocklistBody>> {
    Ok(Json(BlocklistBody { words: state.app.chat.set_blocklist(&actor, stream, list.words).await? }))
}

/// The review queue, oldest message first. Moderators see all messages, other users see their own.
#[utoipa::path(get, path = "/v1/streams/{stream}/review-queue", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn review_queue(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<MessageView>>> {
    Ok(Json(List { items: state.app.chat.review_queue(&actor, stream).await?, next: None }))
}
