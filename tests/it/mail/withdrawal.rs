//! A buyer in the European Union withdraws from a purchase: received once, confirmed by e-mail, and marked for the desk.

use serde_json::{Value, json};

use super::{home, order_by, shop_with};
use crate::support::mail_server::{MailMode, MailServer};

fn home_in(country: &str) -> Value {
    let mut address = home("ann@example.com", "en");
    address["country"] = json!(country);
    address
}

#[tokio::test]
async fn buyer_of_the_union_withdraws_once_and_gets_a_receipt() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    let ann = shop.rest("Ann", "viewer");
    let path = |order: &str| format!("/v1/orders/{order}/withdrawal");
    let order = order_by(&shop, "Ann", home_in("DE")).await;
    let before = ann.get(&path(&order)).await.expect(200);
    assert_eq!(before, json!({"withdrawn_at": null, "may_withdraw": true, "until": null}));
    shop.rest("Eve", "viewer").post(&path(&order), json!({})).await.expect_problem(404, "not_yours");
    let first = ann.post(&path(&order), json!({})).await.expect(201);
    let again = ann.post(&path(&order), json!({})).await.expect(201);
    assert!(first["withdrawn_at"].is_i64() && first["may_withdraw"] == false, "{first}");
    assert_eq!(first, again, "the second one is the first");
    assert_eq!(ann.get(&path(&order)).await.expect(200), first);
    let mails = server.until_mails(2).await;
    let receipts: Vec<&Value> = mails
        .iter()
        .filter(|mail| mail["headers"]["subject"].to_string().contains("received your withdrawal"))
        .collect();
    assert_eq!(receipts.len(), 1, "{mails:?}");
    assert!(receipts[0].to_string().contains(&order), "it names the order");
    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    assert_eq!(detail["tags"], json!(["withdrawal"]));
}

#[tokio::test]
async fn withdrawal_without_the_right_or_after_its_time_is_refused() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    let ann = shop.rest("Ann", "viewer");
    let path = |order: &str| format!("/v1/orders/{order}/withdrawal");
    let elsewhere = order_by(&shop, "Ann", home_in("SA")).await;
    let late = order_by(&shop, "Ann", home_in("DE")).await;
    shop.host.put(&format!("/v1/orders/{late}/sent"), json!({})).await.expect(200);
    shop.host.put(&format!("/v1/orders/{late}/delivered"), json!({})).await.expect(200);
    let open = ann.get(&path(&late)).await.expect(200);
    assert!(open["may_withdraw"] == true && open["until"].is_i64(), "{open}");
    shop.change("update fulfilments set delivered_at = delivered_at - 1400000000").await;
    for order in [&elsewhere, &late] {
        assert_eq!(ann.get(&path(order)).await.expect(200)["may_withdraw"], false);
        ann.post(&path(order), json!({})).await.expect_problem(409, "wrong_status");
    }
    assert_eq!(shop.number("select count(*) from withdrawals").await, 0);
}
