//! REST for talk.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Body, Caller, Id, List, Page, PageQuery};
use crate::domain::reaction::ReactionKind;
use crate::domain::{MessageId, StreamId};
use crate::protocol::{MessageView, Said};

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
pub struct Say {
    text: String,
    /// The message it answers.
    reply_to: Option<MessageId>,
}

/// Says something: 1 to 200 characters. 202: it waits for the team.
#[utoipa::path(post, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path)),
    request_body = Say, responses((status = 201, body = Said), (status = 202, body = Said), (status = "default", body = Problem)))]
pub async fn say(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
    Body(body): Body<Say>,
) -> Answer<(StatusCode, Json<Said>)> {
    let said = door.app.say(&actor, stream, &body.text, body.reply_to).await?;
    Ok((if said.held { StatusCode::ACCEPTED } else { StatusCode::CREATED }, Json(said)))
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
