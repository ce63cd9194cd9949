//! Text that users typed. It is validated and normalised once, when it arrives, so that it is safe to show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Refusal;
use super::team_name;
use super::visible::{MarkCounter, is_blank};

/// Translations of a title, by language tag (`ar`, `id`). The plain title is used for every other language.
pub type Titles = BTreeMap<String, String>;

/// The display name of a user: 1–40 characters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    pub const LENGTH_MAX: usize = 40;

    pub fn parse(text: &str) -> Result<Self, Refusal> {
        exact_line(text, Self::LENGTH_MAX).map(Self).map_err(|fault| fault.refusal("name", Self::LENGTH_MAX))
    }

    /// Would a reader take this name for the other one?
    pub fn reads_like(&self, other: &Name) -> bool {
        team_name::reads_like(&self.0, &other.0)
    }

    /// Would readers think that the user with this name is a member of the team? Viewers with such a name cannot write in the chat.
    pub fn claims_role(&self) -> bool {
        team_name::claims_role(&self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A title of a show, product or variant: 1–120 characters on one line.
pub fn title(text: &str) -> Result<String, Refusal> {
    exact_line(text, 120).map_err(|fault| fault.refusal("title", 120))
}

/// The category of a product: 1–40 characters on one line.
pub fn category(text: &str) -> Result<String, Refusal> {
    exact_line(text, 40).map_err(|fault| fault.refusal("category", 40))
}

/// Another text on one line, with at least one visible character.
pub fn line(text: &str, field: &'static str, length_max: usize) -> Result<String, Refusal> {
    exact_line(text, length_max).map_err(|fault| fault.refusal(field, length_max))
}

/// Translations of a title: at most 20 languages. Each translation has the limits of a title.
pub fn titles(given: &Titles) -> Result<Titles, Refusal> {
    check_languages(given, "titles")?;
    given.iter().map(|(language, text)| Ok((language.clone(), title(text)?))).collect()
}

/// Checks the languages of translations: at most 20, each with a tag.
pub(super) fn check_languages(given: &Titles, field: &'static str) -> Result<(), Refusal> {
    if given.len() > 20 {
        return Err(Refusal::bad_field(field, "must be in at most 20 languages."));
    }
    let is_tag = |language: &String| {
        (2..=16).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if given.keys().all(is_tag) {
        Ok(())
    } else {
        Err(Refusal::invalid_value(field, "must have language tags like `ar` or `pt-BR`."))
    }
}

/// A text of several lines; empty is allowed. Line ends become `\n`; controls that show nothing, and those that turn the direction of
/// the text around them, are left out.
pub(super) fn paragraphs(text: &str, length_max: usize, field: &'static str) -> Result<String, Refusal> {
    let is_left_out = |c: char| {
        c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace(is_left_out, "");
    let text = text.trim_end();
    if length_max < text.chars().count() {
        return Err(Refusal::bad_field(field, format!("must have at most {length_max} characters.")));
    }
    let mut marks = MarkCounter::default();
    if text.chars().all(|c| marks.admits(c)) {
        Ok(text.to_owned())
    } else {
        Err(LineFault::TooManyMarks.refusal(field, length_max))
    }
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

/// The URL of a picture that somebody gives: `https://`, or a path on this server. Our pages load no picture over plain `http://`, so
/// nobody would ever see it.
pub fn picture_url(text: &str) -> Result<String, Refusal> {
    match text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://")) {
        true => {
            Err(Refusal::bad_field("url", "must begin with https:// or /: browsers block pictures over plain http://."))
        }
        false => media_url(text),
    }
}

/// Why a line is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LineFault {
    /// No visible character is left.
    Invisible,
    TooLong,
    /// A letter has more combining marks than any language needs.
    TooManyMarks,
}

impl LineFault {
    /// Refuses the field; the sentence is for a developer.
    pub fn refusal(self, field: &'static str, length_max: usize) -> Refusal {
        match self {
            LineFault::Invisible | LineFault::TooLong => Refusal::bad_field(
                field,
                format!("must have 1 to {length_max} characters, and at least one that is visible."),
            ),
            // No schema can say this.
            LineFault::TooManyMarks => Refusal::invalid_value(field, "has too many combining marks on one letter."),
        }
    }
}

/// Checks and normalises a message to one line: `None` if no visible character is left or it is too long. Combining marks above the
/// limit are left out, so that they do not cover other lines.
pub(super) fn single_line(text: &str, length_max: usize) -> Option<String> {
    let mut marks = MarkCounter::default();
    let line: String = normalized(text).chars().filter(|c| marks.admits(*c)).collect();
    checked_length(line, length_max).ok()
}

/// Checks and normalises a name, title or address to one line. Nothing that a reader can see is ever changed: a text that would have
/// to be changed is refused.
pub(super) fn exact_line(text: &str, length_max: usize) -> Result<String, LineFault> {
    let line = checked_length(normalized(text), length_max)?;
    let mut marks = MarkCounter::default();
    if line.chars().all(|c| marks.admits(c)) { Ok(line) } else { Err(LineFault::TooManyMarks) }
}

fn checked_length(line: String, length_max: usize) -> Result<String, LineFault> {
    if line.chars().all(is_blank) {
        return Err(LineFault::Invisible);
    }
    if line.chars().count() > length_max { Err(LineFault::TooLong) } else { Ok(line) }
}

/// One line without control characters and with one space for each run of white space.
///
/// Direction controls (overrides, isolates) are removed, because they could reverse the text around the line; the page isolates
/// each line itself. Joiners stay: Arabic, Persian and emoji need them.
fn normalized(text: &str) -> String {
    let is_removed = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let words = text.split(char::is_whitespace).map(|word| word.replace(is_removed, ""));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
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
    fn excess_combining_marks_leave_a_message_and_refuse_a_name() {
        let tower = |n: usize| format!("z{}o", "\u{301}".repeat(n));
        assert_eq!(single_line(&tower(50), 200), Some(tower(4)));
        assert_eq!(exact_line(&tower(50), 200), Err(LineFault::TooManyMarks));
        assert_eq!(exact_line(&tower(4), 200), Ok(tower(4)));
        assert_eq!(single_line(&"\u{489}".repeat(60), 200), Some("\u{489}".repeat(4)));
        assert_eq!(single_line(&"\u{e47}".repeat(60), 200), Some("\u{e47}".repeat(4)), "Thai marks stack too");
        let with_joiners = format!("z{}", "\u{301}\u{200d}".repeat(50));
        let marks = single_line(&with_joiners, 200).map(|line| line.matches('\u{301}').count());
        assert_eq!(marks, Some(4), "a joiner does not count as a letter");
    }

    /// Every letter with its marks from the exemplar characters of CLDR 48 (npm `cldr-misc-full`), and words of living languages.
    #[test]
    fn no_word_of_a_living_script_is_changed_or_refused() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/living_scripts.txt");
        let corpus = std::fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = corpus.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert!(lines.len() > 180, "{}", lines.len());
        for line in lines {
            assert_eq!(exact_line(line, 2_000).as_deref(), Ok(line));
            assert_eq!(single_line(line, 2_000).as_deref(), Some(line));
        }
    }

    #[test]
    fn text_that_nobody_can_see_is_refused() {
        let flag_tags = "\u{e0067}\u{e0062}\u{e007f}";
        for text in [
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{2800}\u{2800}",
            "\u{fe0f}",
            "\u{200d}\u{200c}",
            flag_tags,
            "\u{17b4}",
            " \u{a0} ",
        ] {
            assert_eq!(single_line(text, 40), None, "{text:?}");
            assert_eq!(exact_line(text, 40), Err(LineFault::Invisible), "{text:?}");
            assert!(Name::parse(text).is_err() && title(text).is_err(), "{text:?}");
        }
        assert_eq!(exact_line("\u{3164}a", 40).as_deref(), Ok("\u{3164}a"));
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
            assert_eq!(picture_url(text).is_ok(), good, "{text}");
        }
        for plain in ["http://cdn.example/a.jpg", "HTTP://cdn.example/a.jpg"] {
            assert!(picture_url(plain).is_err(), "{plain}");
        }
    }
}
