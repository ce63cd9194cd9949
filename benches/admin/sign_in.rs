//! Signing in by a code: the code is asked for and typed, by customers who have an account.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use livesouk::domain::email_code::hash_email_code;
use livesouk::domain::{EmailAddress, EmailCodeId, Language, SessionSecret};
use livesouk::store::{NewEmailCode, NewSession, Store, TypedEmailCode};

use super::large_shop::LargeShop;

const AT_ONCE: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const CODE: &str = "123456";

/// Gives how many sign in each second, the median of the rounds.
pub async fn measure(shop: &LargeShop) -> f64 {
    let next = Arc::new(AtomicI64::new(0));
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let (done, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let mut people = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (store, next, done, customers) = (shop.store.clone(), next.clone(), done.clone(), shop.customers());
            people.spawn(async move {
                while began.elapsed() < ROUND {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // A mailbox gets three codes an hour: with few customers, new ones come.
                    sign_in(&store, number, number < customers).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        people.join_all().await;
        rates.push(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64());
    }
    println!("{:<26}{}", "sign_in_per_s by round", rates.iter().map(|rate| format!("{rate:8.0}")).collect::<String>());
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}

async fn sign_in(store: &Store, number: i64, is_known: bool) {
    let (id, browser) = (EmailCodeId::new(), SessionSecret::new(rand::random()));
    let email = EmailAddress::parse(&format!("user{number}@example.com")).unwrap();
    let new = NewEmailCode {
        id,
        email,
        language: Language::English,
        code: hash_email_code(id, CODE, &browser),
        browser: browser.hash(),
        mailed: None,
    };
    store.create_email_code(&new).await.unwrap();
    let secret = SessionSecret::new(rand::random());
    let session = NewSession { secret: secret.hash(), user_agent: "a browser".to_owned(), is_strong: false };
    let name = (!is_known).then(|| livesouk::domain::Name::parse(&format!("Customer {number}")).unwrap());
    let typed = TypedEmailCode { id, code: CODE.to_owned(), browser, name, guest: None, session };
    store.use_email_code(&typed).await.unwrap();
}
