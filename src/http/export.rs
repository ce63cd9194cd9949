//! Exports of a show: its chat and its audit log, as CSV or JSON Lines.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::AppState;
use super::error::{ApiResult, Problem};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::{Caller, PathId};
use crate::app::{App, Error, ExportedMessage};
use crate::domain::{Actor, AuditEntry, Refusal, StreamId};

#[derive(Clone, Copy, PartialEq, Debug)]
enum ExportSource {
    Chat,
    AuditLog,
}

/// Exports the chat or the audit log of a show, oldest entry first: `chat.csv`, `chat.jsonl`, `audit-log.csv` or `audit-log.jsonl`.
/// Moderators only. CSV files start with a byte order mark; a cell that a spreadsheet would take for a formula has a `'` in front.
#[utoipa::path(get, path = "/v1/streams/{stream}/export/{file}", tag = "chat",
    params(("stream" = StreamId, Path), ("file" = String, Path)),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, file)): PathId<(StreamId, String)>,
) -> ApiResult<Response> {
    let (what, format) = match file.as_str() {
        "chat.csv" => (ExportSource::Chat, ExportFormat::Csv),
        "chat.jsonl" => (ExportSource::Chat, ExportFormat::Jsonl),
        "audit-log.csv" => (ExportSource::AuditLog, ExportFormat::Csv),
        "audit-log.jsonl" => (ExportSource::AuditLog, ExportFormat::Jsonl),
        _ => {
            return Err(
                Refusal::bad_field("file", "must be chat.csv, chat.jsonl, audit-log.csv or audit-log.jsonl.").into()
            );
        }
    };
    state.app.moderation.authorize_export(&actor, stream).await?;
    state.app.chat.flush().await;
    let columns = if what == ExportSource::Chat { &CHAT_COLUMNS[..] } else { &AUDIT_LOG_COLUMNS[..] };
    let app = state.app.clone();
    Ok(export_body::respond(&state.app, format, columns, format!("{stream}-{file}"), |writer| {
        write_export(app, actor, stream, what, writer)
    }))
}

async fn write_export(
    app: App,
    actor: Actor,
    stream: StreamId,
    what: ExportSource,
    mut writer: ExportWriter,
) -> Result<(), Error> {
    let (mut last_message, mut last_entry) = (None, None);
    loop {
        // Again for each page: a user who is banned meanwhile gets no further page.
        app.moderation.authorize_export(&actor, stream).await?;
        let rows: Vec<Vec<Value>> = match what {
            ExportSource::Chat => {
                let lines = app.moderation.export_chat(stream, last_message).await?;
                last_message = lines.last().map(|line| line.message.id);
                lines.into_iter().map(chat_row).collect()
            }
            ExportSource::AuditLog => {
                let entries = app.moderation.export_audit_log(stream, last_entry).await?;
                last_entry = entries.last().map(|entry| entry.id);
                entries.into_iter().map(audit_log_row).collect()
            }
        };
        if app.stopping().is_cancelled() {
            return Err(Error::Unavailable);
        }
        let is_last = rows.is_empty();
        writer.write(rows).await?;
        if is_last {
            return Ok(());
        }
    }
}

const CHAT_COLUMNS: [&str; 9] = ["id", "at", "user", "name", "role", "text", "status", "reply_to", "reply_text"];

fn chat_row(line: ExportedMessage) -> Vec<Value> {
    let ExportedMessage { message, status } = line;
    let (reply_to, reply_text) = message.reply.map(|quote| (quote.id, quote.text)).unzip();
    let from = message.from;
    vec![
        json!(message.id),
        json!(message.at),
        json!(from.id),
        json!(from.name),
        json!(from.role),
        json!(message.text),
        json!(status),
        json!(reply_to),
        json!(reply_text),
    ]
}

pub const AUDIT_LOG_COLUMNS: [&str; 13] =
    ["id", "at", "kind", "by", "by_name", "role", "user", "name", "message", "text", "subject", "detail", "reason"];

pub fn audit_log_row(entry: AuditEntry) -> Vec<Value> {
    vec![
        json!(entry.id),
        json!(entry.at),
        json!(entry.kind),
        json!(entry.by.id),
        json!(entry.by.name),
        json!(entry.by.role),
        json!(entry.user),
        json!(entry.name),
        json!(entry.message),
        json!(entry.text),
        json!(entry.subject),
        json!(entry.detail),
        json!(entry.reason),
    ]
}
