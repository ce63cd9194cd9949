//! Text that users typed. It is validated and normalised once, when it arrives, so that it is safe to show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;
use utoipa::ToSchema;

use super::Refusal;

/// Translations of a title, by language tag (`ar`, `id`). The plain title is used for every other language.
pub type Titles = BTreeMap<String, String>;

/// The display name of a user: 1–40 characters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    pub const LENGTH_MAX: usize = 40;

    pub fn parse(text: &str) -> Result<Self, Refusal> {
        single_line(text, Self::LENGTH_MAX)
            .map(Self)
            .ok_or_else(|| Refusal::bad_field("name", "must have 1 to 40 characters."))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A title of a show, product or variant: 1–120 characters on one line.
pub fn title(text: &str) -> Result<String, Refusal> {
    single_line(text, 120).ok_or_else(|| Refusal::bad_field("title", "must have 1 to 120 characters."))
}

/// The category of a product: 1–40 characters on one line.
pub fn category(text: &str) -> Result<String, Refusal> {
    single_line(text, 40).ok_or_else(|| Refusal::bad_field("category", "must have 1 to 40 characters."))
}

/// Translations of a title: at most 20 languages. Each translation has the limits of a title.
pub fn titles(given: &Titles) -> Result<Titles, Refusal> {
    if given.len() > 20 {
        return Err(Refusal::bad_field("titles", "must be in at most 20 languages."));
    }
    given
        .iter()
        .map(|(language, text)| {
            let tag = (2..=16).contains(&language.len())
                && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !tag {
                return Err(Refusal::invalid_value("titles", "must have language tags like `ar` or `pt-BR`."));
            }
            Ok((language.clone(), title(text)?))
        })
        .collect()
}

/// The URL of an image or video: `https://`, `http://`, or a path on this server.
pub fn media_url(text: &str) -> Result<String, Refusal> {
    let known = ["https://", "http://", "/"].iter().any(|start| text.starts_with(start)) && !text.starts_with("//");
    let plain = text.len() <= 2_000 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if known && plain {
        Ok(text.to_owned())
    } else {
        Err(Refusal::bad_field("url", "must begin with https://, http:// or / and contain no spaces."))
    }
}

/// Normalises a text to one line: no control characters, and one space for each run of white space. `None` if no visible character
/// is left or the line is too long.
///
/// Direction controls (overrides, isolates) are removed, because they could reverse the text around the line; the page isolates
/// each line itself. Joiners stay: Arabic, Persian and emoji need them. A letter keeps at most four combining marks, more than any
/// language needs; more marks would cover the lines above and below.
pub(super) fn single_line(text: &str, length_max: usize) -> Option<String> {
    let is_direction_control = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace())
        .map(|word| {
            let mut marks = 0;
            let is_within_mark_limit = |c: &char| {
                if is_combining_mark(*c) {
                    marks += 1;
                } else if !is_joiner(*c) {
                    marks = 0;
                }
                marks <= COMBINING_MARKS_MAX
            };
            word.chars()
                .filter(|c| !c.is_control() && !is_direction_control(*c))
                .filter(is_within_mark_limit)
                .collect::<String>()
        })
        .filter(|word: &String| !word.is_empty())
        .collect();
    let line = words.join(" ");
    let visible =
        line.chars().any(|c| !matches!(c, ' ' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}'));
    (visible && line.chars().count() <= length_max).then_some(line)
}

const COMBINING_MARKS_MAX: usize = 4;

/// Is this an invisible character that does not separate a letter from its combining marks?
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{34f}' | '\u{ad}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_one_line_of_visible_characters() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(single_line(text, 10).as_deref(), expected, "{text:?}");
        check("  hello \n there ", None);
        check(" hi \r\n you ", Some("hi you"));
        check("a\u{0}b\u{7}", Some("ab"));
        check("\u{202e}evil", Some("evil"));
        check("\u{200b}\u{feff} ", None);
        check("", None);
        check("كم السعر؟", Some("كم السعر؟"));
        check("0123456789", Some("0123456789"));
        check("0123456789a", None);
    }

    #[test]
    fn excess_combining_marks_are_removed_and_languages_keep_theirs() {
        let tower = |n: usize| format!("z{}o", "\u{301}".repeat(n));
        assert_eq!(single_line(&tower(50), 200), Some(tower(4)));
        assert_eq!(single_line(&"\u{489}".repeat(60), 200), Some("\u{489}".repeat(4)));
        let with_joiners = format!("z{}", "\u{301}\u{200d}".repeat(50));
        assert!(
            single_line(&with_joiners, 200).unwrap().matches('\u{301}').count() == 4,
            "a joiner does not count as a letter"
        );
        for text in ["ٱلۡحَمۡدُ لِلَّهِ رَبِّ ٱلۡعَٰلَمِينَ", "Tiếng Việt", "हिन्दी", "ภาษาไทยที่นี่", "👩‍❤️‍💋‍👨", "שָׁלוֹם"]
        {
            assert_eq!(single_line(text, 200).as_deref(), Some(text));
        }
    }

    #[test]
    fn media_url_is_http_or_a_path_on_this_server() {
        for (text, good) in [
            ("https://cdn.example/a.m3u8", true),
            ("/assets/demo/scarf.svg", true),
            ("//evil.example/x", false),
            ("javascript:alert(1)", false),
            ("https://x y", false),
        ] {
            assert_eq!(media_url(text).is_ok(), good, "{text}");
        }
    }
}
