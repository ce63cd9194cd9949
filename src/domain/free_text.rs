//! Does a free text name a user? For the erasure of personal data.

use super::blocklist::fold;

/// The names of one user, folded.
#[derive(Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// A name of one character is left out: it would be found in every list.
    pub fn of(names: &[String]) -> Self {
        let mut folded: Vec<String> =
            names.iter().map(|name| fold(name)).filter(|name| name.chars().count() > 1).collect();
        folded.sort_unstable();
        folded.dedup();
        Self(folded)
    }

    /// Whether the text has one of the names as a whole word, in any spelling.
    pub fn are_in(&self, text: &str) -> bool {
        if text.is_empty() || self.0.is_empty() {
            return false;
        }
        let text = fold(text);
        let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        self.0.iter().any(|name| {
            text.match_indices(name.as_str()).any(|(at, found)| {
                is_edge(text[..at].chars().next_back()) && is_edge(text[at + found.len()..].chars().next())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_found_as_a_whole_word_in_any_spelling() {
        let names = Names::of(&["Noura".into(), "نورة".into(), "Al".into(), "X".into(), "site:42".into()]);
        for (text, expected) in [
            ("spam by NOURA again", true),
            ("Noúra's friend", true),
            ("نُوره أساءت", true),
            ("al, twice", true),
            ("site:42 asked", true),
            ("site:421 asked", false),
            ("Nourah", false),
            ("also", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(names.are_in(text), expected, "{text}");
        }
    }
}
