//! The table of error codes is complete, and the pages have a text for each.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ErrorCode, Refusal};

#[test]
fn every_code_is_in_the_table_once_with_a_sentence() {
    let codes: BTreeSet<_> = ErrorCode::all().map(|row| row.code).collect();
    assert_eq!(codes.len(), ErrorCode::all().count());
    for row in ErrorCode::all() {
        assert!(row.meaning.ends_with('.') && row.meaning.starts_with(char::is_uppercase), "{}", row.meaning);
        assert!((400..600).contains(&row.status), "{} {}", row.code, row.status);
    }
}

/// The text files of the pages, for one language.
fn page_texts(language: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web-demo/lang");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let ours = files.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with(language));
    ours.map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn every_text_key_has_a_page_text_in_each_language() {
    // Errors of the page itself, which no server sends.
    const PAGE_ONLY: [&str; 14] = [
        "added_or_not",
        "card_form_unreachable",
        "card_incomplete",
        "cookies_blocked",
        "network",
        "offline",
        "link_lost",
        "passkey_cancelled",
        "passkey_known",
        "passkey_unsupported",
        "stock_take_full",
        "too_long",
        "unknown",
        "wallet_failed",
    ];
    let expected: BTreeSet<_> = ErrorCode::all().map(|row| row.text_key).collect();
    for language in ["en", "ar", "id"] {
        let texts = page_texts(language);
        let quoted: BTreeSet<_> = texts.split('\'').filter(|text| text.starts_with("error.")).collect();
        let of_the_server: BTreeSet<_> =
            quoted.into_iter().filter(|key| !PAGE_ONLY.iter().any(|page| *key == format!("error.{page}"))).collect();
        assert_eq!(of_the_server, expected, "{language}");
    }
}

#[test]
fn message_adds_the_facts_of_the_refusal() {
    for (refusal, expected) in [
        (Refusal::SoldOut, "Sold out."),
        (Refusal::TooFewLeft { left: 2 }, "Only 2 left."),
        (Refusal::bad_field("price", "must be 0 to 10."), "price must be 0 to 10."),
    ] {
        assert_eq!(refusal.to_string(), expected);
    }
}
