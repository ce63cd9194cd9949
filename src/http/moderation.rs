//! REST of moderation that is not a live verb: mutes and bans, the blocklist, the review queue and the audit log.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::domain::{AuditEntryId, BlockedWord, ChatRulesForm, MessageId, SanctionKind, StreamId, UserId};
use crate::protocol::{AuditEntryView, ChatRulesView, MessageView, SanctionView};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReasonQuery {
    /// For the log and for the one concerned: at most 200 characters.
    reason: Option<String>,
}

impl ReasonQuery {
    fn as_deref(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// Takes a message away.
#[utoipa::path(delete, path = "/v1/streams/{stream}/messages/{message}", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn delete_message(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, message)): PathId<(StreamId, MessageId)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    state.app.delete_message(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The mutes and bans of a show.
#[utoipa::path(get, path = "/v1/streams/{stream}/mutes", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<SanctionView>), (status = "default", body = Problem)))]
pub async fn sanctions(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<SanctionView>>> {
    Ok(Json(List { items: state.app.sanctions(&actor, stream).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct MuteRequest {
    /// 10 seconds to 7 days.
    seconds: i64,
    reason: Option<String>,
}

/// Keeps somebody quiet for a time, and takes away what they said.
#[utoipa::path(put, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat", request_body = MuteRequest,
    params(("stream" = StreamId, Path), ("user" = String, Path)),
    responses((status = 200, body = SanctionView), (status = "default", body = Problem)))]
pub async fn mute(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    JsonBody(body): JsonBody<MuteRequest>,
) -> ApiResult<Json<SanctionView>> {
    Ok(Json(state.app.mute(&actor, stream, UserId::parse(&user)?, body.seconds, body.reason.as_deref()).await?))
}

/// Lets them speak again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unmute(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    state.app.lift_sanction(&actor, stream, UserId::parse(&user)?, SanctionKind::Mute, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize, ToSchema)]
pub struct BanRequest {
    /// For the log and for the one concerned: at most 200 characters.
    reason: Option<String>,
}

/// Sends somebody out of the show until the ban is lifted, and takes away what they said. Without a body, no reason
/// is given.
#[utoipa::path(put, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path)), request_body = Option<BanRequest>,
    responses((status = 200, body = SanctionView), (status = "default", body = Problem)))]
pub async fn ban(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    body: Option<JsonBody<BanRequest>>,
) -> ApiResult<Json<SanctionView>> {
    let BanRequest { reason } = body.map(|JsonBody(ban)| ban).unwrap_or_default();
    Ok(Json(state.app.ban(&actor, stream, UserId::parse(&user)?, reason.as_deref()).await?))
}

/// Lets them in again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unban(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    state.app.lift_sanction(&actor, stream, UserId::parse(&user)?, SanctionKind::Ban, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the rules of the talk; what is not given stays as it is.
#[utoipa::path(put, path = "/v1/streams/{stream}/chat", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = ChatRulesForm, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn set_chat_rules(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(form): JsonBody<ChatRulesForm>,
) -> ApiResult<Json<ChatRulesView>> {
    Ok(Json(state.app.set_chat_rules(&actor, stream, form).await?))
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
    Ok(Json(BlocklistBody { words: state.app.blocklist(&actor, stream).await? }))
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
    Ok(Json(BlocklistBody { words: state.app.set_blocklist(&actor, stream, list.words).await? }))
}

/// The review queue, oldest message first. Moderators see all messages, other users see their own.
#[utoipa::path(get, path = "/v1/streams/{stream}/review-queue", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn review_queue(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<MessageView>>> {
    Ok(Json(List { items: state.app.held(&actor, stream).await?, next: None }))
}

/// Says a message that waits, under its author's name.
#[utoipa::path(post, path = "/v1/streams/{stream}/review-queue/{message}/approve", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn approve(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, message)): PathId<(StreamId, MessageId)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    state.app.approve(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decides that a message that waits is never said.
#[utoipa::path(post, path = "/v1/streams/{stream}/review-queue/{message}/reject", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn reject(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, message)): PathId<(StreamId, MessageId)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    state.app.reject(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct PinMessageRequest {
    id: MessageId,
}

/// Puts a message above the others until another takes its place.
#[utoipa::path(put, path = "/v1/streams/{stream}/pinned-message", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = PinMessageRequest, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn pin_message(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<PinMessageRequest>,
) -> ApiResult<Json<ChatRulesView>> {
    Ok(Json(state.app.pin_message(&actor, stream, body.id).await?))
}

/// Takes it down.
#[utoipa::path(delete, path = "/v1/streams/{stream}/pinned-message", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unpin_message(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<StatusCode> {
    state.app.unpin_message(&actor, stream).await?;
    Ok(StatusCode::NO_CONTENT)
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
    let entries = state.app.audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(entries, |entry| entry.id)))
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
    let entries = state.app.my_audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(entries, |entry| entry.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct AnnounceRequest {
    text: String,
}

/// Shows a notice; an empty text takes it away.
#[utoipa::path(post, path = "/v1/streams/{stream}/announcements", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = AnnounceRequest, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn announce(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<AnnounceRequest>,
) -> ApiResult<Json<ChatRulesView>> {
    Ok(Json(state.app.announce(&actor, stream, &body.text).await?))
}
