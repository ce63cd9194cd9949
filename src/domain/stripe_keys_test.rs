//! The rules of typed keys of Stripe.

use super::*;

const KEY: &str = "rk_test_51AbcdefghijklmnopQRST";
const PUBLIC: &str = "pk_test_51Abcdefghijklmnop1234";
const SECRET: &str = "whsec_Abcdefghijklmnopqrst5678";

fn form(key: &str, publishable_key: &str, webhook_secret: &str) -> StripeKeysRequest {
    let typed = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    StripeKeysRequest {
        key: typed(key),
        publishable_key: typed(publishable_key),
        webhook_secret: typed(webhook_secret),
    }
}

#[test]
fn key_of_another_kind_or_mode_is_refused_with_its_field() {
    for (bad, field, code) in [
        (form("pk_test_51Abc", PUBLIC, SECRET), "key", "stripe_key_kind"),
        (form("rk_test_", PUBLIC, SECRET), "key", "stripe_key_kind"),
        (form("rk_test_a b", PUBLIC, SECRET), "key", "stripe_key_kind"),
        (form("rk_test_é", PUBLIC, SECRET), "key", "stripe_key_kind"),
        (form(&format!("rk_test_{}", "x".repeat(300)), PUBLIC, SECRET), "key", "stripe_key_kind"),
        (form("sk_org_live_1", PUBLIC, SECRET), "key", "stripe_key_kind"),
        (form(KEY, KEY, SECRET), "publishable_key", "stripe_key_kind"),
        (form(KEY, PUBLIC, PUBLIC), "webhook_secret", "stripe_key_kind"),
        (form(KEY, "pk_live_51Abc", SECRET), "publishable_key", "stripe_key_mode"),
        (form("sk_live_51Abc", PUBLIC, SECRET), "publishable_key", "stripe_key_mode"),
        (form("", PUBLIC, SECRET), "key", "bad_request"),
        (form(KEY, "", SECRET), "publishable_key", "bad_request"),
        (form(KEY, PUBLIC, " "), "webhook_secret", "bad_request"),
    ] {
        let refused = bad.checked(None).unwrap_err();
        assert_eq!((refused.field(), refused.code()), (Some(field), code));
        for secret in [KEY, SECRET] {
            assert!(!refused.to_string().contains(secret), "{refused}");
        }
    }
    let typed = form(&format!(" {KEY}\n"), PUBLIC, SECRET).checked(None).unwrap();
    assert_eq!((typed.key.as_str(), typed.mode()), (KEY, StripeMode::Test));
    let live = form("sk_live_51Abc", "pk_live_51Abc", SECRET).checked(None).unwrap();
    assert_eq!(live.mode(), StripeMode::Live);
}

#[test]
fn what_is_left_out_stays_with_its_time_and_its_author() {
    let first = form(KEY, PUBLIC, SECRET).checked(None).unwrap();
    let stored = StoredStripeKeys::new(&first, "1.a.b".to_owned(), None, "Noura", 1_000);
    assert_eq!(stored.key, StripeKeyHint { hint: "rk_test_…QRST".into(), set_at: 1_000, by: "Noura".into() });
    assert_eq!((stored.publishable_key.hint.as_str(), stored.mode), ("pk_test_…1234", StripeMode::Test));
    assert_eq!(stored.webhook_secret.hint, "whsec_…5678");
    let again = form("rk_test_51AbcdefghijklmnopWXYZ", "", "").checked(Some(&first)).unwrap();
    let replaced = StoredStripeKeys::new(&again, "1.c.d".to_owned(), Some((&first, &stored)), "Omar", 2_000);
    assert_eq!(replaced.key, StripeKeyHint { hint: "rk_test_…WXYZ".into(), set_at: 2_000, by: "Omar".into() });
    assert_eq!(
        (&replaced.publishable_key, &replaced.webhook_secret),
        (&stored.publishable_key, &stored.webhook_secret)
    );
    let live = form("rk_live_51Abcdefghijklmnop1234", "", "").checked(Some(&first)).unwrap_err();
    assert_eq!(live.code(), "stripe_key_mode", "the publishable key that stays is one for tests");
}

#[test]
fn keys_are_not_printed_and_a_short_one_is_not_shown() {
    let keys = form("sk_test_abcdef", "pk_test_abcdef", "whsec_abcdef").checked(None).unwrap();
    let stored = StoredStripeKeys::new(&keys, String::new(), None, "Noura", 0);
    for text in [format!("{keys:?}"), format!("{stored:?}")] {
        assert!(!text.contains("cdef"), "{text}");
    }
}

#[test]
fn other_account_is_taken_only_when_nothing_is_left_of_the_one_before() {
    let keys = form(KEY, PUBLIC, SECRET).checked(None).unwrap();
    let stored = Some(StoredStripeKeys::new(&keys, String::new(), None, "Noura", 0));
    let removed = |removed_at| StripeKeysSetting { removed_at, ..StripeKeysSetting::default() };
    let check = |setting: &StripeKeysSetting, open| check_account_change(setting, open, 100_000);
    let in_use = StripeKeysSetting { stored, removed_at: Some(1), removed: None };
    assert_eq!(check(&in_use, 0), Err(StripeKeyProblem::AccountChanges));
    assert_eq!(check(&removed(Some(70_001)), 0), Err(StripeKeyProblem::AccountChanges), "a node may still use them");
    assert_eq!(check(&removed(Some(70_000)), 0), Ok(()));
    assert_eq!(check(&removed(Some(70_000)), 2), Err(StripeKeyProblem::PaymentsOpen(2)));
    assert_eq!(
        check(&removed(None), 1),
        Err(StripeKeyProblem::PaymentsOpen(1)),
        "they were made with a key of the command line"
    );
    assert_eq!(check(&removed(None), 0), Ok(()));
}

#[test]
fn account_of_the_last_keys_is_known_again_by_one_of_them() {
    let keys = |key: &str, public: &str| form(key, public, SECRET).checked(None).unwrap();
    let last = keys(KEY, PUBLIC);
    let gone = StripeKeysSetting { removed: Some(RemovedStripeKeys::new(&last)), ..StripeKeysSetting::default() };
    let unreadable = StripeKeysSetting {
        stored: Some(StoredStripeKeys::new(&last, String::new(), None, "Noura", 0)),
        ..gone.clone()
    };
    let (other, other_public) = ("rk_test_51Zzz", "pk_test_51Zzz");
    for (key, public, is_pair, is_same) in [
        (KEY, PUBLIC, false, true),
        (KEY, other_public, false, true),
        (other, PUBLIC, true, true),
        // Nothing shows that the secret key is of the same account.
        (other, PUBLIC, false, false),
        (other, other_public, true, false),
    ] {
        let typed = keys(key, public);
        let none = StripeKeysSetting::default();
        let case = format!("{key} {public} {is_pair}");
        assert_eq!(typed.are_of_last_account(None, &gone, is_pair), is_same, "removed: {case}");
        assert_eq!(typed.are_of_last_account(Some(&last), &none, is_pair), is_same, "in use: {case}");
        assert!(!typed.are_of_last_account(None, &none, is_pair), "there were none: {case}");
        assert!(!typed.are_of_last_account(None, &unreadable, is_pair), "in use and not readable: {case}");
    }
    let live = keys("rk_live_51AbcdefghijklmnopQRST", "pk_live_51Abcdefghijklmnop1234");
    assert!(!live.are_of_last_account(None, &gone, true), "the other mode has other payments");
    let kept = serde_json::to_string(&gone).unwrap();
    assert!(!kept.contains(KEY) && !kept.contains(SECRET), "{kept}");
    let older: StripeKeysSetting = serde_json::from_str(r#"{"stored":null,"removed_at":5}"#).unwrap();
    assert_eq!(older, StripeKeysSetting { removed_at: Some(5), ..StripeKeysSetting::default() });
}
