//! REST route by which a user takes away what is stored about them.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::Caller;
use crate::app::{App, Error, OwnDataPlace};
use crate::domain::Actor;

const COLUMNS: [&str; 3] = ["kind", "at", "data"];
const FILE: &str = "my-data.jsonl";

/// What is stored about me, one object a line: account, sessions, passkeys, identities, orders with their addresses, messages, stock
/// alerts, sanctions and e-mails. Secrets are left out.
#[utoipa::path(get, path = "/v1/me/data", operation_id = "my_data", tag = "shop",
    responses((status = 200, description = "The file", content_type = "application/jsonl"), (status = "default", body = Problem)))]
pub async fn export(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Response> {
    state.app.checkout.authorize_own_data(&actor).await?;
    let app = state.app.clone();
    let write = |writer| write_all(app, actor, writer);
    Ok(export_body::respond(&state.app, ExportFormat::Jsonl, &COLUMNS, FILE.to_owned(), write))
}

async fn write_all(app: App, actor: Actor, mut writer: ExportWriter) -> Result<(), Error> {
    let mut place = Some(OwnDataPlace::default());
    while let Some(here) = place {
        let (data, next) = app.checkout.own_data(&actor, here).await?;
        if app.stopping().is_cancelled() {
            return Err(Error::Unavailable);
        }
        let rows = data.into_iter().map(|one| vec![json!(one.kind), json!(one.at), one.data]).collect();
        writer.write(rows).await?;
        place = next;
    }
    Ok(())
}
