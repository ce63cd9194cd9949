//! REST routes of the chat, except the live verbs (`src/verbs`).

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::domain::{MessageId, Millis, StreamId};
use crate::protocol::MessageView;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// Only messages that were sent at this time or earlier, in epoch milliseconds: the chat as it was then.
    until: Option<Millis>,
}

/// The chat messages of a show, newest first.
#[utoipa::path(get, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path), MessagesQuery, PageQuery),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<MessageId>,
    QueryParams(MessagesQuery { until }): QueryParams<MessagesQuery>,
) -> ApiResult<Json<List<MessageView>>> {
    let messages = state.app.chat.messages(&actor, stream, (page.after, until), page.fetch_limit()).await?;
    Ok(Json(page.to_list(messages, |message| message.id)))
}
