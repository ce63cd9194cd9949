//! Documents that are made once and served many times: compressed, with an `ETag`, and answered with 304 when the client has
//! them already. So a document that takes long to make costs as little to serve as any other. What is not text can be read in parts
//! (RFC 9110, 14): Safari plays a video only so.

use std::io::Write;
use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Smaller documents are not compressed: the header would cost as much as compression saves.
const COMPRESSED_BYTES_MIN: usize = 600;

#[derive(Debug)]
pub struct Document {
    /// The media type, with its charset if it is text.
    content_type: String,
    plain: Bytes,
    /// Made when the first client accepts it. `None`: it is not text, too small, or compression failed.
    compressed: OnceLock<Option<Bytes>>,
    is_text: bool,
    digest: String,
}

impl Document {
    /// `kind` is the media type without parameters: `text/html`.
    pub fn new(kind: &str, body: impl Into<Bytes>) -> Self {
        let plain = body.into();
        let is_text = kind.starts_with("text/") || ["javascript", "json", "xml"].iter().any(|end| kind.ends_with(end));
        let charset = if kind.starts_with("text/") { "; charset=utf-8" } else { "" };
        let hash: [u8; 32] = Sha256::digest(&plain).into();
        Self {
            content_type: format!("{kind}{charset}"),
            plain,
            compressed: OnceLock::new(),
            is_text,
            digest: hex::encode(&hash[..12]),
        }
    }

    /// A hash of the content.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The response to a request with these headers: the document, or 304 if the client has it already.
    pub fn response(&self, request_headers: &HeaderMap, cache_control: &str) -> Response {
        let compressed = if accepts_gzip(request_headers) { self.compressed() } else { None };
        // The compressed and the plain form of a document have different ETags.
        let tag = format!("\"{}{}\"", self.digest, if compressed.is_some() { "-gz" } else { "" });
        let is_known = knows_tag(request_headers, &tag);
        let is_compressed = compressed.is_some();
        let part = if self.is_text { Requested::All } else { requested_part(request_headers, &tag, self.plain.len()) };
        let mut response = match part {
            _ if is_known => StatusCode::NOT_MODIFIED.into_response(),
            Requested::All => compressed.unwrap_or_else(|| self.plain.clone()).into_response(),
            Requested::Part(first, last) => {
                (StatusCode::PARTIAL_CONTENT, self.plain.slice(first..=last)).into_response()
            }
            Requested::Nothing => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
        };
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if !is_known {
            set(header::CONTENT_TYPE, &self.content_type);
            if is_compressed {
                set(header::CONTENT_ENCODING, "gzip");
            }
        }
        if !self.is_text {
            set(header::ACCEPT_RANGES, "bytes");
        }
        match part {
            _ if is_known => {}
            Requested::All => {}
            Requested::Part(first, last) => {
                set(header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", self.plain.len()));
            }
            Requested::Nothing => set(header::CONTENT_RANGE, &format!("bytes */{}", self.plain.len())),
        }
        set(header::ETAG, &tag);
        set(header::VARY, "accept-encoding");
        set(header::CACHE_CONTROL, cache_control);
        response
    }

    fn compressed(&self) -> Option<Bytes> {
        if !self.is_text || self.plain.len() < COMPRESSED_BYTES_MIN {
            return None;
        }
        self.compressed.get_or_init(|| gzip(&self.plain)).clone()
    }
}

/// What a request wants of a document.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Requested {
    All,
    /// From the first byte to the last, both included.
    Part(usize, usize),
    /// A range that is not in the document.
    Nothing,
}

/// Reads `Range` and `If-Range`. A request for several ranges, or in a form that we do not know, gets the whole document, as the
/// standard allows.
fn requested_part(headers: &HeaderMap, tag: &str, length: usize) -> Requested {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(range) = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")) else { return Requested::All };
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Requested::All;
    }
    let Some((first, last)) = range.split_once('-') else { return Requested::All };
    match (first.parse::<usize>(), last.parse::<usize>()) {
        // The last bytes: `-500`.
        (Err(_), Ok(count)) if first.is_empty() && count > 0 && length > 0 => {
            Requested::Part(length.saturating_sub(count), length - 1)
        }
        (Err(_), Ok(_)) if first.is_empty() => Requested::Nothing,
        (Ok(first), Ok(last)) if last < first => Requested::All,
        (Ok(first), _) if length <= first && (last.is_empty() || last.parse::<usize>().is_ok()) => Requested::Nothing,
        (Ok(first), Ok(last)) => Requested::Part(first, last.min(length - 1)),
        (Ok(first), Err(_)) if last.is_empty() => Requested::Part(first, length - 1),
        _ => Requested::All,
    }
}

fn gzip(data: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether `If-None-Match` names this tag, or any (`*`).
fn knows_tag(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|seen| seen.to_str().ok());
    known.flat_map(|seen| seen.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/") == tag
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

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
            assert_eq!(accepts_gzip(&headers(&[(header::ACCEPT_ENCODING, value)])), taken, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn client_that_has_the_document_gets_304_in_the_form_that_it_accepts() {
        let document = Document::new("application/json", "{\"a\":1}".repeat(200));
        let plain = document.response(&HeaderMap::new(), "no-cache");
        let small = document.response(&headers(&[(header::ACCEPT_ENCODING, "gzip")]), "no-cache");
        let tags = [&plain, &small].map(|response| response.headers()[header::ETAG].clone());
        assert_ne!(tags[0], tags[1]);
        assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
        for (tag, accept, status) in
            [(&tags[0], "identity", 304), (&tags[1], "gzip", 304), (&tags[0], "gzip", 200), (&tags[1], "identity", 200)]
        {
            let mut asked = headers(&[(header::ACCEPT_ENCODING, accept)]);
            asked.insert(header::IF_NONE_MATCH, tag.clone());
            assert_eq!(document.response(&asked, "no-cache").status(), status, "{tag:?} {accept}");
        }
    }

    #[test]
    fn video_is_read_in_parts_and_text_is_not() {
        let video = Document::new("video/mp4", (0..100).collect::<Vec<u8>>());
        let tag = format!("\"{}\"", video.digest());
        let old: &'static str = "\"old\"";
        let known: &'static str = tag.clone().leak();
        for (range, if_range, status, content_range) in [
            ("bytes=0-1", None, 206, "bytes 0-1/100"),
            ("bytes=90-", None, 206, "bytes 90-99/100"),
            ("bytes=90-500", None, 206, "bytes 90-99/100"),
            ("bytes=-10", None, 206, "bytes 90-99/100"),
            ("bytes=-500", None, 206, "bytes 0-99/100"),
            ("bytes=100-", None, 416, "bytes */100"),
            ("bytes=100-200", None, 416, "bytes */100"),
            ("bytes=-0", None, 416, "bytes */100"),
            ("bytes=5-4", None, 200, ""),
            ("bytes=0-1,5-6", None, 200, ""),
            ("bytes=x-y", None, 200, ""),
            ("lines=0-1", None, 200, ""),
            ("bytes=0-1", Some(known), 206, "bytes 0-1/100"),
            ("bytes=0-1", Some(old), 200, ""),
        ] {
            let mut asked = headers(&[(header::RANGE, range)]);
            if let Some(if_range) = if_range {
                asked.insert(header::IF_RANGE, HeaderValue::from_static(if_range));
            }
            let response = video.response(&asked, "no-cache");
            let found = response.headers().get(header::CONTENT_RANGE).map_or("", |value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), found), (status, content_range), "{range} {if_range:?}");
            assert_eq!(response.headers()[header::ACCEPT_RANGES], "bytes");
        }
        let text = Document::new("text/plain", "a".repeat(100));
        assert_eq!(text.response(&headers(&[(header::RANGE, "bytes=0-1")]), "no-cache").status(), 200);
    }

    #[test]
    fn small_documents_and_pictures_are_not_compressed() {
        let accepting = headers(&[(header::ACCEPT_ENCODING, "gzip")]);
        for document in [Document::new("text/plain", "ok"), Document::new("image/png", vec![0; 10_000])] {
            assert!(document.response(&accepting, "no-cache").headers().get(header::CONTENT_ENCODING).is_none());
        }
    }
}
