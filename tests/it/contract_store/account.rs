//! Accounts, sessions and codes by e-mail on both databases.

use livesouk::domain::email_code::hash_email_code;
use livesouk::domain::sign_in_session::SESSIONS_OF_USER_MAX;
use livesouk::domain::{EmailAddress, EmailCodeId, Language, Name, Refusal, SecretHash, SessionSecret, SignInSession};
use livesouk::store::{NewEmailCode, NewSession, TypedEmailCode};

use super::builders::refusal;
use super::fixture::{Fixture, facts};

facts! {
    code_signs_in_one_of_many_who_type_it_at_once
    mailbox_gets_three_codes_also_when_they_are_asked_for_at_once
    accounts_of_one_mailbox_are_one_person_also_when_they_are_made_at_once
    account_has_at_most_fifty_sessions
    expired_sessions_and_old_codes_are_deleted
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub fn secret(number: u8) -> SecretHash {
    SessionSecret::new([number; 32]).hash()
}

fn browser() -> SessionSecret {
    SessionSecret::new([200; 32])
}

pub fn new_code(to: &str) -> NewEmailCode {
    let id = EmailCodeId::new();
    let code = hash_email_code(id, "123456", &browser());
    NewEmailCode { id, email: email(to), language: Language::Arabic, code, browser: browser().hash(), mailed: None }
}

pub fn typed(id: EmailCodeId, number: u8) -> TypedEmailCode {
    let session = NewSession { secret: secret(number), user_agent: "a browser".into() };
    TypedEmailCode { id, code: "123456".into(), browser: browser(), name: Name::parse("Ann").ok(), session }
}

async fn code_signs_in_one_of_many_who_type_it_at_once(shop: Fixture) {
    let code = new_code("ann@example.com");
    shop.store.create_email_code(&code).await.unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (store, typed) = (shop.store.clone(), typed(code.id, number));
        tries.spawn(async move { store.use_email_code(&typed).await });
    }
    let results = tries.join_all().await;
    let signed_in: Vec<SignInSession> = results.into_iter().filter_map(Result::ok).collect();
    assert_eq!(signed_in.len(), 1);
    assert_eq!(shop.number("select count(*) from sign_in_sessions").await, 1);
    let account = shop.store.account_by_email(&email("ann@example.com")).await.unwrap().unwrap();
    assert_eq!((account.language, &account.id.user()), (Language::Arabic, &signed_in[0].user));
}

async fn mailbox_gets_three_codes_also_when_they_are_asked_for_at_once(shop: Fixture) {
    let mut asks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (store, code) = (shop.store.clone(), new_code(&format!("ann+{number}@example.com")));
        asks.spawn(async move { store.create_email_code(&code).await });
    }
    let asked = asks.join_all().await;
    assert_eq!(asked.iter().filter(|result| result.is_ok()).count(), 3);
    let refused = refusal(shop.store.create_email_code(&new_code("ann@example.com")).await);
    assert!(matches!(refused, Refusal::TooManyRequests { .. }), "{refused:?}");
    shop.store.create_email_code(&new_code("bob@example.com")).await.unwrap();
}

async fn accounts_of_one_mailbox_are_one_person_also_when_they_are_made_at_once(shop: Fixture) {
    let mut makes = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = shop.store.clone();
        makes.spawn(async move {
            let (to, name) = (email(&format!("ann+{}@example.com", number % 4)), Name::parse("Ann").ok());
            store.find_or_create_account(&to, name.as_ref(), Language::English).await.unwrap()
        });
    }
    let made = makes.join_all().await;
    assert!(made.iter().all(|account| account.person == made[0].person), "{made:?}");
    assert_eq!(shop.number("select count(*) from accounts").await, 4);
    let missing = shop.store.find_or_create_account(&email("bob@example.com"), None, Language::English).await;
    assert_eq!(refusal(missing), Refusal::NameNeeded);
}

async fn account_has_at_most_fifty_sessions(shop: Fixture) {
    let name = Name::parse("Ann").unwrap();
    let account =
        shop.store.find_or_create_account(&email("ann@example.com"), Some(&name), Language::English).await.unwrap();
    for number in 0..SESSIONS_OF_USER_MAX + 3 {
        let new = NewSession { secret: secret(number as u8), user_agent: String::new() };
        shop.store.create_account_session(&account, &new).await.unwrap();
    }
    let sessions = shop.store.sessions_of(&account.id.user()).await.unwrap();
    assert_eq!(sessions.len() as i64, SESSIONS_OF_USER_MAX);
    assert_eq!(shop.store.session_by_secret(&secret(0)).await.unwrap(), None);
    let last = shop.store.session_by_secret(&secret(SESSIONS_OF_USER_MAX as u8 + 2)).await.unwrap().unwrap();
    assert_eq!((last.id, last.email), (sessions[0].id, account.email));
}

async fn expired_sessions_and_old_codes_are_deleted(shop: Fixture) {
    let name = Name::parse("Ann").unwrap();
    for number in 0..5 {
        let new = NewSession { secret: secret(number), user_agent: String::new() };
        shop.store.create_guest_session(&name, &new).await.unwrap();
    }
    shop.store.create_email_code(&new_code("ann@example.com")).await.unwrap();
    shop.store.create_email_code(&new_code("bob@example.com")).await.unwrap();
    assert_eq!(shop.store.delete_expired_sign_ins(0, 10).await.unwrap(), 0);
    shop.run("update sign_in_sessions set expires_at = created_at where user_id <> (select max(user_id) from sign_in_sessions)").await;
    shop.run("update email_codes set created_at = 5 where email = 'ann@example.com'").await;
    assert_eq!(shop.store.delete_expired_sign_ins(6, 3).await.unwrap(), 4);
    assert_eq!(shop.store.delete_expired_sign_ins(6, 3).await.unwrap(), 1);
    let left = "select (select count(*) from email_codes) * 10 + (select count(*) from sign_in_sessions)";
    assert_eq!(shop.number(left).await, 11);
}
