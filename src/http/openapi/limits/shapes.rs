//! The shapes of texts and numbers in the API documents: patterns, lengths and ranges.

use serde_json::{Value, json};

use crate::domain::limits::Limit;

/// The characters of which a text that a person types needs at least one: what is left of the first 65,536 without spaces, controls and
/// characters that show nothing. Later ones (emoji) do not count here, because not every engine of regular expressions can name them.
const VISIBLE: [(u16, u16); 20] = [
    (0x0021, 0x007e),
    (0x00a1, 0x00ac),
    (0x00ae, 0x034e),
    (0x0350, 0x061b),
    (0x061d, 0x115e),
    (0x1161, 0x167f),
    (0x1681, 0x17b3),
    (0x17b6, 0x180a),
    (0x1810, 0x1fff),
    (0x2010, 0x2027),
    (0x2030, 0x205e),
    (0x2070, 0x27ff),
    (0x2801, 0x2fff),
    (0x3001, 0x3163),
    (0x3165, 0xd7fe),
    (0xe000, 0xfdcf),
    (0xfdf0, 0xfdff),
    (0xfe10, 0xfefe),
    (0xff00, 0xff9f),
    (0xffa1, 0xffee),
];
pub const URL: &str = "^(https?://[!-~]*|/([!-.0-~][!-~]*)?)$";
pub const PICTURE_URL: &str = "^(https://[!-~]*|/([!-.0-~][!-~]*)?)$";
pub const PHONE: &str = "^[+(). -]*([0-9][+(). -]*){5,20}$";
/// Stricter than the validation, which also accepts the rarer signs before the `@`.
pub const EMAIL: &str = r"^[A-Za-z0-9_-]+@[A-Za-z0-9]+(\.[A-Za-z]+)+$";
pub const VISIBLE_ASCII: &str = "^[!-~]+$";
/// The quotes around a key are not part of it.
pub const IDEMPOTENCY_KEY: &str = "^[!#-~][!-~]{6,253}[!#-~]$";

pub fn visible(length_max: usize) -> Value {
    json!({ "minLength": 1, "maxLength": length_max, "pattern": visible_pattern() })
}

/// A text of one line that may be left empty.
pub fn line_or_nothing(length_max: usize) -> Value {
    json!({ "maxLength": length_max, "pattern": format!("^$|{}", visible_pattern()) })
}

pub fn visible_pattern() -> String {
    let ranges = VISIBLE.iter().map(|(first, last)| format!("\\u{first:04x}-\\u{last:04x}"));
    format!("[{}]", ranges.collect::<String>())
}

pub fn range((low, high): Limit) -> Value {
    json!({ "minimum": low, "maximum": high })
}

#[cfg(test)]
mod tests {
    use super::VISIBLE;
    use crate::domain::Name;

    #[test]
    fn every_character_that_the_documents_call_visible_is_accepted() {
        for (first, last) in VISIBLE {
            for character in (first..=last).filter_map(|unit| char::from_u32(unit.into())) {
                assert!(Name::parse(&character.to_string()).is_ok(), "U+{:04X}", u32::from(character));
            }
        }
    }
}
