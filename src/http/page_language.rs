//! The language in which a page begins, before any script runs.
//!
//! The script decides in the end, because it also knows the last choice of the reader (`web-demo/i18n.js`). Where both agree, which is
//! so at every first visit, the texts are already on their way and nothing turns round.

use axum::http::{HeaderMap, header};

/// A language of the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageLanguage {
    pub code: &'static str,
    /// `ltr` or `rtl`.
    direction: &'static str,
}

const LANGUAGES: [PageLanguage; 3] = [
    PageLanguage { code: "en", direction: "ltr" },
    PageLanguage { code: "ar", direction: "rtl" },
    PageLanguage { code: "id", direction: "ltr" },
];

impl PageLanguage {
    /// The first tag of a page in this language.
    pub fn html_tag(&self) -> String {
        format!("<html lang=\"{}\" dir=\"{}\">", self.code, self.direction)
    }
}

/// `?lang=` comes first, then the languages of the browser in their order; English where none of ours is asked for.
pub fn page_language(query: Option<&str>, headers: &HeaderMap) -> PageLanguage {
    let asked = query.unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("lang="));
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut tags = asked.take(1).chain(accepted.split(',').map(str::trim));
    tags.find_map(|tag| LANGUAGES.into_iter().find(|language| names(tag, language.code))).unwrap_or(LANGUAGES[0])
}

/// `ar`, `ar-SA` and `AR;q=0.8` name Arabic.
fn names(tag: &str, code: &str) -> bool {
    let primary = tag.split(['-', ';', '_']).next().unwrap_or_default();
    primary.trim().eq_ignore_ascii_case(code)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn address_comes_before_the_browser() {
        for (query, accepted, expected) in [
            (None, "", "en"),
            (None, "ar-SA,ar;q=0.9,en;q=0.8", "ar"),
            (None, "fr-FR, ID ;q=0.7, ar;q=0.1", "id"),
            (None, "arn, de", "en"),
            (Some("stream=1&lang=id"), "ar", "id"),
            (Some("lang=xx"), "ar", "ar"),
            (Some("lang=en&lang=ar"), "id", "en"),
            (Some("language=ar"), "", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
            assert_eq!(page_language(query, &headers).code, expected, "{query:?} {accepted}");
        }
    }
}
