//! A catalogue that one can correct: what viewers, buyers and the team see of a changed product.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::nodes::fixture::Nodes;
use crate::support::rest::RestResponse;
use crate::support::shop::{Shop, id, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

/// The promise is two seconds; the rest is for a busy test machine.
const SHOWN_WITHIN: Duration = Duration::from_millis(2_500);

async fn change(shop: &Shop, product: &str, form: Value) -> RestResponse {
    shop.host.send(Method::PATCH, &format!("/v1/products/{product}"), &[], Some(form)).await
}

/// The product of an offer.
async fn product_of(shop: &Shop, offer: &str) -> String {
    shop.offer(offer).await["product"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn corrected_title_reaches_viewers_and_buyers_of_every_node_within_two_seconds() {
    let nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(10, json!({})).await;
    let product = product_of(&nodes.one, &offer).await;
    let mut far = Live::connect(&nodes.two.server.url, &nodes.two.stream, None).await;
    far.until_state("offer", SOON, |state| state["offers"][&offer]["title"] == "Lamp").await;
    let (ann, bob) = (nodes.two.rest("ann", "viewer"), nodes.two.rest("bob", "viewer"));
    let buy = format!("/v1/offers/{offer}/orders");
    let sold = ann.post_keyed(&buy, &key(), json!({"qty": 1})).await.expect(201);
    assert_eq!(sold["title"], "Lamp");

    let form = json!({"version": 1, "title": "Desk lamp", "titles": {"ar": "مصباح مكتب"}, "image": "/desk.png"});
    let changed = change(&nodes.one, &product, form).await.expect(200);
    assert_eq!((&changed["version"], &changed["title"]), (&json!(2), &json!("Desk lamp")));
    far.until_state("new title", SHOWN_WITHIN, |state| {
        let shown = &state["offers"][&offer];
        (&shown["title"], &shown["image"], &shown["price"]) == (&json!("Desk lamp"), &json!("/desk.png"), &json!(1_000))
    })
    .await;
    let later = bob.post_keyed(&buy, &key(), json!({"qty": 1})).await.expect(201);
    let renamed = async || {
        let order = bob.get(&format!("/v1/orders/{}", id(&later))).await.expect(200);
        (order["title"] == "Desk lamp").then_some(())
    };
    until_some("order under the new title", SHOWN_WITHIN, renamed).await;
    let kept = ann.get(&format!("/v1/orders/{}", id(&sold))).await.expect(200);
    assert_eq!((&kept["title"], &kept["titles"]), (&json!("Lamp"), &json!({})), "what was sold stays");
    let of_shop = nodes.one.host.get(&format!("/v1/shop/orders/{}", id(&sold))).await.expect(200);
    assert_eq!(of_shop["title"], "Lamp");
}

#[tokio::test]
async fn outdated_change_is_refused_with_the_newer_product() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({})).await;
    let product = product_of(&shop, &offer).await;
    change(&shop, &product, json!({"version": 1, "category": "Home"})).await.expect(200);
    let late = change(&shop, &product, json!({"version": 1, "title": "Late"})).await.expect_problem(409, "outdated");
    let current = &late["current"];
    assert_eq!(
        (&current["version"], &current["category"], &current["title"]),
        (&json!(2), &json!("Home"), &json!("Lamp"))
    );
    change(&shop, &product, json!({"version": 2, "title": ""})).await.expect_problem(400, "bad_request");
    change(&shop, &product, json!({"title": "X"})).await.expect_problem(400, "bad_request");
    let cleared = change(&shop, &product, json!({"version": 2, "category": null})).await.expect(200);
    assert_eq!(cleared["category"], Value::Null);
}

#[tokio::test]
async fn product_has_a_safe_description_options_and_logs() {
    let shop = Shop::demo(&[]).await;
    let form = json!({
        "title": "Shirt", "description": "**Wash** <script>alert(1)</script>", "descriptions": {"ar": "*قطن*"},
        "delivery": "Two days.\nFree returns.",
        "options": [{"name": "Size", "values": ["S", "M"]}],
        "variants": [
            {"options": ["S"], "price": 900, "cost": 300, "barcode": "6281000000014", "weight_g": 200, "stock": 4},
            {"options": ["M"], "price": 900, "stock": 5},
        ],
    });
    let made = shop.host.post("/v1/products", form.clone()).await.expect(201);
    assert_eq!(made["variants"][1]["name"], "M");
    let path = format!("/v1/products/{}", id(&made));
    let anyone = shop.server.rest();
    let seen = anyone.get(&path).await.expect(200);
    let html = "<p><strong>Wash</strong> &lt;script&gt;alert(1)&lt;/script&gt;</p>";
    assert_eq!(
        (&seen["description_html"], &seen["descriptions_html"]["ar"]),
        (&json!(html), &json!("<p><em>قطن</em></p>"))
    );
    assert_eq!((&seen["variants"][0]["cost"], &seen["variants"][0]["stock"]), (&Value::Null, &Value::Null));
    assert_eq!(shop.host.get(&path).await.expect(200)["variants"][0]["cost"], 300);

    let variant = id(&made["variants"][0]);
    let log = format!("/v1/variants/{variant}/stock-changes");
    let damaged = json!({"units": -1, "reason": "damaged", "note": "Torn"});
    let once = key();
    for _ in 0..2 {
        assert_eq!(shop.host.post_keyed(&log, &once, damaged.clone()).await.expect(200)["stock"], 3);
    }
    let logged = shop.host.get(&log).await.expect(200);
    let entry = &logged["items"][0];
    assert_eq!((&entry["units"], &entry["stock"], &entry["by"]["name"]), (&json!(-1), &json!(3), &json!("the-host")));
    assert_eq!(logged["items"].as_array().map(Vec::len), Some(2), "the retry changed nothing");
    shop.host.post(&log, json!({"units": 1, "reason": "created"})).await.expect_problem(422, "invalid_value");
    let prices = shop.host.get(&format!("/v1/variants/{variant}/price-changes")).await.expect(200);
    assert_eq!((&prices["items"][0]["price"], &prices["items"][0]["by"]["user"]), (&json!(900), &json!("the-host")));

    shop.host.post(&format!("{path}/archive"), json!({})).await.expect(200);
    anyone.get(&path).await.expect_problem(404, "no_such_product");
    let sell = json!({"variant": variant, "kind": "regular", "price": 900, "quantity": 1});
    shop.host.post(&shop.path("offers"), sell.clone()).await.expect_problem(409, "wrong_status");
    assert_eq!(shop.host.get("/v1/products?search=6281000000014").await.expect(200)["items"], json!([]));
    let found = shop.host.get("/v1/products?status=archived&search=shirt").await.expect(200);
    assert_eq!(found["items"][0]["id"], made["id"]);
    anyone.get("/v1/products?status=any").await.expect_problem(401, "sign_in");
    shop.host.post(&format!("{path}/restore"), json!({})).await.expect(200);
    shop.host.post(&shop.path("offers"), sell).await.expect(201);
}
