//! Rust source as a list of words and signs, without comments and texts.
//!
//! The tidy rules ask which names a file uses. A plain search would also find them in comments and in the messages
//! of assertions; a real parser would be a dependency for three questions. This is the small thing in between.

/// A word or a sign of the source and the line it stands on. `::` is one sign, every other sign one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (length, keep) = match first {
            _ if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            _ if rest.starts_with("/*") => (block_comment(rest), false),
            _ if first.is_whitespace() => (first.len_utf8(), false),
            '"' => (text(rest, 1), false),
            '\'' => lifetime_or_character(rest),
            'b' | 'c' | 'r' if opens_text(rest) => (prefixed_text(rest), false),
            _ if is_word(first) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
            _ if rest.starts_with("::") => (2, true),
            _ => (first.len_utf8(), true),
        };
        if keep {
            found.push(Token { text: &rest[..length], line });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Comments in Rust nest.
fn block_comment(source: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < source.len() {
        if source[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if source[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += source[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    source.len()
}

/// The length of a text whose first `start` bytes, the opening quote among them, are already known.
fn text(source: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, c) in source[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return start + at + 1,
            _ => {}
        }
    }
    source.len()
}

/// Does `b"`, `c"`, `r"`, `r#"`, `br#"` or the like start here, rather than a word or a raw name such as `r#type`?
fn opens_text(source: &str) -> bool {
    let prefix = source.trim_start_matches(['b', 'c', 'r']);
    source.len() - prefix.len() <= 2 && prefix.trim_start_matches('#').starts_with('"')
}

fn prefixed_text(source: &str) -> usize {
    let letters = source.len() - source.trim_start_matches(['b', 'c', 'r']).len();
    let hashes = source[letters..].len() - source[letters..].trim_start_matches('#').len();
    let start = letters + hashes + 1;
    if !source[..letters].contains('r') {
        return text(source, start);
    }
    let end = format!("\"{}", "#".repeat(hashes));
    source[start..].find(&end).map_or(source.len(), |at| start + at + end.len())
}

/// `'a'`, `'\n'` and `'\''` are characters; `'a` in `&'a str` is a lifetime, of which only the name is a word.
fn lifetime_or_character(source: &str) -> (usize, bool) {
    let mut following = source[1..].chars();
    match (following.next(), following.next()) {
        (Some('\\'), _) => (source[3..].find('\'').map_or(source.len(), |at| at + 4), false),
        (Some(c), Some('\'')) => (c.len_utf8() + 2, false),
        _ => (1, false),
    }
}

#[cfg(test)]
mod tests {
    use super::tokens;

    fn words(source: &str) -> Vec<&str> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_texts_are_no_words() {
        let rows: [(&str, &[&str]); 9] = [
            ("use crate::a; // crate::b", &["use", "crate", "::", "a", ";"]),
            ("a /* b /* c */ d */ e", &["a", "e"]),
            (r#"f("a \" b", c)"#, &["f", "(", ",", "c", ")"]),
            (r##"r#"a " b"# c"##, &["c"]),
            (r#"b"a" br"\" c"#, &["c"]),
            ("r#type", &["r", "#", "type"]),
            (r"['a', '\'', '\u{7f}', 'b']", &["[", ",", ",", ",", "]"]),
            ("&'a str", &["&", "a", "str"]),
            ("bark crab", &["bark", "crab"]),
        ];
        for (source, expected) in rows {
            assert_eq!(words(source), expected, "in {source}");
        }
    }

    #[test]
    fn a_word_knows_its_line() {
        let lines: Vec<usize> = tokens("a\n/* \n */ b\n\"\n\" c").into_iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 5]);
    }
}
