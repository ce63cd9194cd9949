//! Muted words: text in the form in which it is compared, and the matcher of one show's list.

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use super::{Refusal, text};

/// What happens to a viewer's message with the word in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlockAction {
    /// It waits for the team.
    Review,
    /// It is not taken.
    Refuse,
}

impl BlockAction {
    pub fn name(self) -> &'static str {
        match self {
            BlockAction::Review => "hold",
            BlockAction::Refuse => "refuse",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [BlockAction::Review, BlockAction::Refuse].into_iter().find(|act| act.name() == text)
    }
}

/// A word or a few words, 1–50 characters. It is found however it is written: see [`fold`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockedWord {
    pub word: String,
    /// Only where it stands by itself; else inside of longer words too.
    #[serde(default)]
    pub whole: bool,
    pub act: BlockAction,
}

/// The muted words of one show, made ready once for all messages.
#[derive(Debug)]
pub struct Blocklist {
    words: Vec<BlockedWord>,
    /// `None`: there is nothing to find.
    matcher: Option<AhoCorasick>,
}

impl Blocklist {
    pub const WORDS_MAX: usize = 500;
    pub const LENGTH_MAX: usize = 50;

    pub fn empty() -> Self {
        Self { words: Vec::new(), matcher: None }
    }

    /// A list as the team typed it. Of two spellings of one word the later counts.
    pub fn parse(given: Vec<BlockedWord>) -> Result<Self, Refusal> {
        if given.len() > Self::WORDS_MAX {
            return Err(Refusal::bad_request("at most 500 words"));
        }
        let mut words: Vec<BlockedWord> = Vec::with_capacity(given.len());
        let mut folded: Vec<String> = Vec::with_capacity(given.len());
        for blocked in given {
            let bad = || Refusal::bad_request("a muted word has 1 to 50 characters, among them letters or digits");
            let word = text::single_line(&blocked.word, Self::LENGTH_MAX).ok_or_else(bad)?;
            let form = fold(&word);
            if form.is_empty() {
                return Err(bad());
            }
            let muted = BlockedWord { word, ..blocked };
            match folded.iter().position(|known| *known == form) {
                Some(at) => words[at] = muted,
                None => {
                    words.push(muted);
                    folded.push(form);
                }
            }
        }
        let failed = |_| Refusal::bad_request("these words are too many to search for at once");
        let matcher = if words.is_empty() { None } else { Some(AhoCorasick::new(&folded).map_err(failed)?) };
        Ok(Self { words, matcher })
    }

    pub fn words(&self) -> &[BlockedWord] {
        &self.words
    }

    /// The hardest thing that any of the words asks for. `folded` is the message's text, [folded](fold).
    pub fn find(&self, folded: &str) -> Option<BlockAction> {
        let mut strictest = None;
        for found in self.matcher.as_ref()?.find_overlapping_iter(folded) {
            let Some(blocked) = self.words.get(found.pattern().as_usize()) else { continue };
            let is_word_boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            let is_whole_word = || {
                is_word_boundary(folded[..found.start()].chars().next_back())
                    && is_word_boundary(folded[found.end()..].chars().next())
            };
            if strictest < Some(blocked.act) && (!blocked.whole || is_whole_word()) {
                strictest = Some(blocked.act);
            }
            if strictest == Some(BlockAction::Refuse) {
                break;
            }
        }
        strictest
    }
}

/// Text as it is compared, so that a word is found however it is spelled: compatibility forms taken apart (NFKD), small
/// letters, without vowel signs and accents, without tatweel and invisible characters, one form of alef, yeh, kaf and heh
/// (teh marbuta counts as heh, as it is heard at the end of a sentence and mistyped everywhere), digits of Arabic and Persian as
/// ASCII, any white space as one space.
///
/// Only marks that change how a letter sounds are dropped (Latin, Greek, Cyrillic, Hebrew, Arabic): the vowels of Devanagari
/// or Thai are letters of their own.
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

/// The one form of a letter that is written in several.
fn canonical_letter(c: char) -> char {
    match c {
        // Wasla, wavy hamza; alef with hamza or madda was taken apart, and its mark dropped.
        '\u{671}' | '\u{672}' | '\u{673}' => 'ا',
        // Alef maqsura, Persian yeh, and what Urdu and Kurdish keyboards make of it.
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

/// Takes no room: joiners, direction marks, fillers, variation selectors, tags; and tatweel, which only stretches.
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

    #[test]
    fn one_word_however_it_is_written() {
        for (written, folded) in [
            ("Scam", "scam"),
            ("ＳＣＡＭ", "scam"),
            ("𝓢𝓬𝓪𝓶", "scam"),
            ("s\u{200b}c\u{200d}a\u{ad}m", "scam"),
            ("\u{202e}scam\u{2069}", "scam"),
            ("scâm", "scam"),
            ("s\u{336}c\u{336}a\u{336}m\u{336}", "scam"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("ΛΌΓΟΣ", "λογοσ"),
            ("İstanbul ılık", "istanbul ilik"),
            ("مُحَمَّدٌ", "محمد"),
            ("مـــحـمد", "محمد"),
            ("أحمد إلى آخر ٱلليل", "احمد الي اخر الليل"),
            ("مدرسة علي على علی", "مدرسه علي علي علي"),
            ("کتاب كتاب", "كتاب كتاب"),
            ("مؤمن شيء رئيس", "مومن شيء رييس"),
            ("ٱلۡحَمۡدُ", "الحمد"),
            ("ﻻ ﷲ", "لا الله"),
            ("٠٥٥ ۱۲۳ １２", "055 123 12"),
            ("  a \u{a0}\t b\u{3000}", "a b"),
            ("हिन्दी", "हिन्दी"),
            ("👨\u{200d}👩\u{200d}👧", "👨👩👧"),
            ("\u{200b}", ""),
        ] {
            assert_eq!(fold(written), folded, "{written:?}");
        }
    }

    fn words(list: &[(&str, bool, BlockAction)]) -> Blocklist {
        let muted = |(word, whole, act): &(&str, bool, BlockAction)| BlockedWord {
            word: (*word).to_owned(),
            whole: *whole,
            act: *act,
        };
        Blocklist::parse(list.iter().map(muted).collect()).unwrap()
    }

    #[test]
    fn a_word_is_found_by_itself_or_inside_of_others() {
        use BlockAction::*;
        let words =
            words(&[("ass", true, Refuse), ("كلب", true, Refuse), ("scam", false, Review), ("bad deal", true, Review)]);
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
            assert_eq!(words.find(&fold(text)), act, "{text}");
        }
        assert_eq!(Blocklist::empty().find("scam"), None);
    }

    #[test]
    fn a_list_has_bounds_and_no_word_twice() {
        let word = |text: &str| BlockedWord { word: text.to_owned(), whole: false, act: BlockAction::Review };
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
            Blocklist::parse(vec![word("على"), word("b"), BlockedWord { act: BlockAction::Refuse, ..word("علی") }])
                .unwrap();
        assert_eq!((twice.words().len(), twice.find("علي")), (2, Some(BlockAction::Refuse)));
    }

    proptest! {
        #[test]
        fn folded_text_folds_to_itself(text in "\\PC{0,60}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn marks_and_unseen_characters_hide_no_word(
            at in proptest::collection::vec((0_usize..6, prop_oneof![Just('\u{200d}'), Just('\u{640}'), Just('\u{651}'), Just('\u{301}'), Just('\u{202e}')]), 0..20)
        ) {
            let words = words(&[("محرم", false, BlockAction::Refuse)]);
            let mut text: Vec<char> = "محرم".chars().collect();
            for (place, c) in at {
                text.insert(place.min(text.len()), c);
            }
            let text: String = text.into_iter().collect();
            prop_assert_eq!(words.find(&fold(&text)), Some(BlockAction::Refuse));
        }

        #[test]
        fn what_is_found_is_there(text in "[a-c ]{0,40}", list in proptest::collection::vec(("[a-c]{1,4}", any::<bool>()), 1..8)) {
            let muted: Vec<_> = list.iter().map(|(word, whole)| BlockedWord { word: word.clone(), whole: *whole, act: BlockAction::Review }).collect();
            let words = Blocklist::parse(muted).unwrap();
            // Of one word twice the later counts.
            let counts = |at: usize| !list[at + 1..].iter().any(|(word, _)| *word == list[at].0);
            let folded = fold(&text);
            let there = |(word, whole): &(String, bool)| if *whole { folded.split(' ').any(|it| it == word) } else { folded.contains(word.as_str()) };
            let expected = (0..list.len()).any(|at| counts(at) && there(&list[at]));
            prop_assert_eq!(words.find(&folded).is_some(), expected);
        }
    }
}
