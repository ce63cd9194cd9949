//! REST routes of the audit log: of a show, of what affects the caller, of what belongs to no show, and of everything with its export.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::export::{AUDIT_LOG_COLUMNS, audit_log_row};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::{Caller, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::app::{App, Error};
use crate::domain::{Actor, AuditAction, AuditEntryId, AuditFilter, Refusal, StreamId, UserId};
use crate::protocol::AuditEntryView;

/// The audit log of a show, newest entry first. Moderators only.
#[utoipa::path(get, path = "/v1/streams/{stream}/audit-log", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn audit_log(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let entries = state.app.audit.audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(entries, |entry| entry.id)))
}

/// The entries of the audit log that affect me, with the reason and the role of the team member.
#[utoipa::path(get, path = "/v1/streams/{stream}/audit-log/mine", tag = "chat", params(("stream" = StreamId, Path), PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn my_audit_log(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let entries = state.app.audit.my_audit_log(&actor, stream, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(entries, |entry| entry.id)))
}

/// The audit log of the whole shop, newest entry first: what belongs to no show. Its `stream` is all zeros. Admins only.
#[utoipa::path(get, path = "/v1/audit-log", operation_id = "shop_audit_log", tag = "shop", params(PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn shop_audit_log(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<AuditEntryId>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    let entries = state.app.audit.shop_audit_log(&actor, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(entries, |entry| entry.id)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditLogQuery {
    /// Only entries of this kind, like `refund`.
    kind: Option<String>,
    /// Only what this user did.
    by_user: Option<String>,
}

/// What the staff did in the shop and in all shows, newest entry first. An entry of the shop itself has a `stream` of zeros. A page with a
/// filter looks at 20,000 entries: it may be short, or empty, and have a `next`. Owners and admins only.
#[utoipa::path(get, path = "/v1/shop/audit-log", operation_id = "whole_audit_log", tag = "shop", params(AuditLogQuery, PageQuery),
    responses((status = 200, body = List<AuditEntryView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<AuditEntryId>,
    QueryParams(query): QueryParams<AuditLogQuery>,
) -> ApiResult<Json<List<AuditEntryView>>> {
    state.app.audit.authorize_whole_log(&actor).await?;
    let kind = |kind: String| AuditAction::parse(&kind).ok_or_else(|| Refusal::bad_field("kind", "is unknown."));
    let filter = AuditFilter {
        kind: query.kind.map(kind).transpose()?,
        by: query
            .by_user
            .map(|user| UserId::parse(&user).map_err(|refusal| refusal.in_field("by_user")))
            .transpose()?,
    };
    let (entries, last) = state.app.audit.whole_log(&actor, &filter, page.after, page.fetch_limit()).await?;
    let list = page.to_list(entries, |entry| entry.id);
    let next = list.next.or(last.map(|id| id.to_string()));
    Ok(Json(List { next, ..list }))
}

/// Exports the whole audit log, oldest entry first: `audit-log.csv` or `audit-log.jsonl`. Owners and admins only.
#[utoipa::path(get, path = "/v1/shop/audit-log/{audit_file}", operation_id = "export_audit_log", tag = "shop",
    params(("audit_file" = String, Path)),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(file): PathId<String>,
) -> ApiResult<Response> {
    state.app.audit.authorize_whole_log(&actor).await?;
    let format = match file.as_str() {
        "audit-log.csv" => ExportFormat::Csv,
        "audit-log.jsonl" => ExportFormat::Jsonl,
        _ => return Err(Refusal::bad_field("file", "must be audit-log.csv or audit-log.jsonl.").into()),
    };
    state.app.audit.begin_export(&actor).await?;
    let app = state.app.clone();
    let respond = |writer| write_export(app, actor, writer);
    Ok(export_body::respond(&state.app, format, &AUDIT_LOG_COLUMNS, file, respond))
}

async fn write_export(app: App, actor: Actor, mut writer: ExportWriter) -> Result<(), Error> {
    let mut after = None;
    loop {
        let entries = app.audit.export_whole_log(&actor, after).await?;
        if app.stopping().is_cancelled() {
            return Err(Error::Unavailable);
        }
        after = entries.last().map(|entry| entry.id);
        writer.write(entries.into_iter().map(audit_log_row).collect()).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
