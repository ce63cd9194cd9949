//! REST of the chat that is not a live verb.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId};
use crate::domain::reaction::ReactionKind;
use crate::domain::{MessageId, StreamId};
use crate::protocol::{MessageView, SayReply};

/// The chat messages of a show, newest first.
#[utoipa::path(get, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<MessageId>,
) -> ApiResult<Json<List<MessageView>>> {
    let messages = state.app.messages(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(messages, |message| message.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct SayRequest {
    text: String,
    /// The message it answers.
    reply_to: Option<MessageId>,
}

/// Says something: 1 to 200 characters. 202: it waits for the team.
#[utoipa::path(post, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = SayRequest, responses((status = 201, body = SayReply), (status = 202, body = SayReply), (status = "default", body = Problem)))]
pub async fn say(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<SayRequest>,
) -> ApiResult<(StatusCode, Json<SayReply>)> {
    let said = state.app.say(&actor, stream, &body.text, body.reply_to).await?;
    Ok((if said.held { StatusCode::ACCEPTED } else { StatusCode::CREATED }, Json(said)))
}

#[derive(Deserialize, ToSchema)]
pub struct ReactRequest {
    #[serde(rename = "kind")]
    _kind: ReactionKind,
    /// 1 to 50.
    count: i64,
}

/// Sends hearts.
#[utoipa::path(post, path = "/v1/streams/{stream}/reactions", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = ReactRequest, responses((status = 204), (status = "default", body = Problem)))]
pub async fn react(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    JsonBody(body): JsonBody<ReactRequest>,
) -> ApiResult<StatusCode> {
    state.app.react(&actor, stream, body.count).await?;
    Ok(StatusCode::NO_CONTENT)
}
