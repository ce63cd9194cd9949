//! Which characters a reader sees, and how many combining marks a letter may carry.
//!
//! The properties come from Unicode's own data (crate `icu_properties`, which URLs need anyway). What Unicode does not mark as
//! ignorable although it has no ink is listed here.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Is there nothing to see? White space, controls, and everything that Unicode calls default ignorable (joiners, fillers, variation
/// selectors, tags, direction marks), and characters whose image is empty.
pub fn is_blank(c: char) -> bool {
    let has_empty_image = matches!(c,
        '\u{2800}' // Braille without a dot
        | '\u{fff9}'..='\u{fffb}' // annotation controls
        | '\u{13430}'..='\u{1343f}' | '\u{13440}'..='\u{13442}' // controls and blanks of Egyptian hieroglyphs
        | '\u{16fe4}' // filler of Khitan
        | '\u{1d159}'); // musical note without a head
    let is_noncharacter = (u32::from(c) & 0xfffe) == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}');
    c.is_whitespace() || c.is_control() || is_ignorable(c) || has_empty_image || is_noncharacter
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Marks of the scripts that need few: more would cover the lines above and below.
const MARKS_MAX: usize = 4;
/// Marks of a script that builds syllables from them. Burmese needs five, Tibetan and Tai Tham six, Hebrew with accents five.
const STACKED_MARKS_MAX: usize = 8;

/// Counts the combining marks of each letter of a text.
#[derive(Default, Debug)]
pub struct MarkCounter {
    marks: usize,
    /// Of these, the marks that every script may use, and those of scripts with small stacks.
    few: usize,
}

impl MarkCounter {
    /// Takes the next character. `false`: its letter has too many marks already. Marks that take space of their own do not stack, so
    /// they are not counted; invisible characters do not begin a new letter.
    pub fn admits(&mut self, c: char) -> bool {
        // Latin text has no marks: no need to ask for its properties.
        if c < '\u{300}' {
            *self = Self::default();
            return true;
        }
        if is_ignorable(c) {
            return true;
        }
        let category = CodePointMapData::<GeneralCategory>::new().get(c);
        if !matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark) {
            *self = Self::default();
            return true;
        }
        let script = CodePointMapData::<Script>::new().get(c);
        let is_few = category == GeneralCategory::EnclosingMark
            || [
                Script::Inherited,
                Script::Common,
                Script::Latin,
                Script::Greek,
                Script::Cyrillic,
                Script::Thai,
                Script::Lao,
            ]
            .contains(&script);
        self.marks += 1;
        self.few += usize::from(is_few);
        self.marks <= STACKED_MARKS_MAX && self.few <= MARKS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_blanks_selectors_and_tags_are_blank() {
        let blank = "\u{20}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{1680}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{2000}\u{200b}\u{200d}\
            \u{200e}\u{2028}\u{202e}\u{205f}\u{2060}\u{2063}\u{2069}\u{206a}\u{2800}\u{3000}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\
            \u{fff0}\u{fff9}\u{fffe}\u{13441}\u{16fe4}\u{1bca0}\u{1d159}\u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{e01ef}\u{e0fff}";
        for c in blank.chars() {
            assert!(is_blank(c), "{c:?} U+{:04X}", u32::from(c));
        }
        for c in "a1.ـ٠م\u{301}\u{600}ก้က🙂\u{2801}\u{e000}\u{378}".chars() {
            assert!(!is_blank(c), "{c:?} U+{:04X}", u32::from(c));
        }
    }
}
