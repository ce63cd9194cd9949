//! What a search compares: the words of a text in one common form, and which words are alike.
//!
//! The form of letters is that of [`blocklist::fold`](super::blocklist::fold): case, vowel signs, the forms of alef, yeh, teh marbuta and
//! kaf, and both styles of digits do not matter. A word is what stands between other signs.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::blocklist::fold;

/// In characters. The rest of a longer word is left out.
pub const WORD_LENGTH_MAX: usize = 40;
/// Words of one product: a SKU and a barcode for each of its variants, and what its texts have.
pub const WORDS_MAX: usize = 16_000;
/// Words of one search; the others are ignored.
pub const TERMS_MAX: usize = 8;
/// Words that are tried in place of a mistyped one.
pub const ALIKE_MAX: usize = 8;

/// The words of a text, in order, each once. A word with the Arabic article is there without it too: who looks for "shoe" finds "the shoe".
pub fn words(text: &str) -> Vec<String> {
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    let mut add = |word: String| {
        if !word.is_empty() && found.len() < WORDS_MAX && known.insert(word.clone()) {
            found.push(word);
        }
    };
    for word in fold(text).split(|c: char| !c.is_alphanumeric()) {
        let word: String = word.chars().take(WORD_LENGTH_MAX).collect();
        if let Some(rest) = word.strip_prefix("ال").filter(|rest| 3 <= rest.chars().count()) {
            add(rest.to_owned());
        }
        add(word);
    }
    found
}

/// The words of a search. The article is left out: a product has its words without it too.
pub fn terms(search: &str) -> Vec<String> {
    let mut found = words(search);
    let without: Vec<String> = found.clone();
    found.retain(|word| {
        let rest = word.strip_prefix("ال").filter(|rest| 3 <= rest.chars().count());
        rest.is_none_or(|rest| !without.iter().any(|other| other == rest))
    });
    found.truncate(TERMS_MAX);
    found
}

/// The parts of three letters of a word, with its beginning and its end. Shorter words have none: any two of them are alike.
pub fn grams(word: &str) -> Vec<String> {
    let letters: Vec<char> = std::iter::once(' ').chain(word.chars()).chain([' ']).collect();
    if letters.len() < 5 {
        return Vec::new();
    }
    let mut grams: Vec<String> = letters.windows(3).map(|three| three.iter().collect()).collect();
    grams.sort();
    grams.dedup();
    grams
}

/// The words of `known` that somebody may have meant who typed `typed`: it is a part of them, or they differ from it, or from as much of
/// them as was typed, by a letter or two. The nearest ones come first.
pub fn alike(typed: &str, known: impl IntoIterator<Item = String>) -> Vec<String> {
    let letters: Vec<char> = typed.chars().collect();
    let most = match letters.len() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    };
    let mut found: Vec<(usize, String)> = known
        .into_iter()
        .filter_map(|word| {
            let other: Vec<char> = word.chars().collect();
            let whole = distance(&letters, &other);
            let begin = distance(&letters, &other[..other.len().min(letters.len())]);
            let is_part = 3 <= letters.len() && word.contains(typed);
            let mistakes = if is_part { 0 } else { whole.min(begin) };
            (is_part || mistakes <= most).then_some((mistakes, word))
        })
        .collect();
    found.sort();
    found.truncate(ALIKE_MAX);
    found.into_iter().map(|(_, word)| word).collect()
}

/// Documents with their words, ready for many searches. For some thousands: more need an index.
pub struct SearchedWords {
    documents: Vec<Vec<String>>,
    /// Every word once, sorted.
    known: Vec<String>,
    /// The positions in `known` of the words without a digit that have a gram: a number that differs in a digit is another number.
    with_gram: HashMap<String, Vec<usize>>,
}

impl SearchedWords {
    pub fn new(documents: Vec<Vec<String>>) -> Self {
        let known: Vec<String> = documents.iter().flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let mut with_gram: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, word) in known.iter().enumerate().filter(|(_, word)| !is_number(word)) {
            for gram in grams(word) {
                with_gram.entry(gram).or_default().push(at);
            }
        }
        Self { documents, known, with_gram }
    }

    /// Which of the documents have all words of a search, or words that are like them; in their order.
    pub fn matching(&self, search: &str) -> Vec<usize> {
        let terms = terms(search);
        let begins: Vec<Vec<String>> = terms.iter().map(|term| self.beginnings(term)).collect();
        let has = |words: &[String], begins: &[String]| {
            words.iter().any(|word| begins.iter().any(|begin| word.starts_with(begin.as_str())))
        };
        let is_found = |at: &usize| !terms.is_empty() && begins.iter().all(|begins| has(&self.documents[*at], begins));
        (0..self.documents.len()).filter(is_found).collect()
    }

    /// What words of the documents begin with that are meant by a term: the term itself, or else words that share parts with it and are
    /// alike.
    fn beginnings(&self, term: &str) -> Vec<String> {
        let first = self.known.partition_point(|word| word.as_str() < term);
        if self.known.get(first).is_some_and(|word| word.starts_with(term)) {
            return vec![term.to_owned()];
        }
        if is_number(term) {
            return Vec::new();
        }
        let near: BTreeSet<usize> =
            grams(term).iter().filter_map(|gram| self.with_gram.get(gram)).flatten().copied().collect();
        alike(term, near.into_iter().map(|at| self.known[at].clone()))
    }
}

fn is_number(word: &str) -> bool {
    word.chars().any(char::is_numeric)
}

/// How many letters must be added, left out, changed or exchanged with their neighbour to make one word of the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if 1 < i && 1 < j && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_letters_and_digits_do_not_matter() {
        for (text, expected) in [
            ("Brass LAMP, 2-arm", &["brass", "lamp", "2", "arm"][..]),
            ("Crème brûlée", &["creme", "brulee"]),
            ("أَحذية", &["احذيه"]),
            ("إبريق آلة ٱسم", &["ابريق", "اله", "اسم"]),
            ("قهوى قهوي", &["قهوي"]),
            ("حلوة حلوه", &["حلوه"]),
            ("کیک", &["كيك"]),
            ("شـــاي", &["شاي"]),
            ("الحذاء", &["حذاء", "الحذاء"]),
            ("١٢٣ ۴۵۶", &["123", "456"]),
            ("A-1/b", &["a", "1", "b"]),
            ("", &[]),
            ("🎁 !!", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(terms("الحذاء الأحمر"), ["حذاء", "احمر"]);
        assert_eq!(words(&"x".repeat(100))[0].chars().count(), WORD_LENGTH_MAX);
    }

    #[test]
    fn word_with_a_mistake_is_alike_and_another_word_is_not() {
        let known = ["lamp", "lantern", "table", "perfume", "عطر", "قهوه", "مصباح"];
        let found = |typed: &str| alike(typed, known.map(str::to_owned));
        for (typed, expected) in [
            ("lapm", &["lamp"][..]),
            ("lanp", &["lamp", "lantern"]),
            ("lamb", &["lamp"]),
            ("tabel", &["table"]),
            ("prefume", &["perfume"]),
            ("parfum", &["perfume"]),
            ("antern", &["lantern"]),
            ("مصبح", &["مصباح"]),
            ("cup", &[]),
            ("tab", &["table"]),
            ("lam", &["lamp"]),
            ("xyzabc", &[]),
        ] {
            assert_eq!(found(typed), expected, "{typed}");
        }
    }

    /// The product list of a show is searched in the browser, by the same table: `web-demo/search_text.js`.
    #[test]
    fn texts_are_found_as_in_the_browser() {
        let table: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/corpus/search_words.json")).unwrap();
        for row in table["found"].as_array().unwrap() {
            let [text, search] = [0, 1].map(|at| row[at].as_str().unwrap());
            let found = SearchedWords::new(vec![words(text)]).matching(search);
            assert_eq!(found.len() == 1, row[2].as_bool().unwrap(), "{row}");
        }
    }

    #[test]
    fn documents_with_all_words_or_words_like_them_are_found() {
        let documents: Vec<Vec<String>> =
            ["Evening show Noura lamps", "عرض الحذاء الأحمر", "Perfume night 2030", ""].map(words).into();
        let documents = SearchedWords::new(documents);
        for (search, expected) in [
            ("lamp", &[0][..]),
            ("noura even", &[0]),
            ("lapms noura", &[0]),
            ("حذاء احمر", &[1]),
            ("prefume", &[2]),
            ("٢٠٣٠", &[2]),
            ("2031", &[]),
            ("lamp perfume", &[]),
            ("", &[]),
            ("!!", &[]),
        ] {
            assert_eq!(documents.matching(search), expected, "{search}");
        }
    }

    #[test]
    fn words_that_differ_by_one_letter_share_parts() {
        assert_eq!(grams("lamp"), [" la", "amp", "lam", "mp "]);
        assert!(grams("ab").is_empty());
        let (a, b) = (grams("perfume"), grams("prefume"));
        assert!(a.iter().any(|gram| b.contains(gram)));
    }
}
