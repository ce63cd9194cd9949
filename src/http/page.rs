//! The web pages, embedded in the binary, compressed and cached.
//!
//! The assets of a page have a folder in their URL that is a hash of the content of all pages (`/assets/v-…/`), so that browsers
//! may cache them forever; only the HTML page is requested again. A node with another version serves its own files under that
//! name, with `no-cache`.

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use dashmap::DashMap;
use quick_cache::sync::Cache;
use rust_embed::{Embed, EmbeddedFile};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::AppState;
use super::document::Document;
use super::error::Problem;
use super::page_language::{PageLanguage, page_language};
use super::page_policy::Framing;
use super::page_styles;
use crate::domain::ErrorCode;

#[derive(Embed)]
#[folder = "web-demo/"]
struct WebAssets;

/// What a head of its own takes the place of.
const TITLE: &str = "<title>Livesouk</title>";
/// Pages with a head of their own that are kept.
const HEADS_MAX: usize = 256;
/// How old the hash of the files may be in a debug build: a changed file is in the next page that is loaded after this time.
const DIGEST_AGE_MAX: Duration = Duration::from_secs(1);
/// Where a page finds the address of hls.js; empty where it is not installed.
const HLS_JS: &str = "name=\"hls-js\" content=\"\"";

pub async fn shop(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "index.html")
}

pub async fn watch(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    // Messengers read what a link leads to; a reader gets the same page.
    match super::product_page::head_of_show(&state, &uri, &headers).await {
        Some(head) => head_response(&state, &uri, &headers, "watch.html", &head),
        None => html_response(&state, &uri, &headers, "watch.html"),
    }
}

pub async fn orders(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "orders.html")
}

/// An invoice or a credit note, for paper.
pub async fn invoice(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "invoice.html")
}

pub async fn host(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "host.html")
}

pub async fn admin(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "admin.html")
}

pub async fn setup(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "setup.html")
}

pub async fn join(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "join.html")
}

/// The shows of one host, by name: `/hosts/Noura`. The page reads the name from its address.
pub async fn host_shows(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "hosts.html")
}

/// A policy of the shop: `/policies/terms`. The page reads its name from its address.
pub async fn policy(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "policy.html")
}

/// The page to which the identity provider sends the browser back.
pub async fn sign_in(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "sign_in.html")
}

/// Where a follower confirms or ends mails. The secret is in the address.
pub async fn follow(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "follow.html")
}

pub async fn docs(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    html_response(&state, &uri, &headers, "docs.html")
}

/// An asset: `/assets/watch.js`, or `/assets/v-0123456789ab/watch.js` as the pages name it.
pub async fn asset(State(state): State<AppState>, headers: HeaderMap, Path(path): Path<String>) -> Response {
    let named = path.split_once('/').filter(|(folder, _)| is_assets_version(folder));
    let (is_current, path) = named.map_or((false, path.as_str()), |(folder, rest)| (folder == assets_version(), rest));
    let cache_control = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    // Pages load assets without comments; a reader of `/assets/client.js` gets them with comments.
    let is_lean = named.is_some() && (path.ends_with(".js") || path.ends_with(".css"));
    if let Some(page) = page_styles::page_of(path) {
        let Some(document) = styles_of(page, path) else { return no_such_file() };
        return page_response(&state, &headers, &document, cache_control, Framing::Never);
    }
    let Some(file) = WebAssets::get(path) else { return no_such_file() };
    let form = if is_lean { Form::WithoutComments } else { Form::AsWritten };
    let document = cached_document(PageKey { path: path.to_owned(), form, version: String::new() }, &file, || {
        let kind = file.metadata.mimetype();
        match std::str::from_utf8(&file.data) {
            Ok(text) if is_lean && path.ends_with(".css") => Document::new(kind, join_styles(&strip_comments(text))),
            Ok(text) if is_lean => Document::new(kind, strip_comments(text)),
            _ => Document::new(kind, file.data.to_vec()),
        }
    });
    page_response(&state, &headers, &document, cache_control, Framing::Never)
}

/// All style sheets of a page, joined.
fn styles_of(page: &str, path: &str) -> Option<Arc<Document>> {
    let file = WebAssets::get(page)?;
    let key = PageKey { path: path.to_owned(), form: Form::WithoutComments, version: assets_version() };
    Some(cached_document(key, &file, || {
        let read = |name: &str| WebAssets::get(name).and_then(|sheet| String::from_utf8(sheet.data.to_vec()).ok());
        let sheets = page_styles::joined_sheets(&String::from_utf8_lossy(&file.data), read);
        Document::new("text/css", join_styles(&strip_comments(&sheets)))
    }))
}

/// Removes comment lines, empty lines and indentation. Lines are never joined, so a script keeps its meaning. Only text literals
/// over several lines would change; a test checks that there are none.
fn strip_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        if in_comment || line.starts_with("/*") {
            let end = line.find("*/").map(|at| at + 2);
            in_comment = end.is_none();
            let Some(rest) = end.map(|end| line[end..].trim()).filter(|rest| !rest.is_empty()) else { continue };
            out.push_str(rest);
        } else if line.is_empty() || line.starts_with("//") {
            continue;
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Joins the lines of a style sheet and removes the space behind the name of a property. Lines that end within a value or a
/// selector stay, because there a line break is a space.
fn join_styles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match line.split_once(": ").filter(|_| line.ends_with(';')) {
            Some((property, value)) => [property, ":", value].into_iter().for_each(|part| out.push_str(part)),
            None => out.push_str(line.strip_suffix(" {").unwrap_or(line)),
        }
        if line.ends_with(" {") {
            out.push('{');
        } else if !line.ends_with([';', '{', '}', ',']) {
            out.push('\n');
        }
    }
    out
}

/// A page in the language of the reader, if the request names one: its texts are loaded with its scripts, and a page from
/// right to left does not begin from left to right.
fn html_response(state: &AppState, uri: &Uri, headers: &HeaderMap, path: &str) -> Response {
    let Some(file) = WebAssets::get(path) else { return no_such_file() };
    let (base, hls) = (state.origins.base_path(), hls_address(state));
    let language = page_language(uri.query(), headers);
    let version = format!("{} {base} {hls} {}", assets_version(), language.code);
    let key = PageKey { path: path.to_owned(), form: Form::Html, version };
    let page = cached_document(key, &file, || Document::new("text/html", page_text(state, &file, path, language)));
    html_page(state, headers, &page, path)
}

fn hls_address(state: &AppState) -> String {
    let base = state.origins.base_path();
    state.hls_js.as_ref().map_or_else(String::new, |hls| format!("{base}{}", hls.address()))
}

fn page_text(state: &AppState, file: &EmbeddedFile, path: &str, language: PageLanguage) -> String {
    let (version, base) = (assets_version(), state.origins.base_path());
    let text = page_styles::join_links(&String::from_utf8_lossy(&file.data), path);
    let text = text.replace("=\"/assets/", &format!("=\"/assets/{version}/"));
    // Every address in our pages is an attribute that begins with a slash.
    let text = text.replace("=\"/", &format!("=\"{base}/")).replace("/lang/en.", &format!("/lang/{}.", language.code));
    let text = text.replace("<html lang=\"en\">", &language.html_tag());
    text.replace(HLS_JS, &format!("name=\"hls-js\" content=\"{}\"", hls_address(state)))
}

/// A page with a head of its own in place of its title. What was made lately is kept, because packing it costs a millisecond.
pub(super) fn head_response(state: &AppState, uri: &Uri, headers: &HeaderMap, path: &str, head: &str) -> Response {
    static MADE: LazyLock<Cache<[u8; 32], Arc<Document>>> = LazyLock::new(|| Cache::new(HEADS_MAX));
    let Some(file) = WebAssets::get(path) else { return no_such_file() };
    let text = page_text(state, &file, path, page_language(uri.query(), headers)).replacen(TITLE, head, 1);
    let key: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let page = MADE.get(&key).unwrap_or_else(|| {
        let made = Arc::new(Document::new("text/html", text));
        MADE.insert(key, made.clone());
        made
    });
    html_page(state, headers, &page, path)
}

/// The page in words for an address that leads nowhere.
pub(super) fn not_found(state: &AppState, uri: &Uri, headers: &HeaderMap) -> Response {
    let mut response = html_response(state, uri, headers, "not_found.html");
    if response.status().is_success() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// An icon that browsers ask for by itself.
pub async fn favicon(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let Some(file) = WebAssets::get("icons/favicon.ico") else { return no_such_file() };
    let key = PageKey { path: "icons/favicon.ico".to_owned(), form: Form::AsWritten, version: String::new() };
    let document = cached_document(key, &file, || Document::new("image/x-icon", file.data.to_vec()));
    page_response(&state, &headers, &document, "public, max-age=86400", Framing::Never)
}

/// What a phone needs to keep the shop as an app.
pub async fn manifest(State(state): State<AppState>) -> Response {
    let (base, shop) = (state.origins.base_path(), state.app.shop());
    let icon = |file: &str, size: &str, kind: &str| json!({ "src": format!("{base}/assets/{file}"), "sizes": size, "type": kind, "purpose": "any" });
    let manifest = json!({
        "name": shop.title, "short_name": shop.title, "start_url": format!("{base}/"), "scope": format!("{base}/"),
        "display": "standalone", "background_color": "#1a110e", "theme_color": "#1a110e",
        "icons": [icon("icon.svg", "any", "image/svg+xml"), icon("icons/icon-192.png", "192x192", "image/png"),
            icon("icons/icon-512.png", "512x512", "image/png")],
    });
    let headers = [(header::CONTENT_TYPE, "application/manifest+json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, manifest.to_string()).into_response()
}

fn html_page(state: &AppState, headers: &HeaderMap, page: &Document, path: &str) -> Response {
    // The pages of the staff are never part of another page, which could cover them and steer a click.
    let is_of_staff = ["host.html", "admin.html", "setup.html", "join.html"].contains(&path);
    let framing = if is_of_staff { Framing::Never } else { Framing::Allowed };
    let mut response = page_response(state, headers, page, "no-cache", framing);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-language"));
    response
}

fn no_such_file() -> Response {
    Problem::new(&ErrorCode::NOT_FOUND, "There is no such file.").into_response()
}

pub(super) fn page_response(
    state: &AppState,
    request_headers: &HeaderMap,
    page: &Document,
    cache_control: &str,
    framing: Framing,
) -> Response {
    let mut response = page.response(request_headers, cache_control);
    let headers = response.headers_mut();
    let has_card_form = state.app.checkout.card_form().is_some();
    headers.insert(header::CONTENT_SECURITY_POLICY, state.page_policy.content_security_policy(framing, has_card_form));
    if framing == Framing::Never {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// A file of the pages in one of its forms. `version` is empty where the content does not depend on it.
#[derive(PartialEq, Eq, Hash)]
struct PageKey {
    path: String,
    form: Form,
    version: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    AsWritten,
    WithoutComments,
    Html,
}

/// The document of a file, made once. The cache has at most a few entries per file of the pages, one for each language, because paths without a file
/// are never asked for. Debug builds read the files from disk, so there an entry is made again when its file has changed.
fn cached_document(key: PageKey, file: &EmbeddedFile, make: impl FnOnce() -> Document) -> Arc<Document> {
    type Made = ([u8; 32], Arc<Document>);
    static PAGES: LazyLock<DashMap<PageKey, Made>> = LazyLock::new(DashMap::new);
    let source = file.metadata.sha256_hash();
    if let Some(made) = PAGES.get(&key).filter(|made| made.0 == source) {
        return made.1.clone();
    }
    let made = Arc::new(make());
    PAGES.insert(key, (source, made.clone()));
    made
}

/// `v-` and twelve hexadecimal digits.
fn is_assets_version(folder: &str) -> bool {
    folder.strip_prefix("v-").is_some_and(|digits| digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A hash of the content of all pages.
fn assets_version() -> String {
    static VERSION: OnceLock<String> = OnceLock::new();
    if cfg!(debug_assertions) { recent_digest() } else { VERSION.get_or_init(assets_digest).clone() }
}

/// Debug builds read the files from disk, so they compute the hash again and again. It takes some milliseconds, and a page asks for it
/// with each of its files.
fn recent_digest() -> String {
    static MADE: Mutex<Option<(Instant, String)>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    match &*made {
        Some((at, digest)) if at.elapsed() < DIGEST_AGE_MAX => digest.clone(),
        _ => {
            let digest = assets_digest();
            *made = Some((Instant::now(), digest.clone()));
            digest
        }
    }
}

fn assets_digest() -> String {
    let mut names: Vec<String> = WebAssets::iter().map(|name| name.into_owned()).collect();
    names.sort_unstable();
    let mut hasher = Sha256::new();
    for file in names.iter().filter_map(|name| WebAssets::get(name)) {
        hasher.update(file.metadata.sha256_hash());
    }
    let hash: [u8; 32] = hasher.finalize().into();
    format!("v-{}", hex::encode(&hash[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_are_removed() {
        let script = "// a\n/** b */\nlet c = 1; // c\n\n  /**\n   * d\n   */\n  f(`//`);\n/* e */ g();\n";
        assert_eq!(strip_comments(script), "let c = 1; // c\nf(`//`);\ng();\n");
        assert_eq!(strip_comments("/* a\n b */\n\n.c {\n  d: e;\n}\n"), ".c {\nd: e;\n}\n");
    }

    #[test]
    fn style_sheets_lose_only_white_space() {
        let styles = "@media (min-width: 9px) {\n.a:not(.b),\n.c > d {\nmargin: 0 auto;\n--x: a: b;\nbackground:\nurl(x)\nnone;\n}\n}\n";
        let joined = "@media (min-width: 9px){.a:not(.b),.c > d{margin:0 auto;--x:a: b;background:\nurl(x)\nnone;}}";
        assert_eq!(join_styles(styles), joined);
        for name in WebAssets::iter().filter(|name| name.ends_with(".css")) {
            let file = WebAssets::get(&name).unwrap();
            let text = strip_comments(std::str::from_utf8(&file.data).unwrap());
            let without_space = |text: &str| text.replace(char::is_whitespace, "");
            assert_eq!(without_space(&join_styles(&text)), without_space(&text), "{name}");
        }
    }

    #[test]
    fn no_script_has_a_text_literal_over_several_lines() {
        for name in WebAssets::iter().filter(|name| name.ends_with(".js")) {
            let file = WebAssets::get(&name).unwrap();
            for (at, line) in strip_comments(std::str::from_utf8(&file.data).unwrap()).lines().enumerate() {
                assert!(
                    line.matches('`').count() % 2 == 0 && !line.ends_with('\\'),
                    "{name}, lean line {}: {line}",
                    at + 1
                );
            }
        }
    }

    #[test]
    fn version_folder_is_recognized() {
        assert!(is_assets_version(&assets_version()));
        for folder in ["demo", "v-", "v-0123456789a", "v-0123456789ag", "v-0123456789abc"] {
            assert!(!is_assets_version(folder), "{folder}");
        }
    }
}
