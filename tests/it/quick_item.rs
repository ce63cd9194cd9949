//! Quick items, from outside: on sale and on the screen by one request.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::shop::{Shop, key};

#[tokio::test]
async fn quick_item_is_numbered_pinned_and_on_sale_by_one_request_however_often_it_is_sent() {
    let shop = Shop::demo(&[]).await;
    let path = shop.path("quick-items");
    let mut viewer = shop.watch().await;
    let form = json!({"price": 2_500, "quantity": 2});
    let first_key = key();
    let first = shop.host.post_keyed(&path, &first_key, form.clone()).await.expect(201);
    assert_eq!(
        (&first["number"], &first["offer"]["title"], &first["offer"]["status"]),
        (&json!(1), &json!("#1"), &json!("open"))
    );
    let offer = first["offer"]["id"].clone();
    viewer.until_state("the pin", Duration::from_secs(5), |state| state["pin"]["offer"] == offer).await;
    // A retry of a lost answer makes nothing new; the same key with another price is a mistake.
    let again = shop.host.post_keyed(&path, &first_key, form.clone()).await.expect(201);
    assert_eq!((&again["number"], &again["offer"]["id"]), (&json!(1), &offer));
    let other = json!({"price": 2_600, "quantity": 2});
    shop.host.post_keyed(&path, &first_key, other).await.expect_problem(422, "key_reused");
    let second = shop.host.post(&path, json!({"price": 100, "quantity": 1})).await.expect(201);
    assert_eq!(second["number"], 2);

    // It is bought at once, and completed as a product later: the order keeps its number.
    let buyer = shop.rest("ann", "viewer");
    let bought = buyer.post(&format!("/v1/offers/{}/orders", offer.as_str().unwrap()), json!({"qty": 2})).await;
    assert!(bought.is_success(), "{bought:?}");
    let product = format!("/v1/products/{}", first["offer"]["product"].as_str().unwrap());
    let version = shop.host.get(&product).await.expect(200)["version"].clone();
    let change = json!({"version": version, "title": "Brass lamp", "category": "Home"});
    shop.host.send(reqwest::Method::PATCH, &product, &[], Some(change)).await.expect(200);
    assert_eq!(shop.offer(offer.as_str().unwrap()).await["title"], "Brass lamp");

    for (form, status, code) in [
        (json!({"price": -1, "quantity": 1}), StatusCode::BAD_REQUEST, "bad_request"),
        (json!({"price": 5, "quantity": 0}), StatusCode::BAD_REQUEST, "bad_request"),
        (
            json!({"price": 5, "quantity": 1, "image": "http://cdn.example/a.jpg"}),
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
    ] {
        shop.host.post(&path, form).await.expect_problem(status.as_u16(), code);
    }
    let third = shop.host.post(&path, json!({"price": 100, "quantity": 1})).await.expect(201);
    assert_eq!(third["number"], 3, "a refused item takes no number");
    buyer.post(&path, json!({"price": 1, "quantity": 1})).await.expect_problem(403, "forbidden");
    let producer = shop.rest("Pia", "producer");
    producer.post(&path, json!({"price": 0, "quantity": 1})).await.expect_problem(403, "price_needs_host");
    let fourth = producer.post(&path, json!({"price": 1, "quantity": 1})).await.expect(201);
    assert_eq!(fourth["number"], 4, "a producer sells, but not for nothing");
}
