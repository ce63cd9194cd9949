//! REST routes of shows (streams).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use super::product::parse_search;
use crate::app;
use crate::domain::{Millis, ProductId, Refusal, ShowFilter, StreamId, StreamStatus, Titles};
use crate::protocol::StreamView;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// `scheduled`, `live` or `ended`; default: all.
    status: Option<String>,
    /// Words of the titles, the host or the tags, or their beginnings: a show has all of them. The case, the forms of Arabic letters and the
    /// style of digits do not matter, and a mistyped word finds those that are like it. A new show is found within seconds.
    search: Option<String>,
    /// `true`: only shows that have a recording, among those that `status` and `search` leave. Such shows have ended.
    recorded: Option<bool>,
    /// It has an effect only with `recorded`: of the newest 50 recordings those in which this product was on sale.
    product: Option<ProductId>,
}

/// The shows, newest first.
#[utoipa::path(get, path = "/v1/streams", tag = "streams", params(StatusQuery, PageQuery),
    responses((status = 200, body = List<StreamView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    page: PageRequest<StreamId>,
    QueryParams(query): QueryParams<StatusQuery>,
) -> ApiResult<Json<List<StreamView>>> {
    let parse = |text: String| {
        StreamStatus::parse(&text).ok_or_else(|| Refusal::bad_field("status", "must be scheduled, live or ended."))
    };
    let status = query.status.map(parse).transpose()?;
    let search = parse_search(query.search)?;
    let recorded = (query.recorded == Some(true)).then_some(query.product);
    let filter = ShowFilter { status, recorded };
    let streams = match search {
        Some(search) => state.app.streams.search_streams(search, filter, page.after, page.fetch_limit()).await?,
        None => state.app.streams.streams(filter, page.after, page.fetch_limit()).await?,
    };
    Ok(Json(page.to_list(streams, |stream| stream.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct NewStreamRequest {
    title: String,
    #[serde(default)]
    titles: Titles,
    /// The URL of an HLS playlist.
    video: Option<String>,
    /// The URL of the same video with low delay (WHEP).
    whep: Option<String>,
    poster: Option<String>,
    /// Epoch milliseconds.
    scheduled_at: Option<Millis>,
    /// At most ten words by which the shop sorts its shows.
    #[serde(default)]
    tags: Vec<String>,
}

/// Creates a show with the status `scheduled`.
#[utoipa::path(post, path = "/v1/streams", tag = "streams", request_body = NewStreamRequest,
    responses((status = 201, body = StreamView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(new): JsonBody<NewStreamRequest>,
) -> ApiResult<(StatusCode, Json<StreamView>)> {
    let NewStreamRequest { title, titles, video, whep, poster, scheduled_at, tags } = new;
    let new = app::NewStream { title, titles, video, whep, poster, scheduled_at, tags };
    Ok((StatusCode::CREATED, Json(state.app.streams.create_stream(&actor, new).await?)))
}

/// One show.
#[utoipa::path(get, path = "/v1/streams/{stream}", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn show(State(state): State<AppState>, PathId(stream): PathId<StreamId>) -> ApiResult<Json<StreamView>> {
    Ok(Json(state.app.streams.stream(stream).await?))
}

/// Starts a show: it goes live.
#[utoipa::path(post, path = "/v1/streams/{stream}/start", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn start(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<StreamView>> {
    Ok(Json(state.app.streams.start_stream(&actor, stream).await?))
}

/// Ends a show and all its sales. Held orders can still be paid.
#[utoipa::path(post, path = "/v1/streams/{stream}/end", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = "default", body = Problem)))]
pub async fn end(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<StreamView>> {
    Ok(Json(state.app.streams.end_stream(&actor, stream).await?))
}
