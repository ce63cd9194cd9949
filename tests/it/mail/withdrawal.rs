//! A buyer in the European Union withdraws from a purchase: received once, confirmed by e-mail, and marked for the desk.

use serde_json::{Value, json};

use super::{home, order_by, shop_with};
use crate::support::cookie_page::CookiePage;
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

#[tokio::test]
async fn country_that_counts_is_that_of_the_payment() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    let ann = shop.rest("Ann", "viewer");
    for (number, paid_in, then, has_right) in [(1, "DE", "SA", true), (2, "SA", "DE", false)] {
        let order = order_by(&shop, "Ann", home_in(paid_in)).await;
        let path = format!("/v1/orders/{order}/withdrawal");
        ann.put(&format!("/v1/orders/{order}/address"), home_in(then)).await.expect(200);
        assert_eq!(ann.get(&path).await.expect(200)["may_withdraw"], has_right, "paid in {paid_in}");
        // Sent, so the buyer may erase the address.
        shop.host.put(&format!("/v1/orders/{order}/sent"), json!({})).await.expect(200);
        ann.delete(&format!("/v1/orders/{order}/address")).await.expect(204);
        assert_eq!(ann.get(&path).await.expect(200)["may_withdraw"], has_right, "order {number} without an address");
    }
}

#[tokio::test]
async fn guest_withdraws_by_the_link_to_the_order() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    let offer = shop.on_sale(5, json!({"buyers": "anyone"})).await;
    let page = CookiePage::of(&shop.server);
    page.sign_in_guest("Ann").await;
    let order = page.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
    let order = order["id"].as_str().unwrap();
    page.put(&format!("/v1/orders/{order}/address"), home_in("DE")).await.expect(200);
    page.post(&format!("/v1/orders/{order}/pay"), json!({"token": "ok"})).await.expect(200);
    let link = page.post(&format!("/v1/orders/{order}/link"), json!({})).await.expect(201);
    page.delete("/v1/session").await.expect(204);

    let anonymous = shop.server.rest();
    let secret = json!({ "secret": link["secret"] });
    let seen = anonymous.post("/v1/order-links", secret.clone()).await.expect(200);
    assert_eq!(seen["withdrawal"], json!({"withdrawn_at": null, "may_withdraw": true, "until": null}));
    let wrong = json!({"secret": "0".repeat(64)});
    anonymous.post("/v1/order-links/withdrawal", wrong).await.expect_problem(404, "not_yours");
    let done = anonymous.post("/v1/order-links/withdrawal", secret.clone()).await.expect(201);
    assert!(done["withdrawn_at"].is_i64(), "{done}");
    let seen = anonymous.post("/v1/order-links", secret).await.expect(200);
    assert_eq!(seen["withdrawal"], done);
    let mails = server.until_mails(2).await;
    assert!(mails[1].to_string().contains("received your withdrawal"), "{mails:?}");
}
