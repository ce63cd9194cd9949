//! The body of an export: a table that is sent while it is read, page by page, so a long one needs no more memory than a short
//! one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

use super::csv::{self, CsvWriter};
use crate::app::{App, Error};

/// How long a client may read nothing; then it is treated as gone.
const CLIENT_READ_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ExportFormat {
    Csv,
    Jsonl,
}

/// Writes the rows of an export.
pub struct ExportWriter {
    pages: mpsc::Sender<Bytes>,
    format: ExportFormat,
    columns: &'static [&'static str],
    begun: bool,
}

impl ExportWriter {
    /// Sends a page. An export without rows has at least the names of its columns, so write once even if there are none.
    pub async fn write(&mut self, rows: Vec<Vec<Value>>) -> Result<(), Error> {
        let page = match self.format {
            ExportFormat::Csv => {
                let mut table = if self.begun { CsvWriter::continued() } else { CsvWriter::new(self.columns) };
                rows.into_iter().for_each(|row| table.write_row(&row.into_iter().map(csv_cell).collect::<Vec<_>>()));
                table.into_bytes()
            }
            ExportFormat::Jsonl => rows.into_iter().flat_map(|row| json_line(self.columns, row)).collect(),
        };
        self.begun = true;
        self.send(page).await
    }

    /// Sends bytes of the file as they are.
    pub async fn send(&mut self, page: Vec<u8>) -> Result<(), Error> {
        if page.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(CLIENT_READ_TIMEOUT, self.pages.send(page.into())).await {
            Ok(Ok(())) => Ok(()),
            // The client is gone.
            _ => Err(Error::Unavailable),
        }
    }
}

/// A response whose rows `write` sends in a task of its own. If it fails, the connection is aborted, and the log has `what`.
pub fn respond<Work>(
    app: &App,
    format: ExportFormat,
    columns: &'static [&'static str],
    what: String,
    write: impl FnOnce(ExportWriter) -> Work,
) -> Response
where
    Work: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (pages, chunks) = mpsc::channel(1);
    let is_complete = Arc::new(AtomicBool::new(false));
    let body = ExportBody { chunks, is_complete: is_complete.clone() };
    // Open until the end is noted: otherwise the reader could see the end of the pages before it, and take the file for half of one.
    let open = pages.clone();
    let writing = write(ExportWriter { pages, format, columns, begun: false });
    let name = what.clone();
    app.spawn(async move {
        match writing.await {
            Ok(()) => is_complete.store(true, Ordering::Release),
            Err(error) => tracing::warn!(export = %name, error = %error, "an export was aborted"),
        }
        drop(open);
    });
    let kind = match format {
        ExportFormat::Csv => csv::CSV_CONTENT_TYPE,
        ExportFormat::Jsonl => "application/jsonl; charset=utf-8",
    };
    csv::download(Body::new(body), kind, &what)
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
