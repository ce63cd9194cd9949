//! REST routes for revoking tokens. Admins only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId};
use crate::app::{RevocationForm, TokenRevocationView};
use crate::domain::TokenRevocationId;

/// The revocations of tokens that are in force, newest first. Admins only.
#[utoipa::path(get, path = "/v1/token-revocations", operation_id = "list_token_revocations", tag = "shop", params(PageQuery),
    responses((status = 200, body = List<TokenRevocationView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<TokenRevocationId>,
) -> ApiResult<Json<List<TokenRevocationView>>> {
    let found = state.app.tokens.revocations(&actor, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(found, |revocation| revocation.id)))
}

/// Signs a user out everywhere (`user`), or revokes one token (`jti`). It holds on every node within two seconds; connections are
/// closed with 4501. The user may sign in again: tokens that are issued from the next second on are accepted. Admins only.
#[utoipa::path(post, path = "/v1/token-revocations", operation_id = "revoke_tokens", tag = "shop", request_body = RevocationForm,
    responses((status = 201, body = TokenRevocationView), (status = "default", body = Problem)))]
pub async fn revoke(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<RevocationForm>,
) -> ApiResult<(StatusCode, Json<TokenRevocationView>)> {
    Ok((StatusCode::CREATED, Json(state.app.tokens.revoke(&actor, form).await?)))
}

/// Undoes a revocation: tokens that have not expired are accepted again. Admins only.
#[utoipa::path(delete, path = "/v1/token-revocations/{revocation}", operation_id = "restore_tokens", tag = "shop",
    params(("revocation" = TokenRevocationId, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub async fn undo(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(revocation): PathId<TokenRevocationId>,
) -> ApiResult<StatusCode> {
    state.app.tokens.undo(&actor, revocation).await?;
    Ok(StatusCode::NO_CONTENT)
}
