//! REST for keeping talk kind: who may speak, what is taken away, what waits, the rules, and what was done.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Asked, Body, Caller, Id, List, Page, PageQuery};
use crate::domain::{ActionId, MessageId, MutedWord, RulesForm, SanctionKind, StreamId, UserId};
use crate::protocol::{ChatRulesView, DeedView, MessageView, SanctionView};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Why {
    /// For the log and for the one concerned: at most 200 characters.
    reason: Option<String>,
}

impl Why {
    fn as_deref(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// Takes a message away.
#[utoipa::path(delete, path = "/v1/streams/{stream}/messages/{message}", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), Why),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn delete(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, message)): Id<(StreamId, MessageId)>,
    Asked(why): Asked<Why>,
) -> Answer<StatusCode> {
    door.app.delete_message(&actor, stream, message, why.as_deref()).await?;
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
    reason: Option<String>,
}

/// Keeps somebody quiet for a time, and takes away what they said.
#[utoipa::path(put, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat", request_body = Mute,
    params(("stream" = StreamId, Path), ("user" = String, Path)),
    responses((status = 200, body = SanctionView), (status = "default", body = Problem)))]
pub async fn mute(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
    Body(body): Body<Mute>,
) -> Answer<Json<SanctionView>> {
    Ok(Json(door.app.mute(&actor, stream, UserId::parse(&user)?, body.seconds, body.reason.as_deref()).await?))
}

/// Lets them speak again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/mutes/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path), Why),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unmute(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
    Asked(why): Asked<Why>,
) -> Answer<StatusCode> {
    door.app.lift(&actor, stream, UserId::parse(&user)?, SanctionKind::Mute, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Ban {
    /// For the log and for the one concerned: at most 200 characters.
    reason: Option<String>,
}

/// Sends somebody out of the show until the ban is lifted, and takes away what they said. Without a body, no reason
/// is given.
#[utoipa::path(put, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path)), request_body = Option<Ban>,
    responses((status = 200, body = SanctionView), (status = "default", body = Problem)))]
pub async fn ban(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
    body: Option<Body<Ban>>,
) -> Answer<Json<SanctionView>> {
    let Ban { reason } = body.map(|Body(ban)| ban).unwrap_or_default();
    Ok(Json(door.app.ban(&actor, stream, UserId::parse(&user)?, reason.as_deref()).await?))
}

/// Lets them in again.
#[utoipa::path(delete, path = "/v1/streams/{stream}/bans/{user}", tag = "chat",
    params(("stream" = StreamId, Path), ("user" = String, Path), Why),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unban(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, user)): Id<(StreamId, String)>,
    Asked(why): Asked<Why>,
) -> Answer<StatusCode> {
    door.app.lift(&actor, stream, UserId::parse(&user)?, SanctionKind::Ban, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the rules of the talk; what is not given stays as it is.
#[utoipa::path(put, path = "/v1/streams/{stream}/chat", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = RulesForm, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn rules(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(form): Body<RulesForm>,
) -> Answer<Json<ChatRulesView>> {
    Ok(Json(door.app.set_rules(&actor, stream, form).await?))
}

/// At most 500.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct WordList {
    words: Vec<MutedWord>,
}

/// The muted words: for those who keep order.
#[utoipa::path(get, path = "/v1/streams/{stream}/words", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = WordList), (status = "default", body = Problem)))]
pub async fn words(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<Json<WordList>> {
    Ok(Json(WordList { words: door.app.words(&actor, stream).await? }))
}

/// Puts another list in its place.
#[utoipa::path(put, path = "/v1/streams/{stream}/words", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = WordList, responses((status = 200, body = WordList), (status = "default", body = Problem)))]
pub async fn set_words(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(list): Body<WordList>,
) -> Answer<Json<WordList>> {
    Ok(Json(WordList { words: door.app.set_words(&actor, stream, list.words).await? }))
}

/// What waits to be looked at, oldest first: all of it for those who keep order, their own for everybody else.
#[utoipa::path(get, path = "/v1/streams/{stream}/held", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn held(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<Json<List<MessageView>>> {
    Ok(Json(List { items: door.app.held(&actor, stream).await?, next: None }))
}

/// Says a message that waits, under its author's name.
#[utoipa::path(post, path = "/v1/streams/{stream}/held/{message}/approve", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), Why),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn approve(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, message)): Id<(StreamId, MessageId)>,
    Asked(why): Asked<Why>,
) -> Answer<StatusCode> {
    door.app.approve(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decides that a message that waits is never said.
#[utoipa::path(post, path = "/v1/streams/{stream}/held/{message}/hide", tag = "chat",
    params(("stream" = StreamId, Path), ("message" = MessageId, Path), Why),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn hide(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, message)): Id<(StreamId, MessageId)>,
    Asked(why): Asked<Why>,
) -> Answer<StatusCode> {
    door.app.hide(&actor, stream, message, why.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct PinMessage {
    id: MessageId,
}

/// Puts a message above the others until another takes its place.
#[utoipa::path(put, path = "/v1/streams/{stream}/pinned-message", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = PinMessage, responses((status = 200, body = ChatRulesView), (status = "default", body = Problem)))]
pub async fn pin_message(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<PinMessage>,
) -> Answer<Json<ChatRulesView>> {
    Ok(Json(door.app.pin_message(&actor, stream, body.id).await?))
}

/// Takes it down.
#[utoipa::path(delete, path = "/v1/streams/{stream}/pinned-message", tag = "chat", params(("stream" = StreamId, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn unpin_message(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<StatusCode> {
    door.app.unpin_message(&actor, stream).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the team did, newest first: for those who keep order.
#[utoipa::path(get, path = "/v1/streams/{stream}/actions", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<DeedView>), (status = "default", body = Problem)))]
pub async fn actions(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    page: Page<ActionId>,
) -> Answer<Json<List<DeedView>>> {
    let deeds = door.app.deeds(&actor, stream, page.after, page.fetch()).await?;
    Ok(Json(page.list(deeds, |deed| deed.id)))
}

/// What was done to me, why, and by whom as far as their role goes.
#[utoipa::path(get, path = "/v1/streams/{stream}/actions/mine", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<DeedView>), (status = "default", body = Problem)))]
pub async fn my_actions(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    page: Page<ActionId>,
) -> Answer<Json<List<DeedView>>> {
    let deeds = door.app.my_deeds(&actor, stream, page.after, page.fetch()).await?;
    Ok(Json(page.list(deeds, |deed| deed.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct Text {
    text: String,
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
