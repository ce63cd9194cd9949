//! The pages that explain the error codes: the `type` of a problem points to one of them. They are made from the table of codes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::document::Document;
use super::error::Problem;
use super::page::page_response;
use super::page_policy::Framing;
use crate::domain::ErrorCode;
use crate::protocol::problem;

/// The page of each code, made when the first one is asked for.
static PAGES: LazyLock<BTreeMap<&'static str, Document>> = LazyLock::new(|| {
    ErrorCode::all()
        .map(|code| (code.code, Document::new("text/html", page(code.code, "../..", &explanation(code)))))
        .collect()
});

static INDEX: LazyLock<Document> = LazyLock::new(|| Document::new("text/html", page("Error codes", "..", &list())));

pub async fn index(State(state): State<AppState>, headers: HeaderMap) -> Response {
    page_response(&state, &headers, &INDEX, "no-cache", Framing::Never)
}

pub async fn code(State(state): State<AppState>, headers: HeaderMap, Path(code): Path<String>) -> Response {
    match PAGES.get(code.as_str()) {
        Some(page) => page_response(&state, &headers, page, "no-cache", Framing::Never),
        None => Problem::new(&ErrorCode::NOT_FOUND, "There is no such error code. See /docs/errors.").into_response(),
    }
}

/// What a client can do about an error.
pub fn what_to_do(code: &ErrorCode) -> &'static str {
    match (code.code, code.status) {
        ("bad_request", _) => {
            "Correct the request: `detail` says what is wrong, and `field` names the field, if it is one. The same request fails \
             again."
        }
        ("invalid_value", _) => "Correct the value of `field`: `detail` says what it must fit.",
        ("unknown_verb", _) => "Use a verb of this version of the server. The reference lists them.",
        ("key_missing" | "key_invalid", _) => {
            "Send the header Idempotency-Key (on the socket: `key`) with a new random text for each purchase, payment, cancellation \
             or refund, and the same text for each retry of it."
        }
        ("key_reused", _) => "Use a new key for a new request. A retry must repeat the request unchanged.",
        ("outcome_unknown", _) => {
            "Send the same request again after `retry_ms` milliseconds, with the same idempotency key if it has one. With a key, the \
             answer is the result of what was done, or it is done now. A request without a key sets a state, such as open, paused or \
             pinned, so it does no harm twice."
        }
        ("bad_signature", _) => "Sign the unchanged bytes of the body with the current secret, within 300 seconds.",
        ("needs_action", _) => {
            "Open `action_url`, let the buyer confirm, and then send the payment again with the same key."
        }
        ("origin_not_allowed", _) => "The operator can allow the website with --allow-origin.",
        ("host_not_allowed", _) => "Use the address that the demo printed, or start it with --host and this name.",
        ("not_open", _) => "Wait until `opens_at`. `now` is the server's time.",
        ("sold_out_for_now", _) => {
            "Try again when the offer shows units: holds end, and their units return to the sale."
        }
        (_, 401) => "Sign in, or get a new token, and send the request with it.",
        (_, 402) => "Let the buyer choose another way to pay. Read the order first: it says whether it is still held.",
        (_, 403) => "A retry does not help while the reason lasts.",
        (_, 404) => "Check the id and the path. What never existed and what you may not see get the same answer.",
        (_, 405) => "Use a method that the reference lists for this path.",
        (_, 408) => "Try again, with the same idempotency key if the request has one.",
        (_, 409) => "Read the object again: its status has changed, and with it what is possible.",
        (_, 422) => "Change the text or the request, and send it again.",
        (_, 429 | 503) => {
            "Wait `retry_ms` milliseconds (over REST also the header Retry-After, in seconds), and try again."
        }
        _ => "Try again later. If it still fails, contact the operator of the shop.",
    }
}

/// The facts that the error carries beside its code, with their meaning.
fn facts(code: &str) -> &'static [(&'static str, &'static str)] {
    match code {
        "bad_request" | "invalid_value" => &[("field", "The field that is at fault, if it is one.")],
        "buyer_limit" => &[
            ("per_buyer", "The most units that one buyer can have."),
            ("orders", "The ids of the buyer's orders that count."),
        ],
        "too_few_left" | "not_enough_stock" => &[("left", "The units that are left.")],
        "not_open" => &[
            ("opens_at", "When the sale opens, in epoch milliseconds, if that is known."),
            ("now", "The server's time, in epoch milliseconds."),
        ],
        "muted" => &[
            ("until", "When the mute ends, in epoch milliseconds."),
            ("now", "The server's time, in epoch milliseconds."),
        ],
        "needs_action" => &[("action_url", "The address where the buyer confirms the payment.")],
        _ => &[],
    }
}

fn explanation(code: &ErrorCode) -> String {
    let mut out = format!(
        "<h1><code>{}</code></h1><p>{}</p><h2>What to do</h2><p>{}</p><h2>In the answer</h2><dl>",
        code.code,
        escape(code.meaning),
        with_code(what_to_do(code)),
    );
    let mut row = |name: &str, meaning: &str| {
        let _ = write!(out, "<dt><code>{name}</code></dt><dd>{}</dd>", escape(meaning));
    };
    row("type", &problem::type_uri(code));
    row("code", code.code);
    row("status", &format!("{}, the HTTP status over REST", code.status));
    row("retry_ms", "The milliseconds after which a retry may succeed, or null.");
    facts(code.code).iter().for_each(|(name, meaning)| row(name, meaning));
    out.push_str(
        "</dl><p>Over REST the answer is a problem document (RFC 9457). On the socket, <code>error</code> of the reply has the same \
         <code>code</code>, <code>retry_ms</code> and facts.</p><p><a href=\"../errors\">All error codes</a></p>",
    );
    out
}

fn list() -> String {
    let mut out = "<h1>Error codes</h1><dl>".to_owned();
    for code in ErrorCode::all() {
        let _ = write!(
            out,
            "<dt><a href=\"errors/{0}\"><code>{0}</code></a> {1}</dt><dd>{2}</dd>",
            code.code,
            code.status,
            escape(code.meaning)
        );
    }
    out.push_str("</dl>");
    out
}

/// `up` leads from the page to the root of the server, which may be a path of a site.
fn page(title: &str, up: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\" dir=\"ltr\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} – Livesouk API</title>\n\
         <link rel=\"icon\" href=\"{up}/assets/icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"{up}/assets/style.css\">\n<link rel=\"stylesheet\" href=\"{up}/assets/docs.css\">\n\
         </head>\n<body class=\"docs\">\n<header class=\"docs-head\"><a class=\"brand\" href=\"{up}/docs\">\
         <img src=\"{up}/assets/icon.svg\" alt=\"\" width=\"36\" height=\"36\"> Livesouk API</a></header>\n\
         <main id=\"content\" class=\"docs-page\">{body}</main>\n</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text whose parts in backticks become code.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_explains_it() {
        for code in ErrorCode::all() {
            let page = &explanation(code);
            assert!(page.contains(&escape(code.meaning)) && page.contains(&code.status.to_string()), "{page}");
            assert_eq!(what_to_do(code).matches('`').count() % 2, 0, "{}", code.code);
            assert!(list().contains(&format!("href=\"errors/{}\"", code.code)));
        }
    }
}
