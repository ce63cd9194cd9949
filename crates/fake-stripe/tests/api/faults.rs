//! Idempotency keys, and what goes wrong on request.

use std::time::Duration;

use fake_stripe::{Call, Fault};

use crate::{Client, pay_form};

const PATH: &str = "/v1/payment_intents";

#[tokio::test]
async fn key_repeats_the_first_answer_for_a_day() {
    let client = Client::start().await;
    let form = pay_form("pm_card_visa");
    let first = client.post_with_key(PATH, &form, "a").await;
    let again = client.post_with_key(PATH, &form, "a").await;
    assert_eq!((first.id(), again.is_replayed), (again.id(), true));
    let other = client.post_with_key(PATH, &form.replace("4900", "4800"), "a").await;
    assert_eq!((other.status, other.body["error"]["type"].as_str()), (400, Some("idempotency_error")));
    client.fake.advance(Duration::from_secs(23 * 3_600));
    assert_eq!(client.post_with_key(PATH, &form, "a").await.id(), first.id());
    client.fake.advance(Duration::from_secs(2 * 3_600));
    assert_ne!(client.post_with_key(PATH, &form, "a").await.id(), first.id(), "a forgotten key pays again");
}

#[tokio::test]
async fn failed_request_is_kept_and_a_failed_validation_is_not() {
    let client = Client::start().await;
    let form = pay_form("pm_card_visa");
    client.fake.plan_fault(Call::Create, Fault::ErrorBefore, 1);
    assert_eq!(client.post_with_key(PATH, &form, "a").await.status, 500);
    let again = client.post_with_key(PATH, &form, "a").await;
    assert_eq!((again.status, again.is_replayed, client.fake.intents().len()), (500, true, 0));
    client.fake.plan_fault(Call::Create, Fault::ErrorAfter, 1);
    assert_eq!(client.post_with_key(PATH, &form, "b").await.status, 500);
    assert_eq!(client.post_with_key(PATH, &form, "b").await.status, 500);
    assert_eq!(client.fake.intents().len(), 1, "it was done, once");
    assert_eq!(client.post_with_key(PATH, "currency=sar", "c").await.status, 400);
    assert_eq!(client.post_with_key(PATH, &form, "c").await.status, 200);
    let declined = pay_form("pm_card_chargeDeclined");
    assert_eq!(client.post_with_key(PATH, &declined, "d").await.status, 402);
    assert!(client.post_with_key(PATH, &declined, "d").await.is_replayed);
}

#[tokio::test]
async fn key_in_use_is_a_conflict() {
    let client = Client::start().await;
    let form = pay_form("pm_card_visa");
    client.fake.plan_fault(Call::Create, Fault::Slow(Duration::from_millis(400)), 1);
    let slow = client.post_with_key(PATH, &form, "a");
    let second = async {
        while client.fake.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.post_with_key(PATH, &form, "a").await
    };
    let (slow, second) = tokio::join!(slow, second);
    assert_eq!((slow.status, second.status, second.code()), (200, 409, "idempotency_key_in_use"));
    assert_eq!(client.post_with_key(PATH, &form, "a").await.id(), slow.id(), "the conflict was not kept");
}

#[tokio::test]
async fn cut_connection_says_nothing_about_what_was_done() {
    let client = Client::start().await;
    for (fault, key, made) in [(Fault::CutBefore, "a", 0), (Fault::CutAfter, "b", 1), (Fault::HalfAnswer, "c", 2)] {
        client.fake.plan_fault(Call::Create, fault, 1);
        assert!(client.try_post(PATH, &pay_form("pm_card_visa"), Some(key)).await.is_none(), "{fault:?}");
        assert_eq!(client.fake.intents().len(), made, "{fault:?}");
    }
    // The client goes on: the same key finds what was done.
    client.post_with_key(PATH, &pay_form("pm_card_visa"), "b").await;
    client.post_with_key(PATH, &pay_form("pm_card_visa"), "a").await;
    assert_eq!(client.fake.intents().len(), 3);
}

#[tokio::test]
async fn held_object_and_outage_do_nothing() {
    let client = Client::start().await;
    let paid = client.pay("pm_card_visa").await;
    let path = format!("{PATH}/{}/capture", paid.id());
    client.fake.plan_fault(Call::Capture, Fault::LockTimeout, 1);
    let held = client.post_with_key(&path, "", "c").await;
    assert_eq!((held.status, held.code()), (429, "lock_timeout"));
    client.fake.set_down(true);
    assert!(client.try_post(&path, "", Some("c")).await.is_none());
    client.fake.set_down(false);
    assert_eq!(client.post_with_key(&path, "", "c").await.body["status"], "succeeded");
}

#[tokio::test]
async fn random_faults_follow_from_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let client = Client::start().await;
        client.fake.set_random_faults(0.5);
        let mut run = Vec::new();
        for n in 0..20 {
            let answer = client.try_post(PATH, &pay_form("pm_card_visa"), Some(&format!("k{n}"))).await;
            run.push(answer.map_or(0, |answer| answer.status));
        }
        assert!(run.contains(&200) && run.iter().any(|status| *status != 200), "{run:?}");
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
}
