//! Keys, versions, parameters and limits.

use std::time::Duration;

use fake_stripe::Options;

use crate::{Client, pay_form};

#[tokio::test]
async fn key_without_a_right_is_refused() {
    let mut client = Client::start().await;
    let paid = client.pay("pm_card_visa").await;
    client.post(&format!("/v1/payment_intents/{}/capture", paid.id()), "").await;
    for (key, path, status) in [
        ("rk_test_no_refunds", "/v1/refunds", 403),
        ("rk_test_read_only", "/v1/payment_intents", 403),
        ("pk_test_shop", "/v1/payment_intents", 401),
        ("", "/v1/payment_intents", 401),
    ] {
        client.key = key;
        assert_eq!(client.post(path, &format!("payment_intent={}", paid.id())).await.status, status, "{key}");
    }
    client.key = "rk_test_shop";
    assert_eq!(client.post("/v1/refunds", &format!("payment_intent={}", paid.id())).await.status, 200);
}

#[tokio::test]
async fn each_account_and_each_mode_has_payments_of_its_own() {
    let mut client = Client::start().await;
    let paid = client.pay("pm_card_visa").await.id();
    let fetch = format!("/v1/payment_intents/{paid}");
    let listed = async |client: &Client| client.get("/v1/payment_intents?limit=1").await.body["data"][0]["id"].clone();
    for (key, status) in [("rk_test_new", 200), ("sk_live_shop", 404), ("rk_test_other", 404)] {
        client.key = key;
        assert_eq!(client.get(&fetch).await.status, status, "{key}");
        assert_eq!(client.post(&format!("{fetch}/capture"), "").await.status, status, "{key}");
        assert_eq!(listed(&client).await == paid.as_str(), status == 200, "{key}");
    }
    let other = client.pay("pm_card_visa").await.id();
    assert_eq!(listed(&client).await, other.as_str());
    client.key = "rk_test_new";
    assert_eq!(listed(&client).await, paid.as_str());
    client.fake.revoke("rk_test_new");
    assert_eq!(client.get(&fetch).await.status, 401);
}

#[tokio::test]
async fn page_reads_an_intent_only_by_its_secret() {
    let mut client = Client::start().await;
    let paid = client.pay("pm_card_visa").await;
    let secret = paid.body["client_secret"].as_str().unwrap();
    for (key, id, secret, status) in [
        ("pk_test_shop", paid.id(), secret, 200),
        ("pk_test_shop", paid.id(), "pi_1_secret_2", 400),
        ("pk_test_shop", paid.id(), "", 401),
        ("pk_test_other", paid.id(), secret, 404),
        ("pk_live_shop", paid.id(), secret, 404),
        ("pk_test_shop", "pi_none".to_owned(), secret, 404),
    ] {
        client.key = key;
        let query = if secret.is_empty() { String::new() } else { format!("?client_secret={secret}") };
        assert_eq!(client.get(&format!("/v1/payment_intents/{id}{query}")).await.status, status, "{key} {id}");
    }
    client.key = "pk_test_shop";
    assert_eq!(client.get("/v1/payment_intents").await.status, 401);
}

#[tokio::test]
async fn request_without_a_version_is_refused() {
    let client = Client::start().await;
    let send = |version: Option<&str>| {
        let request = reqwest::Client::new().get(format!("{}/v1/payment_intents", client.fake.base()));
        let request = request.bearer_auth("sk_test_shop");
        version.into_iter().fold(request, |request, version| request.header("stripe-version", version)).send()
    };
    assert_eq!(send(None).await.unwrap().status(), 400);
    assert_eq!(send(Some("2026-09-30.endive")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn unknown_parameter_and_wrong_currency_are_refused() {
    let client = Client::start().await;
    for (form, code) in [
        (format!("{}&capture=manual", pay_form("pm_card_visa")), "parameter_unknown"),
        (format!("{}&automatic_payment_methods[enable]=true", pay_form("pm_card_visa")), "parameter_unknown"),
        (pay_form("pm_card_visa").replace("sar", "SAR"), "parameter_invalid"),
        (pay_form("pm_card_visa").replace("4900&currency=sar", "5124&currency=kwd"), "parameter_invalid_integer"),
        ("currency=sar".to_owned(), "parameter_missing"),
        (pay_form("pm_card_visa").replace("&return_url=https://shop.example/back", ""), "parameter_missing"),
    ] {
        let refused = client.post("/v1/payment_intents", &form).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{form}");
    }
    assert_eq!(client.fake.intents().len(), 0);
}

#[tokio::test]
async fn endpoint_answers_429_above_its_rate() {
    let client = Client::with(Options::default()).await;
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(client.get("/v1/payment_intents").await.status);
    }
    // The requests may have met two windows of a second.
    assert_eq!(answers.iter().take(25).filter(|status| **status == 200).count(), 25);
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(client.pay("pm_card_visa").await.status, 200, "another endpoint has its own rate");
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(client.get("/v1/payment_intents").await.status, 200, "in the next second");
}
