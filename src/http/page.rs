//! The web pages, embedded in the binary, compressed and cached.
//!
//! The assets of a page have a folder in their URL that is a hash of the content of all pages (`/assets/v-…/`), so that browsers
//! may cache them forever; only the HTML page is requested again. A node with another version serves its own files under that
//! name, with `no-cache`.

use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dashmap::DashMap;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;
use sha2::{Digest, Sha256};

use super::AppState;
use super::error::Problem;
use crate::domain::ErrorCode;

#[derive(Embed)]
#[folder = "web-demo/"]
struct WebAssets;

/// Smaller files are not compressed: the header would cost as much as compression saves.
const COMPRESSED_BYTES_MIN: usize = 600;

pub async fn shop(State(state): State<AppState>, headers: HeaderMap) -> Response {
    html_response(&state, &headers, "index.html")
}

pub async fn watch(State(state): State<AppState>, headers: HeaderMap) -> Response {
    html_response(&state, &headers, "watch.html")
}

pub async fn orders(State(state): State<AppState>, headers: HeaderMap) -> Response {
    html_response(&state, &headers, "orders.html")
}

pub async fn host(State(state): State<AppState>, headers: HeaderMap) -> Response {
    html_response(&state, &headers, "host.html")
}

pub async fn docs(State(state): State<AppState>, headers: HeaderMap) -> Response {
    html_response(&state, &headers, "docs.html")
}

/// An asset: `/assets/watch.js`, or `/assets/v-0123456789ab/watch.js` as the pages name it.
pub async fn asset(State(state): State<AppState>, headers: HeaderMap, Path(path): Path<String>) -> Response {
    let named = path.split_once('/').filter(|(folder, _)| is_assets_version(folder));
    let (is_current, path) = named.map_or((false, path.as_str()), |(folder, rest)| (folder == assets_version(), rest));
    let Some(file) = WebAssets::get(path) else {
        return Problem::new(&ErrorCode::NOT_FOUND, "There is no such file.").into_response();
    };
    let kind = file.metadata.mimetype().to_owned();
    let cache_control = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    // Pages load assets without comments; a reader of `/assets/client.js` gets them with comments.
    match std::str::from_utf8(&file.data) {
        Ok(text) if named.is_some() && (path.ends_with(".js") || path.ends_with(".css")) => {
            file_response(&state, &headers, strip_comments(text).as_bytes(), &kind, cache_control)
        }
        _ => file_response(&state, &headers, &file.data, &kind, cache_control),
    }
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

fn html_response(state: &AppState, headers: &HeaderMap, path: &str) -> Response {
    let Some(file) = WebAssets::get(path) else {
        return Problem::new(&ErrorCode::NOT_FOUND, "There is no such file.").into_response();
    };
    let text = String::from_utf8_lossy(&file.data).replace("\"/assets/", &format!("\"/assets/{}/", assets_version()));
    file_response(state, headers, text.as_bytes(), "text/html", "no-cache")
}

fn file_response(
    state: &AppState,
    request_headers: &HeaderMap,
    data: &[u8],
    kind: &str,
    cache_control: &str,
) -> Response {
    let hash: [u8; 32] = Sha256::digest(data).into();
    let text =
        kind.starts_with("text/") || kind.ends_with("javascript") || kind.ends_with("json") || kind.ends_with("xml");
    let small = (text && data.len() >= COMPRESSED_BYTES_MIN && accepts_gzip(request_headers))
        .then(|| gzip_cached(hash, data))
        .flatten();
    // The compressed and the plain form of a file have different ETags.
    let tag = format!("\"{}{}\"", hex::encode(&hash[..12]), if small.is_some() { "-gz" } else { "" });
    let known = request_headers.get(header::IF_NONE_MATCH).and_then(|seen| seen.to_str().ok());
    let known = known.is_some_and(|seen| seen.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let zipped = small.is_some();
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        small.unwrap_or_else(|| Bytes::copy_from_slice(data)).into_response()
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if !known {
        let charset = if kind.starts_with("text/") { "; charset=utf-8" } else { "" };
        set(header::CONTENT_TYPE, &format!("{kind}{charset}"));
        if zipped {
            set(header::CONTENT_ENCODING, "gzip");
        }
    }
    set(header::ETAG, &tag);
    set(header::VARY, "accept-encoding");
    set(header::CACHE_CONTROL, cache_control);
    set(header::CONTENT_SECURITY_POLICY, state.origins.content_security_policy());
    set(header::REFERRER_POLICY, "same-origin");
    response
}

/// Whether `Accept-Encoding` names `gzip` without `q=0`.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    named.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let weight = |part: &str| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip")) && parts.find_map(weight) != Some(0.0)
    })
}

/// Compresses a file once and keeps the result. The cache has at most one entry per file of the pages.
fn gzip_cached(hash: [u8; 32], data: &[u8]) -> Option<Bytes> {
    static SMALL: LazyLock<DashMap<[u8; 32], Bytes>> = LazyLock::new(DashMap::new);
    if let Some(known) = SMALL.get(&hash) {
        return Some(known.clone());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).ok()?;
    let small = Bytes::from(encoder.finish().ok()?);
    SMALL.insert(hash, small.clone());
    Some(small)
}

/// `v-` and twelve hexadecimal digits.
fn is_assets_version(folder: &str) -> bool {
    folder.strip_prefix("v-").is_some_and(|digits| digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A hash of the content of all pages. Debug builds read the files from disk, so they compute it each time.
fn assets_version() -> String {
    static VERSION: OnceLock<String> = OnceLock::new();
    if cfg!(debug_assertions) { assets_digest() } else { VERSION.get_or_init(assets_digest).clone() }
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
    fn gzip_is_used_only_if_accepted() {
        for (value, taken) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("identity", false),
            ("xgzip", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), taken, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn comments_and_indentation_are_removed() {
        let script = "// a\n/** b */\nlet c = 1; // c\n\n  /**\n   * d\n   */\n  f(`//`);\n/* e */ g();\n";
        assert_eq!(strip_comments(script), "let c = 1; // c\nf(`//`);\ng();\n");
        assert_eq!(strip_comments("/* a\n b */\n\n.c {\n  d: e;\n}\n"), ".c {\nd: e;\n}\n");
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
