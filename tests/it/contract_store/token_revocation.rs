//! Revocations of tokens: what is in force, and the version by which nodes notice a change.

use livesouk::domain::{AuditAction, AuditEntry, Author, Refusal, RevokedTokens, Role, TokenRevocationId};

use super::builders::{refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    revocation_is_in_force_until_it_is_undone_and_raises_the_version
    second_revocation_of_the_same_replaces_the_first
    revocation_is_forgotten_when_its_tokens_have_expired
    sign_out_that_is_dated_in_the_future_is_set_to_now
}

const HOUR: i64 = 3_600_000;

fn entry(kind: AuditAction, reason: &str) -> AuditEntry {
    let by = Author { id: user("root"), name: "Root".to_owned(), role: Role::Admin };
    AuditEntry { reason: Some(reason.to_owned()), ..AuditEntry::new(AuditEntry::WHOLE_SHOP, by, kind, 1_000) }
}

async fn revocation_is_in_force_until_it_is_undone_and_raises_the_version(shop: Fixture) {
    let (before, _) = shop.store.token_revocation_version().await.unwrap();
    assert_eq!(shop.store.revoked_tokens().await.unwrap(), []);
    let now = shop.store.now().await.unwrap();
    let revoke = || entry(AuditAction::RevokeTokens, "a lost phone");
    let ann = shop.store.revoke_tokens_of_user(&user("ann"), HOUR, &revoke()).await.unwrap();
    let RevokedTokens::OfUser { not_before, .. } = ann.tokens else { panic!("{ann:?}") };
    assert_eq!(not_before % 1_000, 0, "a full second");
    assert!(now < not_before && not_before < now + 60_000, "{not_before} after {now}");
    let one = shop.store.revoke_token("one", None, HOUR, &revoke()).await.unwrap();
    assert_eq!(one.tokens, RevokedTokens::One { jti: "one".to_owned() });
    assert_eq!((one.by.id.as_str(), one.reason.as_deref()), ("root", Some("a lost phone")));
    assert_eq!(shop.store.revoked_tokens().await.unwrap(), [one.tokens.clone(), ann.tokens.clone()]);
    assert_eq!(shop.store.token_revocations(None, 10).await.unwrap(), [one.clone(), ann.clone()]);
    assert_eq!(shop.store.token_revocations(Some(one.id), 10).await.unwrap(), std::slice::from_ref(&ann));
    let (after, is_ahead) = shop.store.token_revocation_version().await.unwrap();
    assert_eq!((after, is_ahead), (before + 2, false));

    let undo = entry(AuditAction::RestoreTokens, "found");
    shop.store.undo_token_revocation(ann.id, &undo).await.unwrap();
    assert_eq!(shop.store.revoked_tokens().await.unwrap(), [one.tokens]);
    assert_eq!(shop.store.token_revocation_version().await.unwrap().0, before + 3);
    let unknown = shop.store.undo_token_revocation(TokenRevocationId::new(), &undo).await;
    assert_eq!(refusal(unknown), Refusal::NoSuchRevocation);
    assert_eq!(shop.store.token_revocation_version().await.unwrap().0, before + 3, "nothing changed");
    let log = shop.store.audit_entries(AuditEntry::WHOLE_SHOP, None, None, 10).await.unwrap();
    let kinds: Vec<_> = log.iter().map(|entry| (entry.kind, entry.user.as_ref().map(|user| user.as_str()))).collect();
    assert_eq!(kinds.len(), 3);
    assert!(kinds.contains(&(AuditAction::RestoreTokens, Some("ann"))), "{kinds:?}");
}

async fn second_revocation_of_the_same_replaces_the_first(shop: Fixture) {
    for reason in ["first", "second"] {
        let because = || entry(AuditAction::RevokeTokens, reason);
        shop.store.revoke_tokens_of_user(&user("ann"), HOUR, &because()).await.unwrap();
        shop.store.revoke_token("one", None, HOUR, &because()).await.unwrap();
    }
    let all = shop.store.token_revocations(None, 10).await.unwrap();
    let reasons: Vec<_> = all.iter().map(|revocation| revocation.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("second"), Some("second")]);
}

async fn revocation_is_forgotten_when_its_tokens_have_expired(shop: Fixture) {
    let old = || entry(AuditAction::RevokeTokens, "old");
    let now = shop.store.now().await.unwrap();
    shop.store.revoke_token("past", Some(now - HOUR), HOUR, &old()).await.unwrap();
    let soon = shop.store.revoke_token("soon", Some(now + 1_000), HOUR, &old()).await.unwrap();
    assert!(soon.expires_at >= now + 61_000, "the leeway is added: {soon:?}");
    let far = shop.store.revoke_token("far", Some(i64::MAX), HOUR, &old()).await.unwrap();
    assert!(far.expires_at <= now + HOUR + 60_000, "at most the longest lifetime: {far:?}");
    let left = shop.store.revoked_tokens().await.unwrap();
    assert_eq!(left, [far.tokens, soon.tokens]);
}

async fn sign_out_that_is_dated_in_the_future_is_set_to_now(shop: Fixture) {
    let entry = entry(AuditAction::RevokeTokens, "the clock was ahead");
    shop.store.revoke_tokens_of_user(&user("ann"), HOUR, &entry).await.unwrap();
    assert!(!shop.store.token_revocation_version().await.unwrap().1);
    shop.run("update token_revocations set not_before = not_before + 86400000").await;
    assert!(shop.store.token_revocation_version().await.unwrap().1);
    assert_eq!(shop.store.correct_future_sign_outs().await.unwrap(), 1);
    let now = shop.store.now().await.unwrap();
    let RevokedTokens::OfUser { not_before, .. } = shop.store.revoked_tokens().await.unwrap().remove(0) else {
        panic!()
    };
    assert!(not_before <= now, "{not_before} is after {now}");
    assert!(!shop.store.token_revocation_version().await.unwrap().1);
}
