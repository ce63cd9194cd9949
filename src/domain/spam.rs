//! Messages that only make noise, and messages that lead elsewhere. Both work on [folded](super::words::fold) text.

/// One character so many times in a row is noise. A laugh is shorter.
const REPEATS_MAX: usize = 20;
/// More signs than this without any letter or digit among them are noise: a row of hearts is shorter.
const SYMBOLS_MAX: usize = 30;

/// `loooooo…`, `!!!!!!…`, a wall of emoji.
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

/// Endings that make an address of two words with a dot between them. Only the ones people meet; `://`, `www.` and a path behind
/// the name are an address whatever the ending.
const TOP_LEVEL_DOMAINS: [&str; 32] = [
    "com", "net", "org", "info", "biz", "shop", "store", "online", "site", "xyz", "top", "app", "io", "co", "link",
    "live", "tv", "gg", "ly", "cc", "ru", "cn", "uk", "de", "sa", "ae", "eg", "kw", "qa", "om", "id", "dev",
];

/// Does a link stand in it, as far as one can tell by its form?
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
    fn noise_is_told_from_joy() {
        for (text, flood) in [
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
            assert_eq!(has_too_many_repeats(&fold(text)), flood, "{text}");
        }
    }

    #[test]
    fn links_are_told_from_prices() {
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
