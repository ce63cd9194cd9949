//! Customers, and the cards that are saved for them.

use serde_json::Value;

use super::{Client, pay_form};

/// A customer whose card was saved by a payment, and the id of the payment method.
async fn customer_with_card(client: &Client, card: &str) -> (String, String) {
    let customer = client.post("/v1/customers", "metadata[shop]=c1").await.id();
    let paid = client.post("/v1/payment_intents", &saving(card, &customer)).await;
    assert_eq!(paid.body["status"], "requires_capture", "{}", paid.body);
    (customer, paid.body["payment_method"].as_str().unwrap().to_owned())
}

fn saving(card: &str, customer: &str) -> String {
    format!("{}&customer={customer}&setup_future_usage=on_session", pay_form(card))
}

async fn saved(client: &Client, customer: &str) -> Vec<String> {
    let listed = client.get(&format!("/v1/customers/{customer}/payment_methods?type=card")).await;
    let id = |method: &Value| method["id"].as_str().unwrap().to_owned();
    listed.body["data"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn card_that_paid_is_saved_and_pays_again() {
    let client = Client::start().await;
    let (customer, method) = customer_with_card(&client, "pm_card_visa").await;
    assert_eq!(saved(&client, &customer).await, std::slice::from_ref(&method));
    let shown = client.get(&format!("/v1/payment_methods/{method}")).await.body;
    assert_eq!((&shown["card"]["last4"], &shown["customer"]), (&"4242".into(), &customer.as_str().into()));
    let again = client.post("/v1/payment_intents", &format!("{}&customer={customer}", pay_form(&method))).await;
    assert_eq!((&again.body["status"], &again.body["payment_method"]), (&"requires_capture".into(), &method.into()));
    assert!(client.fake.event_kinds().contains(&"payment_method.attached"));
    assert_eq!(saved(&client, &customer).await.len(), 1, "it is not saved twice");
}

#[tokio::test]
async fn payment_that_was_not_to_save_or_did_not_succeed_saves_nothing() {
    let client = Client::start().await;
    let customer = client.post("/v1/customers", "").await.id();
    client.post("/v1/payment_intents", &format!("{}&customer={customer}", pay_form("pm_card_visa"))).await;
    let declined = client.post("/v1/payment_intents", &saving("pm_card_chargeDeclined", &customer)).await;
    assert_eq!(declined.status, 402);
    let asked = client.post("/v1/payment_intents", &saving("pm_card_threeDSecure2Required", &customer)).await.id();
    assert_eq!(saved(&client, &customer).await, Vec::<String>::new());
    assert!(client.fake.authenticate(&asked, true));
    assert_eq!(saved(&client, &customer).await.len(), 1);
}

#[tokio::test]
async fn saved_card_is_for_its_customer_only_until_it_is_taken_away() {
    let client = Client::start().await;
    let (customer, method) = customer_with_card(&client, "pm_card_visa").await;
    let other = client.post("/v1/customers", "").await.id();
    for form in [pay_form(&method), format!("{}&customer={other}", pay_form(&method))] {
        assert_eq!(client.post("/v1/payment_intents", &form).await.status, 400, "{form}");
    }
    let detach = format!("/v1/payment_methods/{method}/detach");
    assert_eq!(client.post(&detach, "").await.body["customer"], Value::Null);
    assert_eq!(client.post(&detach, "").await.status, 400);
    assert_eq!(saved(&client, &customer).await, Vec::<String>::new());
    let again = client.post("/v1/payment_intents", &format!("{}&customer={customer}", pay_form(&method))).await;
    assert_eq!((again.status, again.code()), (400, "payment_method_unexpected_state"));
}

#[tokio::test]
async fn deleted_customer_has_no_cards_and_pays_nothing() {
    let client = Client::start().await;
    let (customer, method) = customer_with_card(&client, "pm_card_visa").await;
    let path = format!("/v1/customers/{customer}");
    assert_eq!(client.delete(&path).await.body["deleted"], true);
    assert_eq!(client.get(&path).await.body["deleted"], true);
    assert_eq!(client.delete(&path).await.status, 404);
    assert_eq!(client.get(&format!("{path}/payment_methods")).await.status, 404);
    assert_eq!(client.post(&format!("/v1/payment_methods/{method}/detach"), "").await.status, 400);
    let paid = client.post("/v1/payment_intents", &format!("{}&customer={customer}", pay_form("pm_card_visa"))).await;
    assert_eq!((paid.status, paid.code()), (400, "resource_missing"));
    assert!(client.fake.customers().is_empty() && client.fake.saved_methods().is_empty());
}

#[tokio::test]
async fn key_without_the_right_and_key_of_the_other_mode_reach_no_customer() {
    let mut client = Client::start().await;
    let customer = client.post("/v1/customers", "").await.id();
    client.key = "sk_live_shop";
    assert_eq!(client.get(&format!("/v1/customers/{customer}")).await.status, 404);
    client.key = "rk_test_no_customers";
    assert_eq!(client.post("/v1/customers", "").await.status, 403);
    assert_eq!(client.pay("pm_card_visa").await.status, 200);
}
