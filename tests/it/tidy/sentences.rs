//! The reason of a `wrong_status` refusal reaches the clients of the API as it is, so it must be a whole sentence.

const CALL: &str = "Refusal::WrongStatus(";

/// The reasons in a source text that do not begin with a capital letter or do not end with a full stop.
pub fn findings(path: &str, text: &str) -> Vec<String> {
    let calls = text.match_indices(CALL);
    let reasons = calls.filter_map(|(at, _)| {
        let reason = text[at + CALL.len()..].trim_start().strip_prefix('"')?;
        Some((at, reason.split('"').next()?))
    });
    let broken = reasons.filter(|(_, reason)| !reason.starts_with(char::is_uppercase) || !reason.ends_with('.'));
    broken
        .map(|(at, reason)| {
            let line = text[..at].matches('\n').count() + 1;
            format!("{path}:{line}: “{reason}” is not a whole sentence")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn reason_that_is_no_sentence_is_found() {
        for reason in ["the show has ended.", "The show has ended", ""] {
            let text = format!("fn f() {{\n    Err(Refusal::WrongStatus(\n        \"{reason}\",\n    ))\n}}");
            assert_eq!(findings("a.rs", &text), [format!("a.rs:2: “{reason}” is not a whole sentence")]);
        }
    }

    #[test]
    fn sentence_and_pattern_are_accepted() {
        let text = "Refusal::WrongStatus(\"The show has ended.\") Refusal::WrongStatus(why) Refusal::WrongStatus(_)";
        assert!(findings("a.rs", text).is_empty());
    }
}
