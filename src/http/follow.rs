//! REST routes of follows, and the address by which a mail program ends one (RFC 8058).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId, QueryParams};
use crate::app::Followed;
use crate::domain::{EmailAddress, Follow, FollowId, FollowedProduct, Language, Millis, ProductId, Titles};

/// The product of a follow.
#[derive(Serialize, ToSchema)]
#[schema(as = FollowedProduct)]
pub struct FollowedProductView {
    id: ProductId,
    title: String,
    titles: Titles,
}

/// A follow that was confirmed.
#[derive(Serialize, ToSchema)]
#[schema(as = Follow)]
pub struct FollowView {
    id: FollowId,
    email: String,
    /// Null: every show of the shop.
    product: Option<FollowedProductView>,
    created_at: Millis,
}

impl From<Follow> for FollowView {
    fn from(Follow { id, email, product, created_at }: Follow) -> Self {
        let view = |FollowedProduct { id, title, titles }| FollowedProductView { id, title, titles };
        Self { id, email, product: product.map(view), created_at }
    }
}

/// My follows, newest first.
#[derive(Serialize, ToSchema)]
pub struct FollowList {
    items: Vec<FollowView>,
}

#[derive(Deserialize, ToSchema)]
pub struct FollowRequest {
    /// Left out: the address of my account.
    email: Option<String>,
    /// Left out: every show of the shop.
    product: Option<ProductId>,
    /// The language of the mails: `en`, `ar` or `id`.
    lang: Option<String>,
}

/// What came of the wish to follow.
#[derive(Serialize, ToSchema)]
pub struct FollowResponse {
    /// Null: a mail asks the owner of the address to confirm it.
    follow: Option<FollowView>,
}

/// Follows the shop or a product by e-mail: a mail comes when a show starts, or when the product is pinned or goes on sale in a live show,
/// once for each show. Another address than that of my account gets a mail whose link confirms it within 48 hours, three an hour at
/// most; the answer is the same whether it follows already or not.
#[utoipa::path(post, path = "/v1/follows", operation_id = "follow", tag = "shop", request_body = FollowRequest,
    responses((status = 202, body = FollowResponse), (status = "default", body = Problem)))]
pub async fn follow(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<FollowRequest>,
) -> ApiResult<(StatusCode, Json<FollowResponse>)> {
    let email = form.email.as_deref().map(EmailAddress::parse).transpose()?;
    state.code_requests.take(client, state.app.now())?;
    let language = Language::of_tag(form.lang.as_deref().unwrap_or_default());
    let follow = match state.app.follows.follow(&actor, email, form.product, language).await? {
        Followed::Asked => None,
        Followed::Follows(follow) => Some(follow.into()),
    };
    Ok((StatusCode::ACCEPTED, Json(FollowResponse { follow })))
}

#[derive(Deserialize, ToSchema)]
pub struct ConfirmFollowRequest {
    secret: String,
}

/// Confirms what a mail asked: `secret` is in its link. To do it again changes nothing.
#[utoipa::path(post, path = "/v1/follows/confirm", operation_id = "confirm_follow", tag = "shop", request_body = ConfirmFollowRequest,
    responses((status = 201, body = FollowView), (status = "default", body = Problem)))]
pub async fn confirm(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    JsonBody(form): JsonBody<ConfirmFollowRequest>,
) -> ApiResult<(StatusCode, Json<FollowView>)> {
    state.sign_in_attempts.take(client, state.app.now())?;
    Ok((StatusCode::CREATED, Json(state.app.follows.confirm(&form.secret).await?.into())))
}

/// What I follow with the address of my account; empty without one.
#[utoipa::path(get, path = "/v1/follows", operation_id = "follows", tag = "shop",
    responses((status = 200, body = FollowList), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<FollowList>> {
    let follows = state.app.follows.list(&actor).await?;
    Ok(Json(FollowList { items: follows.into_iter().map(FollowView::from).collect() }))
}

/// Ends one of my follows. To do it again changes nothing.
#[utoipa::path(delete, path = "/v1/follows/{follow}", operation_id = "end_follow", tag = "shop",
    params(("follow" = FollowId, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub async fn end(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(follow): PathId<FollowId>,
) -> ApiResult<StatusCode> {
    state.app.follows.end(&actor, follow).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub struct StopQuery {
    /// Ends everything that this mailbox follows.
    #[serde(default)]
    all: bool,
}

/// Ends the follow whose mails have this secret in their links: one request of a mail program, which has neither a cookie nor an origin of
/// ours. Whatever the body is, the secret is what counts. An unknown secret gets the same answer: the follow has ended.
pub async fn unsubscribe(
    State(state): State<AppState>,
    Path(secret): Path<String>,
    QueryParams(query): QueryParams<StopQuery>,
) -> ApiResult<Json<serde_json::Value>> {
    state.app.follows.stop(&secret, query.all).await?;
    Ok(Json(serde_json::json!({ "stopped": true })))
}
