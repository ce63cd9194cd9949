//! Payment intents, refunds and disputes.

use std::time::Duration;

use crate::Client;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn authorised_amount_is_captured_once_and_the_rest_is_let_go() {
    let client = Client::start().await;
    let paid = client.pay("pm_card_visa").await;
    assert_eq!((paid.status, &paid.body["status"]), (200, &"requires_capture".into()));
    assert_eq!((&paid.body["amount_capturable"], &paid.body["amount_received"]), (&4_900.into(), &0.into()));
    assert!(paid.body["latest_charge"].is_string(), "an id, unless it is expanded");
    let path = format!("/v1/payment_intents/{}", paid.id());
    let expanded = client.get(&format!("{path}?expand[]=latest_charge")).await;
    assert!(expanded.body["latest_charge"]["payment_method_details"]["card"]["capture_before"].is_i64());
    assert_eq!(client.post(&format!("{path}/capture"), "amount_to_capture=4901").await.code(), "amount_too_large");
    let taken = client.post(&format!("{path}/capture"), "amount_to_capture=4000").await;
    assert_eq!((&taken.body["status"], &taken.body["amount_received"]), (&"succeeded".into(), &4_000.into()));
    assert_eq!(taken.body["amount_capturable"], 0);
    for verb in ["capture", "cancel"] {
        let again = client.post(&format!("{path}/{verb}"), "").await;
        assert_eq!((again.status, again.code()), (400, "payment_intent_unexpected_state"), "{verb}");
    }
}

#[tokio::test]
async fn declined_card_leaves_an_intent_with_its_error() {
    let client = Client::start().await;
    let declined = client.pay("pm_card_chargeDeclined").await;
    assert_eq!((declined.status, declined.code()), (402, "card_declined"));
    let intent = &declined.body["error"]["payment_intent"];
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["decline_code"], "generic_decline");
    assert!(client.fake.event_kinds().contains(&"payment_intent.payment_failed"));
}

#[tokio::test]
async fn three_d_secure_asks_and_the_answer_decides() {
    let client = Client::start().await;
    for (card, answer, status) in [
        ("pm_card_threeDSecure2Required", "yes", "requires_capture"),
        ("pm_card_threeDSecure2Required", "no", "requires_payment_method"),
        ("pm_fake_authenticatedNoFunds", "yes", "requires_payment_method"),
    ] {
        let asked = client.pay(card).await;
        assert_eq!(asked.body["status"], "requires_action");
        let page = asked.body["next_action"]["redirect_to_url"]["url"].as_str().expect("a page").to_owned();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let shown = http.get(&page).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains("Complete") && shown.contains("Fail"), "{shown}");
        let back = http.post(&page).body(format!("answer={answer}")).send().await.unwrap();
        let location = back.headers()["location"].to_str().unwrap().to_owned();
        assert!(location.starts_with("https://shop.example/back?payment_intent=pi_"), "{location}");
        let now = client.get(&format!("/v1/payment_intents/{}", asked.id())).await;
        assert_eq!(now.body["status"], status, "{card} {answer}");
    }
}

#[tokio::test]
async fn authorisation_lapses_after_a_week() {
    let client = Client::start().await;
    let paid = client.pay("pm_card_visa").await;
    client.fake.advance(6 * DAY);
    let path = format!("/v1/payment_intents/{}", paid.id());
    assert_eq!(client.get(&path).await.body["status"], "requires_capture");
    client.fake.advance(2 * DAY);
    assert_eq!(client.get(&path).await.body["status"], "canceled");
    assert_eq!(client.fake.event_kinds().last(), Some(&"payment_intent.canceled"));
}

#[tokio::test]
async fn slow_method_processes_before_it_is_authorised() {
    let client = Client::start().await;
    let paid = client.pay("pm_fake_processing").await;
    assert_eq!(paid.body["status"], "processing");
    client.fake.advance(Duration::from_secs(61));
    assert_eq!(client.get(&format!("/v1/payment_intents/{}", paid.id())).await.body["status"], "requires_capture");
}

#[tokio::test]
async fn refunds_never_exceed_what_was_captured_and_a_failed_one_gives_it_back() {
    let client = Client::start().await;
    for (card, first, later) in [
        ("pm_card_visa", "succeeded", "succeeded"),
        ("pm_card_pendingRefund", "pending", "succeeded"),
        ("pm_card_refundFail", "succeeded", "failed"),
        ("pm_fake_pendingRefundFails", "pending", "failed"),
    ] {
        let paid = client.pay(card).await;
        let none = client.post("/v1/refunds", &format!("payment_intent={}", paid.id())).await;
        assert_eq!(none.code(), "charge_not_captured");
        client.post(&format!("/v1/payment_intents/{}/capture", paid.id()), "").await;
        let refund = |amount: i64| format!("payment_intent={}&amount={amount}", paid.id());
        let done = client.post("/v1/refunds", &refund(3_000)).await;
        assert_eq!(done.body["status"], first, "{card}");
        assert_eq!(client.post("/v1/refunds", &refund(1_901)).await.code(), "amount_too_large", "{card}");
        assert_eq!(client.post("/v1/refunds", &refund(1_900)).await.status, 200, "{card}");
        assert_eq!(client.post("/v1/refunds", &refund(1)).await.code(), "charge_already_refunded", "{card}");
        client.fake.advance(3 * DAY);
        assert_eq!(client.get(&format!("/v1/refunds/{}", done.id())).await.body["status"], later, "{card}");
        let charge = client.get(&format!("/v1/charges/{}", paid.body["latest_charge"].as_str().unwrap())).await;
        assert_eq!(charge.body["amount_refunded"], if later == "failed" { 0 } else { 4_900 }, "{card}");
    }
    assert!(client.fake.event_kinds().contains(&"refund.failed"));
}

#[tokio::test]
async fn dispute_follows_the_capture() {
    let client = Client::start().await;
    let paid = client.pay("pm_card_createDispute").await;
    assert_eq!(client.fake.disputes().len(), 0);
    client.post(&format!("/v1/payment_intents/{}/capture", paid.id()), "").await;
    let disputes = client.fake.disputes();
    assert_eq!(disputes.len(), 1);
    let listed = client.get(&format!("/v1/disputes?payment_intent={}", paid.id())).await.body;
    assert_eq!(
        (&listed["data"][0]["id"], &listed["data"][0]["status"]),
        (&disputes[0].as_str().into(), &"needs_response".into())
    );
    assert!(listed["data"][0]["evidence_details"]["due_by"].as_i64() > listed["data"][0]["created"].as_i64());
    assert_eq!(client.get("/v1/disputes?payment_intent=pi_other").await.body["data"], serde_json::json!([]));
    assert!(client.fake.close_dispute(&disputes[0], false));
    let kinds = client.fake.event_kinds();
    assert!(kinds.contains(&"charge.dispute.created") && kinds.contains(&"charge.dispute.closed"), "{kinds:?}");
}

#[tokio::test]
async fn what_is_kept_of_a_payment_is_known_after_the_capture() {
    let client = Client::start().await;
    let paid = client.pay("pm_card_visa").await;
    let read = format!("/v1/payment_intents/{}?expand[]=latest_charge.balance_transaction", paid.id());
    assert_eq!(client.get(&read).await.body["latest_charge"]["balance_transaction"], serde_json::Value::Null);
    client.post(&format!("/v1/payment_intents/{}/capture", paid.id()), "").await;
    let settled = client.get(&read).await.body["latest_charge"]["balance_transaction"].clone();
    assert_eq!((&settled["fee"], &settled["net"], &settled["currency"]), (&172.into(), &4_728.into(), &"sar".into()));
    let alone = client.get(&format!("/v1/balance_transactions/{}", settled["id"].as_str().unwrap())).await;
    assert_eq!(alone.body, settled);
}

#[tokio::test]
async fn confirmation_token_pays_once() {
    let client = Client::start().await;
    let token = client.fake.confirmation_token("4242424242424242").unwrap();
    let form = format!("amount=4900&currency=sar&capture_method=manual&confirm=true&confirmation_token={token}");
    assert_eq!(client.post("/v1/payment_intents", &form).await.body["status"], "requires_capture");
    assert_eq!(client.post("/v1/payment_intents", &form).await.code(), "resource_missing");
}

#[tokio::test]
async fn list_is_complete_at_once_and_search_is_late() {
    let client = Client::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, client.pay("pm_card_visa").await.id());
    }
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/payment_intents?limit=2&created[gte]=0{after}")).await;
        listed.extend(
            page.body["data"].as_array().unwrap().iter().map(|intent| intent["id"].as_str().unwrap().to_owned()),
        );
        after = format!("&starting_after={}", listed.last().unwrap());
        if page.body["has_more"] != true {
            break;
        }
    }
    assert_eq!(listed, made, "newest first, each once");
    let search = "/v1/payment_intents/search?query=metadata%5B%27order%27%5D%3A%27o1%27";
    assert_eq!(client.get(search).await.body["data"].as_array().unwrap().len(), 0);
    client.fake.advance(Duration::from_secs(61));
    assert_eq!(client.get(search).await.body["data"].as_array().unwrap().len(), 5);
}
