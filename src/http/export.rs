//! Exports of a show: its chat and its audit log, as CSV or JSON Lines. An export is sent while it is read, page by page, so a
//! long show needs no more memory than a short one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::AppState;
use super::csv::{self, CsvWriter};
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use crate::app::{App, Error, ExportedMessage};
use crate::domain::{Actor, AuditEntry, Refusal, StreamId};

/// A client that reads nothing for so long is treated as gone.
const CLIENT_READ_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Debug)]
enum ExportSource {
    Chat,
    AuditLog,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum ExportFormat {
    Csv,
    Jsonl,
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
    let (pages, written) = mpsc::channel(1);
    let whole = Arc::new(AtomicBool::new(false));
    let done = whole.clone();
    let app = state.app.clone();
    state.app.spawn(async move {
        match write_export(&app, &actor, stream, what, format, &pages).await {
            Ok(()) => done.store(true, Ordering::Release),
            Err(error) => tracing::warn!(stream.id = %stream, error = %error, "export aborted"),
        }
    });
    let kind = if format == ExportFormat::Csv { csv::CSV_CONTENT_TYPE } else { "application/jsonl; charset=utf-8" };
    Ok(csv::download(Body::new(ExportBody { chunks: written, is_complete: whole }), kind, &format!("{stream}-{file}")))
}

/// A response body whose pages are written while it is sent.
struct ExportBody {
    chunks: mpsc::Receiver<Bytes>,
    /// The last page is written.
    is_complete: Arc<AtomicBool>,
}

impl hyper::body::Body for ExportBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.chunks.poll_recv(task).map(|page| match page {
            Some(page) => Some(Ok(Frame::data(page))),
            None if self.is_complete.load(Ordering::Acquire) => None,
            // Aborts the connection: half a file must not look like a complete one.
            None => Some(Err(Error::Unavailable)),
        })
    }
}

async fn write_export(
    app: &App,
    actor: &Actor,
    stream: StreamId,
    what: ExportSource,
    format: ExportFormat,
    pages: &mpsc::Sender<Bytes>,
) -> Result<(), Error> {
    let titles = if what == ExportSource::Chat { &CHAT_COLUMNS[..] } else { &AUDIT_LOG_COLUMNS[..] };
    let mut begun = false;
    let (mut last_message, mut last_entry) = (None, None);
    loop {
        // Again for each page: a user who is banned meanwhile gets no further page.
        app.moderation.authorize_export(actor, stream).await?;
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
        let last = rows.is_empty() || app.stopping().is_cancelled();
        let page = match format {
            ExportFormat::Csv => {
                let mut table = if begun { CsvWriter::continued() } else { CsvWriter::new(titles) };
                rows.into_iter().for_each(|row| table.write_row(&row.into_iter().map(csv_cell).collect::<Vec<_>>()));
                table.into_bytes()
            }
            ExportFormat::Jsonl => rows.into_iter().flat_map(|row| json_line(titles, row)).collect(),
        };
        begun = true;
        if !page.is_empty() {
            let sent = tokio::time::timeout(CLIENT_READ_TIMEOUT, pages.send(page.into())).await;
            if !matches!(sent, Ok(Ok(()))) {
                // The client is gone.
                return Err(Error::Unavailable);
            }
        }
        if last {
            return if app.stopping().is_cancelled() { Err(Error::Unavailable) } else { Ok(()) };
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

const AUDIT_LOG_COLUMNS: [&str; 13] =
    ["id", "at", "kind", "by", "by_name", "role", "user", "name", "message", "text", "subject", "detail", "reason"];

fn audit_log_row(entry: AuditEntry) -> Vec<Value> {
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

/// A row as one JSON object on a line.
fn json_line(titles: &[&str], row: Vec<Value>) -> Vec<u8> {
    let object: serde_json::Map<String, Value> = titles.iter().map(|title| (*title).to_owned()).zip(row).collect();
    format!("{}\n", Value::Object(object)).into_bytes()
}

/// A text as it is, a number as digits, null as an empty cell.
fn csv_cell(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn incomplete_export_aborts_and_a_complete_one_ends() {
        for whole in [false, true] {
            let (pages, written) = mpsc::channel(1);
            pages.send(Bytes::from_static(b"id,at")).await.unwrap();
            drop(pages);
            let body = ExportBody { chunks: written, is_complete: Arc::new(AtomicBool::new(whole)) };
            assert_eq!(body.collect().await.is_ok(), whole);
        }
    }
}
