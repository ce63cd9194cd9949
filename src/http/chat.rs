//! REST for talk and for keeping it kind.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Body, Caller, Id, List, Page, PageQuery};
use crate::domain::reaction::ReactionKind;
use crate::domain::{MessageId, SanctionKind, StreamId, UserId};
use crate::protocol::{ChatRulesView, MessageView, SanctionView};

/// What was said, newest first.
#[utoipa::path(get, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    page: Page<MessageId>,
) -> Answer<Json<List<MessageView>>> {
    let messages = door.app.messages(&actor, stream, page.after, page.fetch()).await?;
    Ok(Json(page.list(messages, |message| message.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct Text {
    text: String,
}

#[derive(Serialize, ToSchema)]
pub struct Said {
    id: MessageId,
}

/// Says something: 1 to 200 characters.
#[utoipa::path(post, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = Text, responses((status = 201, body = Said), (status = "default", body = Problem)))]
pub async fn say(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<Text>,
) -> Answer<(StatusCode, Json<Said>)> {
    let id = door.app.say(&actor, stream, &body.text).await?;
    Ok((StatusCode::CREATED, Json(Said { id })))
}

/// Takes a message away.
#[utoipa::path(delete, path = "/v1/streams/{stream}/messages/{message}", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn delete(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, message)): Id<(StreamId, MessageId)>,
) -> Answer<StatusCode> {
    door.app.delete_message(&actor, stream, message).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct React {
    #[serde(rename = "kind")]
    _kind: ReactionKind,
    /// 1 to 50.
    count: i64,
}

/// Sends hearts.
#[utoipa::path(post, path = "/v1/streams/{stream}/reactions", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = React, responses((status = 204), (status = "default", body = Problem)))]
pub async fn react(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<React>,
) -> Answer<StatusCode> {
    door.app.react(&actor, stream, body.count).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The muted and the banned.
#[utoipa::path(get, path = "/v1/streams/{stream}/mutes", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<SanctionView>), (status = "default", body = Problem)))]
pub async fn sanctions(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<Json<List<SanctionView>>> {
    Ok(Json(List { items: door.app.sanctions(&actor, stream).await?, next: None }))
}

#[derive(Deserialize, ToSchema)]
pub struct Mute {
    /// 10 seconds to 7 days.
    seconds: i64,
}

/// Keeps somebody quiet for a time.
#[utoipa::path(put, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat", request_body = Mute,
    params(("stream" = StreamId, Path), ("user" = String, Path)),
    responses((status = 200, body = SanctionView), (status = "default", body = Problem)))]
pub async fn mute(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
    Body(body): Body<Mute>,
) -> Answer<Json<SanctionView>> {
    Ok(Json(door.app.mute(&actor, stream, UserId::parse(&user)?, body.seconds).await?))
}

/// Lets them speak again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unmute(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
) -> Answer<StatusCode> {
    door.app.lift(&actor, stream, UserId::parse(&user)?, SanctionKind::Mute).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends somebody out of the show until the ban is lifted.
#[utoipa::path(put, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path)),
    responses((status = 200, body = SanctionView), (status = "default", body = Problem)))]
pub async fn ban(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
) -> Answer<Json<SanctionView>> {
    Ok(Json(door.app.ban(&actor, stream, UserId::parse(&user)?).await?))
}

/// Lets them in again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unban(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
) -> Answer<StatusCode> {
    door.app.lift(&actor, stream, UserId::parse(&user)?, SanctionKind::Ban).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct Rules {
    /// At least this many seconds between two messages of one viewer; 0 (off) to 300.
    slow_s: i64,
}

/// Slow mode.
#[utoipa::path(put, path = "/v1/streams/{stream}/chat", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = Rules, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn rules(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<Rules>,
) -> Answer<Json<ChatRulesView>> {
    Ok(Json(door.app.slow_mode(&actor, stream, body.slow_s).await?))
}

/// Shows a notice; an empty text takes it away.
#[utoipa::path(post, path = "/v1/streams/{stream}/announcements", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = Text, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn announce(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<Text>,
) -> Answer<Json<ChatRulesView>> {
    Ok(Json(door.app.announce(&actor, stream, &body.text).await?))
}
