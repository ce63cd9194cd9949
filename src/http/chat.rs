//! REST routes of the chat, except the live verbs (`src/verbs`).

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PageQuery, PageRequest, PathId};
use crate::domain::{MessageId, StreamId};
use crate::protocol::MessageView;

/// The chat messages of a show, newest first.
#[utoipa::path(get, path = "/v1/streams/{stream}/messages", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<MessageView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<MessageId>,
) -> ApiResult<Json<List<MessageView>>> {
    let messages = state.app.chat.messages(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(messages, |message| message.id)))
}
