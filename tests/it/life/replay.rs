//! The recording of a show that has ended: set, read in time with the log of the show, and sold in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::rest::RestResponse;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

async fn change(shop: &Shop, form: Value) -> RestResponse {
    shop.host.send(Method::PATCH, &format!("/v1/streams/{}", shop.stream), &[], Some(form)).await
}

/// A show of which one offer was pinned and bought, and in which something was said. It has not ended.
async fn show_on_air() -> (Shop, String, String) {
    let mut shop = Shop::demo(&[]).await;
    shop.stream = id(&shop.host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
    shop.host.post(&shop.path("start"), json!({})).await.expect(200);
    let offer = shop.on_sale(5, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({"offer": offer})).await.expect(200);
    let ann = shop.rest("ann", "viewer");
    let order = id(&ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201));
    ann.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    ann.post(&shop.path("messages"), json!({"text": "lovely"})).await.expect(201);
    (shop, offer, order)
}

#[tokio::test]
async fn recording_is_set_changed_and_taken_away_and_an_order_knows_its_second() {
    let (shop, offer, order) = show_on_air().await;
    let early = json!({"version": 1, "replay": "https://cdn.example/show.mp4"});
    change(&shop, early.clone()).await.expect_problem(409, "wrong_status");
    let ended = shop.host.post(&shop.path("end"), json!({})).await.expect(200);
    assert_eq!((&ended["replay"], &ended["replay_started_at"]), (&Value::Null, &Value::Null));
    let (began_at, ended_at) = (ended["started_at"].as_i64().unwrap(), ended["ended_at"].as_i64().unwrap());
    let replay_ms = async || {
        let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
        (detail["replay_ms"].clone(), detail["created_at"].as_i64().unwrap())
    };
    assert_eq!(replay_ms().await.0, Value::Null, "there is no recording");

    let recorded = change(&shop, early).await.expect(200);
    assert_eq!((&recorded["replay_started_at"], &recorded["version"]), (&json!(began_at), &json!(2)));
    let (position, bought_at) = replay_ms().await;
    assert_eq!(position, bought_at - began_at);
    let from = began_at - 12_000;
    change(&shop, json!({"version": 2, "replay_started_at": from})).await.expect(200);
    assert_eq!(replay_ms().await.0, bought_at - from);

    let log = shop.server.rest().get(&shop.path("log")).await.expect(200);
    let pin = &log["pins"][0];
    assert_eq!((&pin["offer"], &pin["until"]), (&json!(offer), &json!(ended_at)));
    assert_eq!(log["messages_kept_from"], Value::Null);
    let texts = async |until: i64| {
        let chat = shop.server.rest().get(&format!("{}?until={until}", shop.path("messages"))).await.expect(200);
        chat["items"].as_array().unwrap().iter().map(|it| it["text"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(ended_at).await, [json!("lovely")]);
    assert_eq!(texts(began_at - 1).await, Vec::<Value>::new());

    for (form, status, code) in [
        (json!({"version": 3, "replay": "ftp://cdn.example/show"}), 400, "bad_request"),
        (json!({"version": 3, "replay_started_at": ended_at}), 422, "invalid_value"),
        (json!({"version": 1, "replay": null}), 409, "outdated"),
    ] {
        change(&shop, form).await.expect_problem(status, code);
    }
    let bare = change(&shop, json!({"version": 3, "replay": null})).await.expect(200);
    assert_eq!((&bare["replay"], &bare["replay_started_at"]), (&Value::Null, &Value::Null));
    assert_eq!(replay_ms().await.0, Value::Null);
}

#[tokio::test]
async fn product_is_bought_in_a_recording_and_not_after_it_is_gone() {
    let (shop, _, _) = show_on_air().await;
    shop.host.post(&shop.path("end"), json!({})).await.expect(200);
    let variant = shop.variant(9).await;
    let sell = json!({"variant": variant, "kind": "regular", "price": 500, "quantity": 4});
    shop.host.post(&shop.path("offers"), sell.clone()).await.expect_problem(409, "stream_ended");
    change(&shop, json!({"version": 1, "replay": "/assets/demo/show.mp4"})).await.expect(200);
    let offer = id(&shop.host.post(&shop.path("offers"), sell).await.expect(201));
    shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    let ben = shop.rest("ben", "viewer");
    let buy = format!("/v1/offers/{offer}/orders");
    let order = id(&ben.post_keyed(&buy, &key(), json!({"qty": 1})).await.expect(201));
    ben.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    assert_eq!(
        detail["replay_ms"],
        Value::Null,
        "it was bought after the show, so no second of the recording shows it"
    );
    change(&shop, json!({"version": 2, "replay": null})).await.expect(200);
    let closed = async || (shop.offer(&offer).await["status"] == "closed").then_some(());
    crate::support::until_some("the end of the sale", crate::support::SOON, closed).await;
    ben.post_keyed(&buy, &key(), json!({"qty": 1})).await.expect_problem(409, "closed");
}

#[tokio::test]
async fn recordings_are_found_by_what_they_sold() {
    let (shop, offer, _) = show_on_air().await;
    let product = shop.offer(&offer).await["product"].as_str().unwrap().to_owned();
    shop.host.post(&shop.path("end"), json!({})).await.expect(200);
    let anonymous = shop.server.rest();
    let found = async |query: &str| {
        let list = anonymous.get(&format!("/v1/streams?{query}")).await.expect(200);
        list["items"].as_array().unwrap().iter().map(|show| show["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("recorded=true").await, [""; 0], "it has ended and has no recording");
    change(&shop, json!({"version": 1, "replay": "/assets/demo/show.mp4"})).await.expect(200);
    assert_eq!(found("recorded=true").await, std::slice::from_ref(&shop.stream));
    assert_eq!(found(&format!("recorded=true&product={product}")).await, std::slice::from_ref(&shop.stream));
    let other = anonymous.get("/v1/products").await.expect(200);
    let other =
        other["items"].as_array().unwrap().iter().find(|it| it["id"] != product.as_str()).unwrap()["id"].clone();
    assert_eq!(found(&format!("recorded=true&product={}", other.as_str().unwrap())).await, [""; 0]);
    // The other filters count too. A search knows a show some seconds after its change.
    let (none, one) = (Vec::<String>::new(), vec![shop.stream.clone()]);
    let word =
        anonymous.get(&format!("/v1/streams/{}", shop.stream)).await.expect(200)["title"].as_str().unwrap().to_owned();
    let word = word.split(' ').next().unwrap();
    until_some("the search knows the recording", SOON, async || {
        (found(&format!("recorded=true&search={word}")).await == one).then_some(())
    })
    .await;
    let other = other.as_str().unwrap();
    for (query, expected) in [
        ("status=ended".to_owned(), &one),
        ("status=live".to_owned(), &none),
        ("search=nothing".to_owned(), &none),
        (format!("search={word}&status=ended&product={product}"), &one),
        (format!("search={word}&status=live"), &none),
        (format!("search={word}&product={other}"), &none),
        (format!("product={product}&status=scheduled"), &none),
    ] {
        assert_eq!(&found(&format!("recorded=true&{query}")).await, expected, "{query}");
    }
    anonymous.get("/v1/streams?recorded=true&status=over").await.expect_problem(400, "bad_request");
    change(&shop, json!({"version": 2, "replay": null})).await.expect(200);
    assert_eq!(found("recorded=true").await, [""; 0]);
}
