//! REST routes of the log of e-mails.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::domain::{MailId, MailStatus};
use crate::protocol::MailView;

/// The filter of the list.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MailsQuery {
    status: Option<MailStatus>,
}

/// E-mails that the shop sends, newest first, with their addresses and errors. The audit log records who read the list.
#[utoipa::path(get, operation_id = "shop_list_mails", path = "/v1/shop/mails", tag = "shop", params(MailsQuery, PageQuery),
    responses((status = 200, body = List<MailView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<MailId>,
    QueryParams(MailsQuery { status }): QueryParams<MailsQuery>,
) -> ApiResult<Json<List<MailView>>> {
    let mails = state.app.mail.mails(&actor, status, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(mails, |mail| mail.id)))
}

/// Sends an e-mail again that was sent or has failed. For one that waits, this changes nothing; one that had a secret is refused with
/// `wrong_status`.
#[utoipa::path(post, operation_id = "shop_send_mail_again", path = "/v1/shop/mails/{mail}/send-again", tag = "shop", params(("mail" = MailId, Path)),
    responses((status = 200, body = MailView), (status = "default", body = Problem)))]
pub async fn send_again(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(mail): PathId<MailId>,
) -> ApiResult<Json<MailView>> {
    Ok(Json(state.app.mail.send_again(&actor, mail).await?))
}
