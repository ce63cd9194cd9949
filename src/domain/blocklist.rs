//! The blocklist of a show: its blocked words, the matcher that finds them, and the form of text in which they are compared.

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use super::{Refusal, text};

/// What happens to a viewer's message that contains the word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlockAction {
    /// The message goes to the review queue.
    Review,
    /// The message is refused.
    Refuse,
}

impl BlockAction {
    pub fn name(self) -> &'static str {
        match self {
            BlockAction::Review => "review",
            BlockAction::Refuse => "refuse",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [BlockAction::Review, BlockAction::Refuse].into_iter().find(|action| action.name() == text)
    }
}

/// A blocked word or phrase of 1–50 characters. It is found in every spelling: see [`fold`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockedWord {
    pub word: String,
    /// `true`: match only whole words. `false`: match inside longer words too.
    #[serde(default)]
    pub whole_word: bool,
    pub action: BlockAction,
}

/// The blocked words of one show, with a matcher that is built once for all messages.
#[derive(Debug)]
pub struct Blocklist {
    words: Vec<BlockedWord>,
    /// `None`: the list is empty.
    matcher: Option<AhoCorasick>,
}

impl Blocklist {
    pub const WORDS_MAX: usize = 500;
    pub const LENGTH_MAX: usize = 50;

    pub fn empty() -> Self {
        Self { words: Vec::new(), matcher: None }
    }

    /// Parses a list that the team typed. When it has two spellings of one word, the later one is kept.
    pub fn parse(given: Vec<BlockedWord>) -> Result<Self, Refusal> {
        if given.len() > Self::WORDS_MAX {
            return Err(Refusal::bad_field("words", "must be at most 500 words."));
        }
        let mut words: Vec<BlockedWord> = Vec::with_capacity(given.len());
        let mut folded: Vec<String> = Vec::with_capacity(given.len());
        for blocked in given {
            let bad = || Refusal::bad_field("words", "must be words of 1 to 50 characters.");
            let word = text::single_line(&blocked.word, Self::LENGTH_MAX).ok_or_else(bad)?;
            let form = fold(&word);
            if form.is_empty() {
                return Err(Refusal::invalid_value("words", "must each have at least one letter, digit or symbol."));
            }
            let blocked = BlockedWord { word, ..blocked };
            match folded.iter().position(|known| *known == form) {
                Some(at) => words[at] = blocked,
                None => {
                    words.push(blocked);
                    folded.push(form);
                }
            }
        }
        let failed = |_| Refusal::bad_field("words", "must be fewer: this list is too large.");
        let matcher = if words.is_empty() { None } else { Some(AhoCorasick::new(&folded).map_err(failed)?) };
        Ok(Self { words, matcher })
    }

    pub fn words(&self) -> &[BlockedWord] {
        &self.words
    }

    /// The strictest action of all words that the text contains. `folded` is the text, [folded](fold).
    pub fn strictest_match(&self, folded: &str) -> Option<BlockAction> {
        let mut strictest = None;
        for found in self.matcher.as_ref()?.find_overlapping_iter(folded) {
            let Some(blocked) = self.words.get(found.pattern().as_usize()) else { continue };
            let is_word_boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            let is_whole_word = || {
                is_word_boundary(folded[..found.start()].chars().next_back())
                    && is_word_boundary(folded[found.end()..].chars().next())
            };
            if strictest < Some(blocked.action) && (!blocked.whole_word || is_whole_word()) {
                strictest = Some(blocked.action);
            }
            if strictest == Some(BlockAction::Refuse) {
                break;
            }
        }
        strictest
    }
}

/// Folds a text to the form in which it is compared, so that a word is found in every spelling: compatibility forms are
/// decomposed (NFKD), letters become lower case, vowel signs, accents, tatweel and invisible characters are removed, alef, yeh, kaf
/// and heh get one form each (teh marbuta becomes heh, because it is pronounced like heh at the end of a sentence and often typed as
/// heh), Arabic and Persian digits become ASCII, and each run of white space becomes one space.
///
/// Only marks that change the sound of a letter are removed (Latin, Greek, Cyrillic, Hebrew, Arabic). The vowel signs of Devanagari
/// and Thai stay, because they are letters.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let letters = text.nfkd().flat_map(char::to_lowercase).filter(|c| !is_diacritic(*c) && !is_invisible(*c));
    for c in letters {
        match c {
            'ß' => folded.push_str("ss"),
            c if c.is_whitespace() => {
                if !folded.is_empty() && !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            c => folded.push(canonical_letter(c)),
        }
    }
    if folded.ends_with(' ') {
        folded.pop();
    }
    folded
}

/// The common form of a letter that has several forms.
fn canonical_letter(c: char) -> char {
    match c {
        // Alef with wasla or wavy hamza. Alef with hamza or madda was decomposed before, and its mark removed.
        '\u{671}' | '\u{672}' | '\u{673}' => 'ا',
        // Alef maqsura, Persian yeh, and the forms of Urdu and Kurdish keyboards.
        '\u{649}' | '\u{6cc}' | '\u{6d0}' | '\u{6d2}' => 'ي',
        '\u{629}' | '\u{6c3}' | '\u{6c1}' | '\u{6be}' | '\u{6d5}' => 'ه',
        '\u{6a9}' | '\u{6aa}' => 'ك',
        'ı' => 'i',
        'ς' => 'σ',
        '\u{660}'..='\u{669}' => ascii_digit(c, 0x660),
        '\u{6f0}'..='\u{6f9}' => ascii_digit(c, 0x6f0),
        c => c,
    }
}

fn ascii_digit(c: char, zero: u32) -> char {
    char::from_digit(c as u32 - zero, 10).unwrap_or(c)
}

fn is_diacritic(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{674}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{8ca}'..='\u{8ff}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Is the character invisible? Joiners, direction marks, fillers, variation selectors and tags are; tatweel is included because it
/// only stretches a word.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{640}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pages fold by the same table: `web-demo/search_text.js`.
    #[test]
    fn spellings_of_one_word_fold_to_the_same_text() {
        let table: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/corpus/search_words.json")).unwrap();
        let rows = table["folded"].as_array().unwrap();
        assert!(rows.len() > 20);
        for row in rows {
            assert_eq!(fold(row[0].as_str().unwrap()), row[1].as_str().unwrap(), "{row}");
        }
        assert_eq!(fold("  a \u{a0}\t b\u{3000}"), "a b");
    }

    fn blocklist(list: &[(&str, bool, BlockAction)]) -> Blocklist {
        let blocked = |(word, whole_word, action): &(&str, bool, BlockAction)| BlockedWord {
            word: (*word).to_owned(),
            whole_word: *whole_word,
            action: *action,
        };
        Blocklist::parse(list.iter().map(blocked).collect()).unwrap()
    }

    #[test]
    fn whole_words_and_parts_of_words_are_found() {
        use BlockAction::*;
        let blocklist = blocklist(&[
            ("ass", true, Refuse),
            ("كلب", true, Refuse),
            ("scam", false, Review),
            ("bad deal", true, Review),
        ]);
        for (text, act) in [
            ("what an ASS!", Some(Refuse)),
            ("a class act", None),
            ("ass_", Some(Refuse)),
            ("ass1", None),
            ("الكلب", None),
            ("يا كَـلْب.", Some(Refuse)),
            ("scammers", Some(Review)),
            ("scammers, ass", Some(Refuse)),
            ("bad  deal", Some(Review)),
            ("bad dealer", None),
            ("", None),
        ] {
            assert_eq!(blocklist.strictest_match(&fold(text)), act, "{text}");
        }
        assert_eq!(Blocklist::empty().strictest_match("scam"), None);
    }

    #[test]
    fn blocklist_has_limits_and_no_duplicates() {
        let word = |text: &str| BlockedWord { word: text.to_owned(), whole_word: false, action: BlockAction::Review };
        for (text, good) in [
            ("x", true),
            (&*"ك".repeat(50), true),
            (&*"x".repeat(51), false),
            (" ", false),
            ("ـ\u{64b}", false),
            ("🤡", true),
        ] {
            assert_eq!(Blocklist::parse(vec![word(text)]).is_ok(), good, "{text:?}");
        }
        let many = |n: usize| Blocklist::parse((0..n).map(|n| word(&format!("w{n}"))).collect());
        assert_eq!(many(500).unwrap().words().len(), 500);
        assert!(many(501).is_err());
        let twice =
            Blocklist::parse(vec![word("على"), word("b"), BlockedWord { action: BlockAction::Refuse, ..word("علی") }])
                .unwrap();
        assert_eq!((twice.words().len(), twice.strictest_match("علي")), (2, Some(BlockAction::Refuse)));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,60}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn marks_and_invisible_characters_do_not_hide_a_word(
            at in proptest::collection::vec((0_usize..6, prop_oneof![Just('\u{200d}'), Just('\u{640}'), Just('\u{651}'), Just('\u{301}'), Just('\u{202e}')]), 0..20)
        ) {
            let blocklist = blocklist(&[("محرم", false, BlockAction::Refuse)]);
            let mut text: Vec<char> = "محرم".chars().collect();
            for (place, c) in at {
                text.insert(place.min(text.len()), c);
            }
            let text: String = text.into_iter().collect();
            prop_assert_eq!(blocklist.strictest_match(&fold(&text)), Some(BlockAction::Refuse));
        }

        #[test]
        fn match_agrees_with_a_simple_search(text in "[a-c ]{0,40}", list in proptest::collection::vec(("[a-c]{1,4}", any::<bool>()), 1..8)) {
            let blocked: Vec<_> = list.iter().map(|(word, whole_word)| BlockedWord { word: word.clone(), whole_word: *whole_word, action: BlockAction::Review }).collect();
            let blocklist = Blocklist::parse(blocked).unwrap();
            // When a word is listed twice, the later one is kept.
            let counts = |at: usize| !list[at + 1..].iter().any(|(word, _)| *word == list[at].0);
            let folded = fold(&text);
            let there = |(word, whole): &(String, bool)| if *whole { folded.split(' ').any(|part| part == word) } else { folded.contains(word.as_str()) };
            let expected = (0..list.len()).any(|at| counts(at) && there(&list[at]));
            prop_assert_eq!(blocklist.strictest_match(&folded).is_some(), expected);
        }
    }
}
