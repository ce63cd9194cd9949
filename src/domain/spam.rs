//! Spam detection: repeated characters and links. All functions work on [folded](super::blocklist::fold) text.

/// This many repeats of one character in a row are spam. Laughter ("hahaha", "ههههه") is shorter.
const REPEATS_MAX: usize = 20;
/// A text of more symbols than this, without any letter or digit, is spam. A row of hearts is shorter.
const SYMBOLS_MAX: usize = 30;

/// Does the text repeat one character too often (`loooooo…`, `!!!!!!…`), or consist of too many emoji or other symbols?
pub fn has_too_many_repeats(folded: &str) -> bool {
    let (mut repeats, mut previous, mut symbols, mut has_text) = (0, None, 0, false);
    for c in folded.chars().filter(|c| *c != ' ') {
        repeats = if previous == Some(c) { repeats + 1 } else { 1 };
        if repeats >= REPEATS_MAX {
            return true;
        }
        previous = Some(c);
        symbols += 1;
        has_text |= c.is_alphanumeric();
    }
    !has_text && symbols > SYMBOLS_MAX
}

/// Two words with a dot between them are a link when the last one is one of these top-level domains. The list has only common
/// ones; a text with `://`, `www.` or a path after the name is a link with any ending.
const TOP_LEVEL_DOMAINS: [&str; 32] = [
    "com", "net", "org", "info", "biz", "shop", "store", "online", "site", "xyz", "top", "app", "io", "co", "link",
    "live", "tv", "gg", "ly", "cc", "ru", "cn", "uk", "de", "sa", "ae", "eg", "kw", "qa", "om", "id", "dev",
];

/// Does the text contain a link? Only the form is checked.
pub fn has_link(folded: &str) -> bool {
    folded.contains("://") || folded.split(|c: char| c == ' ' || ",;()[]<>\"'«»،؛".contains(c)).any(is_url)
}

fn is_url(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/');
    let (host, path) = word.split_once(['/', '?', '#', ':']).map_or((word, None), |(host, path)| (host, Some(path)));
    let mut labels = host.split('.').rev();
    let (Some(tld), Some(domain)) = (labels.next(), labels.next()) else { return false };
    let has_domain = domain.chars().next_back().is_some_and(char::is_alphanumeric);
    let is_tld = tld.len() >= 2 && tld.chars().all(|c| c.is_ascii_alphabetic());
    let has_path = path.is_some_and(|path| !path.is_empty());
    has_domain && is_tld && (TOP_LEVEL_DOMAINS.contains(&tld) || host.starts_with("www.") || has_path)
}

#[cfg(test)]
mod tests {
    use super::super::blocklist::fold;
    use super::*;

    #[test]
    fn repeated_characters_are_spam_and_laughter_is_not() {
        for (text, is_spam) in [
            ("هههههههههه", false),
            ("looooool", false),
            ("🎉🎉🎉🎉🎉", false),
            ("❤️🔥❤️🔥❤️🔥❤️🔥", false),
            ("!!!", false),
            ("?", false),
            (&*"a".repeat(19), false),
            (&*"a".repeat(20), true),
            (&*"ههههـ".repeat(10), true),
            (&*"! ".repeat(20), true),
            (&*"A\u{200b}a".repeat(10), true),
            (&*"🎉🔥".repeat(15), false),
            (&*"🎉🔥".repeat(16), true),
            (&*format!("sale {}", "🎉🔥".repeat(16)), false),
            (&*"lol ".repeat(40), false),
        ] {
            assert_eq!(has_too_many_repeats(&fold(text)), is_spam, "{text}");
        }
    }

    #[test]
    fn links_are_found_and_prices_are_not_links() {
        for (text, link) in [
            ("https://evil.example/x", true),
            ("HTTP://evil", true),
            ("www.evil.example", true),
            ("see evil.com now", true),
            ("(evil.shop)", true),
            ("ｅｖｉｌ．ｃｏｍ", true),
            ("t.me/scam", true),
            ("evil.com.", true),
            ("متجر.evil.com", true),
            ("e\u{200b}vil.c\u{200b}om", true),
            ("it is 3.50 or 4.5", false),
            ("wait...what", false),
            ("ok.thanks", false),
            ("1/2 and/or", false),
            ("dr. ann", false),
            ("10.30am", false),
            (".com", false),
            ("كم السعر؟", false),
        ] {
            assert_eq!(has_link(&fold(text)), link, "{text}");
        }
    }
}
