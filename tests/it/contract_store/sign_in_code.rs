//! One-time sign-in codes: each is taken once, expires by the clock of the store, and a user has a few open ones.

use livesouk::domain::Refusal;
use livesouk::domain::sign_in_code::{OPEN_SIGN_IN_CODES_MAX, SIGN_IN_CODE_TTL_MS, SignInCode, hash_sign_in_code};

use super::builders::{refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    sign_in_code_is_taken_by_one_of_many
    user_has_at_most_ten_open_sign_in_codes
    new_sign_in_code_deletes_those_that_have_expired
}

const SITE: &str = "https://shop.example";

async fn create(shop: &Fixture, code: &str, of: &str) -> livesouk::store::Result<i64> {
    shop.store.create_sign_in_code(&hash_sign_in_code(code), &user(of), SITE, b"sealed").await
}

async fn sign_in_code_is_taken_by_one_of_many(shop: Fixture) {
    let expires_at = create(&shop, "right", "ann").await.unwrap();
    let hash = hash_sign_in_code("right");
    assert_eq!(shop.store.take_sign_in_code(&hash_sign_in_code("wrong")).await.unwrap(), None);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = shop.store.clone();
        tries.spawn(async move { store.take_sign_in_code(&hash).await.unwrap() });
    }
    let taken: Vec<(SignInCode, i64)> = tries.join_all().await.into_iter().flatten().collect();
    let stored = SignInCode { origin: SITE.into(), sealed_token: b"sealed".to_vec(), expires_at };
    assert_eq!(taken.iter().map(|(code, _)| code).collect::<Vec<_>>(), [&stored]);
    let age = SIGN_IN_CODE_TTL_MS - (expires_at - taken[0].1);
    assert!((0..30_000).contains(&age), "taken {age} ms after it was made");
}

async fn user_has_at_most_ten_open_sign_in_codes(shop: Fixture) {
    for at in 0..OPEN_SIGN_IN_CODES_MAX {
        create(&shop, &format!("code-{at}"), "ann").await.unwrap();
    }
    let refused = refusal(create(&shop, "one more", "ann").await);
    assert!(matches!(refused, Refusal::TooManyRequests { retry_ms: 1..=SIGN_IN_CODE_TTL_MS }), "{refused:?}");
    create(&shop, "of another user", "bob").await.unwrap();
    shop.store.take_sign_in_code(&hash_sign_in_code("code-0")).await.unwrap().unwrap();
    create(&shop, "one more", "ann").await.unwrap();
}

async fn new_sign_in_code_deletes_those_that_have_expired(shop: Fixture) {
    for at in 0..OPEN_SIGN_IN_CODES_MAX {
        create(&shop, &format!("code-{at}"), "ann").await.unwrap();
    }
    shop.run(&format!("update sign_in_codes set expires_at = expires_at - {SIGN_IN_CODE_TTL_MS}")).await;
    create(&shop, "later", "ann").await.unwrap();
    assert_eq!(shop.number("select count(*) from sign_in_codes").await, 1);
}
