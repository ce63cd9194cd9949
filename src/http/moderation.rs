//! REST routes of moderation, except the live verbs (`src/verbs`): mutes and bans, the blocklist, the review queue and the audit
//! log.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId};
use crate::domain::{AuditEntryId, BlockedWord, StreamId};
use crate::protocol::{AuditEntryView, MessageView, SanctionView};

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

/// The audit log of a show, newest entry first. Moderators only.
#[utoipa::path(get, path = "/v1/streams/{stream}/audit-log", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn audit_log(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let entries = state.app.audit.audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(entries, |entry| entry.id)))
}

/// The entries of the audit log that affect me, with the reason and the role of the team member.
#[utoipa::path(get, path = "/v1/streams/{stream}/audit-log/mine", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn my_audit_log(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let entries = state.app.audit.my_audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(entries, |entry| entry.id)))
}
