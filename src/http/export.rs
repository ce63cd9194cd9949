//! Files to carry out of a show: its talk and the log of actions, as CSV or a JSON object a line. They are written as they are
//! read, a page at a time: a long show costs no more memory than a short one.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Caller, Id};
use crate::app::{App, Error, Line};
use crate::domain::{Deed, Refusal, StreamId};

/// A client that takes no page for so long has left.
const PATIENCE: Duration = Duration::from_secs(30);
/// So that spreadsheets read Arabic as Arabic.
const BOM: &str = "\u{feff}";

#[derive(Clone, Copy, PartialEq, Debug)]
enum What {
    Chat,
    Actions,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Format {
    Csv,
    Jsonl,
}

/// Everything said, or everything the team did, oldest first: `chat.csv`, `chat.jsonl`, `actions.csv` or `actions.jsonl`. For those
/// who keep order. CSV begins with a byte order mark; a cell that a spreadsheet would take for a formula has a `'` in front.
#[utoipa::path(get, path = "/v1/streams/{stream}/export/{file}", tag = "chat",
    params(("stream" = StreamId, Path), ("file" = String, Path)),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id((stream, file)): Id<(StreamId, String)>,
) -> Answer<Response> {
    let (what, format) = match file.as_str() {
        "chat.csv" => (What::Chat, Format::Csv),
        "chat.jsonl" => (What::Chat, Format::Jsonl),
        "actions.csv" => (What::Actions, Format::Csv),
        "actions.jsonl" => (What::Actions, Format::Jsonl),
        _ => return Err(Refusal::bad_request("there is chat.csv, chat.jsonl, actions.csv and actions.jsonl").into()),
    };
    door.app.may_export(&actor, stream).await?;
    let (pages, written) = mpsc::channel(1);
    let app = door.app.clone();
    door.app.tasks().spawn(async move {
        if let Err(error) = write(&app, stream, what, format, &pages).await {
            // Breaks the connection off: half a file must not look like a whole one.
            let _ = pages.send(Err(error)).await;
        }
    });
    let mut response = Response::new(Body::new(Pages(written)));
    let kind = if format == Format::Csv { "text/csv; charset=utf-8" } else { "application/jsonl; charset=utf-8" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{stream}-{file}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

type Page = Result<Bytes, Error>;

/// A body whose pages are written while it is sent.
struct Pages(mpsc::Receiver<Page>);

impl hyper::body::Body for Pages {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(task).map(|page| page.map(|page| page.map(Frame::data)))
    }
}

async fn write(
    app: &App,
    stream: StreamId,
    what: What,
    format: Format,
    pages: &mpsc::Sender<Page>,
) -> Result<(), Error> {
    let titles = if what == What::Chat { &CHAT[..] } else { &ACTIONS[..] };
    let mut page = String::new();
    if format == Format::Csv {
        page.push_str(BOM);
        put_row(&mut page, titles.iter().map(|title| Value::from(*title)));
    }
    let (mut message, mut action) = (None, None);
    loop {
        let rows: Vec<Vec<Value>> = match what {
            What::Chat => {
                let lines = app.export_chat(stream, message).await?;
                message = lines.last().map(|line| line.message.id);
                lines.into_iter().map(chat_row).collect()
            }
            What::Actions => {
                let deeds = app.export_actions(stream, action).await?;
                action = deeds.last().map(|deed| deed.id);
                deeds.into_iter().map(action_row).collect()
            }
        };
        let last = rows.is_empty() || app.stopping().is_cancelled();
        for row in rows {
            match format {
                Format::Csv => put_row(&mut page, row.into_iter()),
                Format::Jsonl => {
                    let object: serde_json::Map<String, Value> =
                        titles.iter().map(|title| (*title).to_owned()).zip(row).collect();
                    page.push_str(&Value::Object(object).to_string());
                    page.push('\n');
                }
            }
        }
        if !page.is_empty() {
            let sent = tokio::time::timeout(PATIENCE, pages.send(Ok(std::mem::take(&mut page).into()))).await;
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

const CHAT: [&str; 9] = ["id", "at", "user", "name", "role", "text", "status", "reply_to", "reply_text"];

fn chat_row(line: Line) -> Vec<Value> {
    let Line { message, status } = line;
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

const ACTIONS: [&str; 13] =
    ["id", "at", "kind", "by", "by_name", "role", "user", "name", "message", "text", "subject", "detail", "reason"];

fn action_row(deed: Deed) -> Vec<Value> {
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

fn put_row(out: &mut String, cells: impl Iterator<Item = Value>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(',');
        }
        match cell {
            Value::Null => {}
            Value::String(text) => put_cell(out, &text),
            other => out.push_str(&other.to_string()),
        }
    }
    out.push_str("\r\n");
}

/// Text that a spreadsheet would run is made text.
fn put_cell(out: &mut String, text: &str) {
    // Also behind white space, and with the wide signs that some spreadsheets take for the others.
    let first = text.trim_start().chars().next();
    let runs = first.is_some_and(|c| "=+-@＝＋－＠|%".contains(c)) || text.starts_with(['\t', '\r', '\n']);
    let quoted = runs || text.contains(['"', ',', ';', '\r', '\n', '\t']);
    if quoted {
        out.push('"');
    }
    if runs {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    if quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("hello", "hello"),
            ("كم السعر؟", "كم السعر؟"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("+966", "\"'+966\""),
            ("-2", "\"'-2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            (" =1", "\"' =1\""),
            ("＝1", "\"'＝1\""),
            ("a\nb", "\"a\nb\""),
            ("", ""),
        ] {
            let mut out = String::new();
            put_cell(&mut out, text);
            assert_eq!(out, cell, "{text:?}");
        }
        let mut row = String::new();
        put_row(&mut row, [json!("a"), json!(null), json!(7), json!("=b")].into_iter());
        assert_eq!(row, "a,,7,\"'=b\"\r\n");
    }
}
