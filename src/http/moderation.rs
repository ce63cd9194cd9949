//! REST for keeping talk kind: who may speak, what is taken away, what waits, the rules, and what was done.

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
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, message)): PathId<(StreamId, MessageId)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    door.app.delete_message(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The muted and the banned.
#[utoipa::path(get, path = "/v1/streams/{stream}/mutes", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<SanctionView>), (status = "default", body = Problem)))]
pub async fn sanctions(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<SanctionView>>> {
    Ok(Json(List { items: door.app.sanctions(&actor, stream).await?, next: None }))
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
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    JsonBody(body): JsonBody<MuteRequest>,
) -> ApiResult<Json<SanctionView>> {
    Ok(Json(door.app.mute(&actor, stream, UserId::parse(&user)?, body.seconds, body.reason.as_deref()).await?))
}

/// Lets them speak again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unmute(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    door.app.lift_sanction(&actor, stream, UserId::parse(&user)?, SanctionKind::Mute, why.as_deref()).await?;
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
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    body: Option<JsonBody<BanRequest>>,
) -> ApiResult<Json<SanctionView>> {
    let BanRequest { reason } = body.map(|JsonBody(ban)| ban).unwrap_or_default();
    Ok(Json(door.app.ban(&actor, stream, UserId::parse(&user)?, reason.as_deref()).await?))
}

/// Lets them in again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unban(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, user)): PathId<(StreamId, String)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    door.app.lift_sanction(&actor, stream, UserId::parse(&user)?, SanctionKind::Ban, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the rules of the talk; what is not given stays as it is.
#[utoipa::path(put, path = "/v1/streams/{stream}/chat", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = ChatRulesForm, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn set_chat_rules(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(form): JsonBody<ChatRulesForm>,
) -> ApiResult<Json<ChatRulesView>> {
    Ok(Json(door.app.set_chat_rules(&actor, stream, form).await?))
}

/// At most 500.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct BlocklistBody {
    words: Vec<BlockedWord>,
}

/// The muted words: for those who keep order.
#[utoipa::path(get, path = "/v1/streams/{stream}/words", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = BlocklistBody), (status = "default", body = Problem)))]
pub async fn blocklist(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<BlocklistBody>> {
    Ok(Json(BlocklistBody { words: door.app.blocklist(&actor, stream).await? }))
}

/// Puts another list in its place.
#[utoipa::path(put, path = "/v1/streams/{stream}/words", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = BlocklistBody, responses((status = 200, body = BlocklistBody), (status = "default", body = Problem)))]
pub async fn set_blocklist(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(list): JsonBody<BlocklistBody>,
) -> ApiResult<Json<BlocklistBody>> {
    Ok(Json(BlocklistBody { words: door.app.set_blocklist(&actor, stream, list.words).await? }))
}

/// What waits to be looked at, oldest first: all of it for those who keep order, their own for everybody else.
#[utoipa::path(get, path = "/v1/streams/{stream}/held", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn held(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<List<MessageView>>> {
    Ok(Json(List { items: door.app.held(&actor, stream).await?, next: None }))
}

/// Says a message that waits, under its author's name.
#[utoipa::path(post, path = "/v1/streams/{stream}/held/{message}/approve", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn approve(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, message)): PathId<(StreamId, MessageId)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    door.app.approve(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decides that a message that waits is never said.
#[utoipa::path(post, path = "/v1/streams/{stream}/held/{message}/hide", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), ReasonQuery),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn reject(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, message)): PathId<(StreamId, MessageId)>,
    QueryParams(why): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    door.app.reject(&actor, stream, message, why.as_deref()).await?;
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
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<PinMessageRequest>,
) -> ApiResult<Json<ChatRulesView>> {
    Ok(Json(door.app.pin_message(&actor, stream, body.id).await?))
}

/// Takes it down.
#[utoipa::path(delete, path = "/v1/streams/{stream}/pinned-message", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unpin_message(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<StatusCode> {
    door.app.unpin_message(&actor, stream).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the team did, newest first: for those who keep order.
#[utoipa::path(get, path = "/v1/streams/{stream}/actions", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn audit_log(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let deeds = door.app.audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(deeds, |deed| deed.id)))
}

/// What was done to me, why, and by whom as far as their role goes.
#[utoipa::path(get, path = "/v1/streams/{stream}/actions/mine", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn my_audit_log(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let deeds = door.app.my_audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(deeds, |deed| deed.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct AnnounceRequest {
    text: String,
}

/// Shows a notice; an empty text takes it away.
#[utoipa::path(post, path = "/v1/streams/{stream}/announcements", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = AnnounceRequest, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn announce(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<AnnounceRequest>,
) -> ApiResult<Json<ChatRulesView>> {
    Ok(Json(door.app.announce(&actor, stream, &body.text).await?))
}
