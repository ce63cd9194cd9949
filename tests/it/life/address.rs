//! The delivery address of an order, and its history.

use serde_json::{Value, json};

use super::hold;
use crate::support::SOON;
use crate::support::shop::{Shop, id, key};

fn home() -> Value {
    json!({"name": " Ann  Example ", "lines": ["12 King Fahd Rd", ""], "city": "Riyadh", "postcode": "12271",
        "country": "sa", "phone": "+٩٦٦ 50 000 0000", "email": " Ann@Example.com ", "language": "ar"})
}

#[tokio::test]
async fn only_the_buyer_sets_and_deletes_the_address_and_the_team_reads_it() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let held = hold(&mut live, &offer, 1).await;
    let path = format!("/v1/orders/{}/address", id(&held));
    let (ann, host) = (shop.rest("Ann", "viewer"), shop.host.clone());
    assert_eq!(ann.get(&path).await.expect(200), Value::Null);
    let tidy = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "region": null,
        "postcode": "12271", "country": "SA", "phone": "+966 50 000 0000", "email": "ann@example.com", "language": "ar"});
    assert_eq!(ann.put(&path, home()).await.expect(200), tidy);
    assert_eq!(ann.get(&path).await.expect(200), tidy);
    assert_eq!(host.get(&path).await.expect(200), tidy, "the team needs the address to send the order");
    assert_eq!(ann.get(&format!("/v1/orders/{}", id(&held))).await.expect(200)["address"], tidy);

    shop.server.rest().get(&path).await.expect_problem(401, "sign_in");
    shop.server.rest().put(&path, home()).await.expect_problem(401, "sign_in");
    for (who, role) in [("Bob", "viewer"), ("Mo", "moderator"), ("Nan", "analyst")] {
        let rest = shop.rest(who, role);
        rest.get(&path).await.expect_problem(404, "not_yours");
        rest.put(&path, home()).await.expect_problem(404, "not_yours");
        rest.delete(&path).await.expect_problem(404, "not_yours");
    }
    host.put(&path, home()).await.expect_problem(404, "not_yours");
    host.delete(&path).await.expect_problem(404, "not_yours");
    for (field, value) in [
        ("name", json!("")),
        ("lines", json!([])),
        ("lines", json!(["a", "b", "c", "d"])),
        ("city", json!("x".repeat(81))),
        ("country", json!("Saudi Arabia")),
        ("phone", json!("soon")),
        ("email", json!("ann@example")),
        ("language", json!("fr")),
        ("name", json!(7)),
    ] {
        let mut wrong = home();
        wrong[field] = value;
        ann.put(&path, wrong).await.expect_problem(400, "bad_request");
    }
    assert_eq!(ann.get(&path).await.expect(200), tidy, "a refused address changes nothing");

    ann.delete(&path).await.expect(204);
    ann.delete(&path).await.expect(204);
    assert_eq!(host.get(&path).await.expect(200), Value::Null);
    ann.post_keyed(&format!("/v1/orders/{}/cancel", id(&held)), &key(), json!({})).await.expect(200);
    ann.put(&path, home()).await.expect_problem(409, "wrong_status");
    ann.delete(&path).await.expect(204);
}

/// A returning buyer finds it on every device, and it goes with everything else that is stored about them.
#[tokio::test]
async fn saved_address_is_for_its_person_only_until_it_is_deleted() {
    let shop = Shop::demo(&[]).await;
    let (ann, bob, path) = (shop.rest("Ann", "viewer"), shop.rest("Bob", "viewer"), "/v1/me/address");
    assert_eq!(ann.get(path).await.expect(200), Value::Null);
    let saved = ann.put(path, home()).await.expect(200);
    assert_eq!((&saved["name"], &saved["country"]), (&json!("Ann Example"), &json!("SA")));
    assert_eq!(ann.get(path).await.expect(200), saved);
    assert_eq!(bob.get(path).await.expect(200), Value::Null);
    shop.server.rest().get(path).await.expect_problem(401, "sign_in");
    ann.put(path, json!({"name": "Ann", "lines": [], "city": "Riyadh", "country": "SA"}))
        .await
        .expect_problem(400, "bad_request");
    assert_eq!(ann.get(path).await.expect(200), saved, "a refused change leaves the address as it was");
    let own = ann.get("/v1/me/data").await.expect(200).to_string();
    assert!(own.contains("saved_address") && own.contains("12 King Fahd Rd"), "{own}");

    ann.delete(path).await.expect(204);
    assert_eq!(ann.get(path).await.expect(200), Value::Null);
    ann.delete(path).await.expect(204);
    ann.put(path, home()).await.expect(200);
    ann.delete("/v1/me").await.expect(200);
    assert_eq!(shop.number("select count(*) from saved_addresses").await, 0, "erasure deletes it");
}

#[tokio::test]
async fn order_shows_its_history_to_its_buyer() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let held = hold(&mut live, &offer, 1).await;
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/orders/{}", id(&held)));
    let steps = async || -> Vec<Value> {
        let order = ann.get(&path).await.expect(200);
        let history = order["history"].as_array().unwrap().clone();
        assert!(history.is_sorted_by_key(|it| it["at"].as_i64()), "{history:?}");
        history.into_iter().map(|mut it| it["step"].take()).collect()
    };
    assert_eq!(steps().await, ["held"]);
    ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "declined"})).await.expect_problem(402, "declined");
    assert_eq!(steps().await, ["held", "declined"]);
    ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    assert_eq!(steps().await, ["held", "declined", "paid"]);
    let refund = shop.host.post_keyed(&format!("{path}/refund"), &key(), json!({"restock": true})).await;
    refund.expect(200);
    live.until("the refund", SOON, |frame| frame["t"] == "order" && frame["order"]["status"] == "refunded").await;
    assert_eq!(steps().await, ["held", "declined", "paid", "refund_asked", "refunded"]);
    // Orders in lists have neither history nor address, so that lists and frames stay small.
    let listed = ann.get("/v1/orders").await.expect(200);
    assert!(listed["items"][0].get("history").is_none() && listed["items"][0].get("address").is_none());
}

#[tokio::test]
async fn address_of_a_paid_order_stays_until_the_team_says_that_it_was_sent() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let order = id(&hold(&mut live, &offer, 1).await);
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/orders/{order}"));
    ann.put(&format!("{path}/address"), home()).await.expect(200);
    let sent = format!("{path}/sent");
    shop.host.put(&sent, json!({})).await.expect_problem(409, "not_paid");
    ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    ann.delete(&format!("{path}/address")).await.expect_problem(409, "wrong_status");

    let erased = ann.delete("/v1/me").await.expect(200);
    let kept: Vec<&Value> = erased["kept"].as_array().unwrap().iter().filter(|it| it["what"] == "addresses").collect();
    assert_eq!((kept.len(), &kept[0]["count"]), (1, &json!(1)), "{erased}");
    assert_ne!(shop.host.get(&format!("{path}/address")).await.expect(200), Value::Null, "the shop can still deliver");

    ann.put(&sent, json!({})).await.expect_problem(404, "not_yours");
    shop.rest("Mo", "moderator").put(&sent, json!({})).await.expect_problem(404, "not_yours");
    shop.server.rest().put(&sent, json!({})).await.expect_problem(401, "sign_in");
    let first = shop.host.put(&sent, json!({})).await.expect(200);
    assert_eq!(shop.host.put(&sent, json!({})).await.expect(200), first);
    assert_eq!(shop.host.get(&format!("{path}/address")).await.expect(200), Value::Null);
    let order = ann.get(&path).await.expect(200);
    let steps: Vec<&Value> = order["history"].as_array().unwrap().iter().map(|it| &it["step"]).collect();
    assert_eq!(steps, ["held", "paid", "sent"]);
    let log = shop.host.get(&shop.path("audit-log")).await.expect(200);
    let marked = log["items"].as_array().unwrap().iter().filter(|it| it["kind"] == "sent").count();
    assert_eq!(marked, 1, "{log}");
}
