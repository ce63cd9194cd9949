//! REST for the shop and its shows.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::app;
use crate::domain::{Millis, Refusal, StreamId, StreamStatus, Titles};
use crate::protocol::{ShopView, StreamView};

/// The shop.
#[utoipa::path(get, path = "/v1/shop", tag = "shop", responses((status = 200, body = ShopView)))]
pub async fn shop(State(door): State<AppState>) -> Json<ShopView> {
    Json(ShopView::of(door.app.shop(), door.app.settings().is_dev_login_enabled, door.origins.base_url()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// `scheduled`, `live` or `ended`; all if not given.
    status: Option<String>,
}

/// Shows, newest first.
#[utoipa::path(get, path = "/v1/streams", tag = "streams", params(StatusQuery, PageQuery),
    responses((status = 200, body = List<StreamView>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<AppState>,
    page: PageRequest<StreamId>,
    QueryParams(query): QueryParams<StatusQuery>,
) -> ApiResult<Json<List<StreamView>>> {
    let parse = |text: String| {
        StreamStatus::parse(&text).ok_or_else(|| Refusal::bad_request("status is scheduled, live or ended"))
    };
    let status = query.status.map(parse).transpose()?;
    let streams = door.app.streams(status, page.after, page.fetch_limit()).await?;
    Ok(Json(page.into_list(streams, |stream| stream.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct NewStreamRequest {
    title: String,
    #[serde(default)]
    titles: Titles,
    /// An HLS playlist.
    video: Option<String>,
    poster: Option<String>,
    /// Epoch milliseconds.
    scheduled_at: Option<Millis>,
}

/// Makes a show, scheduled.
#[utoipa::path(post, path = "/v1/streams", tag = "streams", request_body = NewStreamRequest,
    responses((status = 201, body = StreamView), (status = "default", body = Problem)))]
pub async fn create(
    State(door): State<AppState>,
    Caller(actor): Caller,
    JsonBody(new): JsonBody<NewStreamRequest>,
) -> ApiResult<(StatusCode, Json<StreamView>)> {
    let NewStreamRequest { title, titles, video, poster, scheduled_at } = new;
    let new = app::NewStream { title, titles, video, poster, scheduled_at };
    Ok((StatusCode::CREATED, Json(door.app.create_stream(&actor, new).await?)))
}

/// One show.
#[utoipa::path(get, path = "/v1/streams/{stream}", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn show(State(door): State<AppState>, PathId(stream): PathId<StreamId>) -> ApiResult<Json<StreamView>> {
    Ok(Json(door.app.stream(stream).await?))
}

/// Goes live.
#[utoipa::path(post, path = "/v1/streams/{stream}/start", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn start(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<StreamView>> {
    Ok(Json(door.app.start_stream(&actor, stream).await?))
}

/// Ends the show and every sale in it. Held orders may still be paid.
#[utoipa::path(post, path = "/v1/streams/{stream}/end", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn end(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<StreamView>> {
    Ok(Json(door.app.end_stream(&actor, stream).await?))
}
