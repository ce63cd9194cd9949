//! hls.js, which plays HLS in browsers that cannot. It is not part of the binary: the operator names the file (`--hls-js`, from
//! `scripts/hls-js`), and a page loads it only when its browser needs it for a video.

use std::io::Read;
use std::path::Path;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::document::Document;
use super::error::Problem;
use super::page::page_response;
use super::page_policy::Framing;
use crate::domain::ErrorCode;

/// The file of hls.js 1.7 has 0.6 MB.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub struct HlsJs(Document);

impl HlsJs {
    /// Reads the file. `Err` is a message for the operator.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| format!("{}: {error}", path.display()))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(format!("{}: the file has more than {} MB", path.display(), BYTES_MAX / 1024 / 1024));
        }
        if !text.contains("export") || !text.contains("isSupported") {
            let needed =
                "this is not the module of hls.js (dist/hls.min.mjs of its npm package; scripts/hls-js fetches it)";
            return Err(format!("{}: {needed}", path.display()));
        }
        Ok(Self(Document::new("text/javascript", text)))
    }

    /// The address on this server, below the path of the shop. It changes with the content, so that browsers may keep it forever.
    pub fn address(&self) -> String {
        format!("/assets/hls.js?v={}", self.0.digest())
    }
}

pub async fn script(State(state): State<AppState>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(hls) = &state.hls_js else {
        return Problem::new(&ErrorCode::NOT_FOUND, "hls.js is not installed on this server (--hls-js).")
            .into_response();
    };
    let is_current = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(hls.0.digest());
    let cache_control = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    page_response(&state, &headers, &hls.0, cache_control, Framing::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_module_of_hls_js_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hls.mjs");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            HlsJs::read(&path)
        };
        let hls = read("class Hls { static isSupported() {} }\nexport { Hls as default };").unwrap();
        assert!(hls.address().starts_with("/assets/hls.js?v="), "{}", hls.address());
        assert!(read("<html>").unwrap_err().contains("scripts/hls-js"));
        assert!(read(&"x".repeat(BYTES_MAX as usize + 1)).unwrap_err().contains("4 MB"));
        assert!(HlsJs::read(&folder.path().join("none")).unwrap_err().contains("none"));
    }
}
