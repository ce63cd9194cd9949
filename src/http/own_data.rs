//! REST route by which a user takes away what is stored about them; and the same file for the desk.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::Caller;
use crate::app::{App, Error, OwnDataCursor};
use crate::domain::{Actor, UserId};

const COLUMNS: [&str; 3] = ["kind", "at", "data"];

/// What is stored about me, one object a line: account, sessions, passkeys, identities, saved address, orders with their addresses, invoices, credit notes,
/// refunds and withdrawals, messages, stock alerts, claimed coupons, saved cards, sanctions and e-mails. Secrets are left out.
#[utoipa::path(get, path = "/v1/me/data", operation_id = "my_data", tag = "shop",
    responses((status = 200, description = "The file", content_type = "application/jsonl"), (status = "default", body = Problem)))]
pub async fn export(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Response> {
    state.app.checkout.authorize_own_data(&actor).await?;
    let user = actor.user.clone();
    Ok(respond(&state.app, actor, user, "my-data.jsonl"))
}

/// The file about `user`, for `actor`, who may read it.
pub(super) fn respond(app: &App, actor: Actor, user: UserId, file: &str) -> Response {
    let own = app.clone();
    let write = |writer| write_all(own, actor, user, writer);
    export_body::respond(app, ExportFormat::Jsonl, &COLUMNS, file.to_owned(), write)
}

async fn write_all(app: App, actor: Actor, user: UserId, mut writer: ExportWriter) -> Result<(), Error> {
    let mut cursor = Some(OwnDataCursor::default());
    while let Some(here) = cursor {
        // Each page asks again whether the caller may read it.
        let (data, next) = app.checkout.stored_data(&actor, &user, here).await?;
        if app.stopping().is_cancelled() {
            return Err(Error::Unavailable);
        }
        let rows = data.into_iter().map(|one| vec![json!(one.kind), json!(one.at), one.data]).collect();
        writer.write(rows).await?;
        cursor = next;
    }
    Ok(())
}
