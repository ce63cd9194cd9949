//! Files to carry out of a show: its talk and the log of actions, as CSV or a JSON object a line. They are written as they are
//! read, a page at a time: a long show costs no more memory than a short one.

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
use crate::domain::{AuditEntry, Refusal, StreamId};

/// A client that takes no page for so long has left.
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

/// Everything said, or everything the team did, oldest first: `chat.csv`, `chat.jsonl`, `actions.csv` or `actions.jsonl`. For those
/// who keep order. CSV begins with a byte order mark; a cell that a spreadsheet would take for a formula has a `'` in front.
#[utoipa::path(get, path = "/v1/streams/{stream}/export/{file}", tag = "chat",
    params(("stream" = StreamId, Path), ("file" = String, Path)),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(door): State<AppState>,
    Caller(actor): Caller,
    PathId((stream, file)): PathId<(StreamId, String)>,
) -> ApiResult<Response> {
    let (what, format) = match file.as_str() {
        "chat.csv" => (ExportSource::Chat, ExportFormat::Csv),
        "chat.jsonl" => (ExportSource::Chat, ExportFormat::Jsonl),
        "actions.csv" => (ExportSource::AuditLog, ExportFormat::Csv),
        "actions.jsonl" => (ExportSource::AuditLog, ExportFormat::Jsonl),
        _ => return Err(Refusal::bad_request("there is chat.csv, chat.jsonl, actions.csv and actions.jsonl").into()),
    };
    door.app.authorize_export(&actor, stream).await?;
    let (pages, written) = mpsc::channel(1);
    let whole = Arc::new(AtomicBool::new(false));
    let done = whole.clone();
    let app = door.app.clone();
    door.app.tasks().spawn(async move {
        match write_export(&app, stream, what, format, &pages).await {
            Ok(()) => done.store(true, Ordering::Release),
            Err(error) => tracing::warn!(stream.id = %stream, error = %error, "an export was broken off"),
        }
    });
    let kind = if format == ExportFormat::Csv { csv::CSV_CONTENT_TYPE } else { "application/jsonl; charset=utf-8" };
    Ok(csv::download(Body::new(ExportBody { chunks: written, is_complete: whole }), kind, &format!("{stream}-{file}")))
}

/// A body whose pages are written while it is sent.
struct ExportBody {
    chunks: mpsc::Receiver<Bytes>,
    /// The last page was written too.
    is_complete: Arc<AtomicBool>,
}

impl hyper::body::Body for ExportBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.chunks.poll_recv(task).map(|page| match page {
            Some(page) => Some(Ok(Frame::data(page))),
            None if self.is_complete.load(Ordering::Acquire) => None,
            // Breaks the connection off: half a file must not look like a whole one.
            None => Some(Err(Error::Unavailable)),
        })
    }
}

async fn write_export(
    app: &App,
    stream: StreamId,
    what: ExportSource,
    format: ExportFormat,
    pages: &mpsc::Sender<Bytes>,
) -> Result<(), Error> {
    let titles = if what == ExportSource::Chat { &CHAT_COLUMNS[..] } else { &AUDIT_LOG_COLUMNS[..] };
    let mut begun = false;
    let (mut message, mut action) = (None, None);
    loop {
        let rows: Vec<Vec<Value>> = match what {
            ExportSource::Chat => {
                let lines = app.export_chat(stream, message).await?;
                message = lines.last().map(|line| line.message.id);
                lines.into_iter().map(chat_row).collect()
            }
            ExportSource::AuditLog => {
                let deeds = app.export_audit_log(stream, action).await?;
                action = deeds.last().map(|deed| deed.id);
                deeds.into_iter().map(audit_log_row).collect()
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
                // Nobody reads it any more.
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

fn audit_log_row(deed: AuditEntry) -> Vec<Value> {
    vec![
        json!(deed.id),
        json!(deed.at),
        json!(deed.kind),
        json!(deed.by.id),
        json!(deed.by.name),
        json!(deed.by.role),
        json!(deed.user),
        json!(deed.name),
        json!(deed.message),
        json!(deed.text),
        json!(deed.subject),
        json!(deed.detail),
        json!(deed.reason),
    ]
}

/// A row as a line of JSON.
fn json_line(titles: &[&str], row: Vec<Value>) -> Vec<u8> {
    let object: serde_json::Map<String, Value> = titles.iter().map(|title| (*title).to_owned()).zip(row).collect();
    format!("{}\n", Value::Object(object)).into_bytes()
}

/// Text as it is, numbers as digits, nothing as nothing.
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
    async fn half_a_file_breaks_off_and_a_whole_one_ends() {
        for whole in [false, true] {
            let (pages, written) = mpsc::channel(1);
            pages.send(Bytes::from_static(b"id,at")).await.unwrap();
            drop(pages);
            let body = ExportBody { chunks: written, is_complete: Arc::new(AtomicBool::new(whole)) };
            assert_eq!(body.collect().await.is_ok(), whole);
        }
    }
}
