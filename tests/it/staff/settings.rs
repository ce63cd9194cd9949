//! The settings of the shop: changed on one node, in force on every node within two seconds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::nodes::fixture::Nodes;
use crate::support::shop::Shop;
use crate::support::until_some;

const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);

#[tokio::test]
async fn settings_hold_on_every_node_without_a_restart() {
    let nodes = Nodes::open().await;
    let admin = nodes.one.rest("root", "admin");
    let before = nodes.two.server.rest().get("/v1/shop").await.expect(200);
    assert_eq!((&before["country"], &before["languages"]), (&Value::Null, &json!([])));
    let change = json!({
        "title": "New name", "titles": {"ar": "اسم جديد"}, "country": "ID", "language": "id", "languages": ["id", "en"],
        "time_zone": "Asia/Jakarta", "tax_bp": 1100, "tax_included": true,
    });
    let changed = admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(change)).await.expect(200);
    assert_eq!((&changed["tax_bp"], &changed["languages"]), (&json!(1100), &json!(["en", "id"])));
    let here = nodes.one.server.rest().get("/v1/shop").await.expect(200);
    assert_eq!(here["title"], "New name");
    let there = async || {
        let shop = nodes.two.server.rest().get("/v1/shop").await.expect(200);
        (shop == here).then_some(())
    };
    until_some("settings on the other node", IN_FORCE_WITHIN, there).await;
    let kept = nodes.two.rest("root", "admin").get("/v1/shop/settings").await.expect(200);
    assert_eq!((&kept["time_zone"], &kept["currency"]), (&json!("Asia/Jakarta"), &before["currency"]));
}

#[tokio::test]
async fn bad_settings_change_nothing() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let before = admin.get("/v1/shop/settings").await.expect(200);
    for (field, bad) in [
        ("title", json!("")),
        ("country", json!("sa")),
        ("currency", json!("XXX")),
        ("time_zone", json!("nowhere")),
        ("tax_bp", json!(-1)),
        ("language", json!("fr")),
        ("languages", json!(["fr"])),
    ] {
        let body = json!({ field: bad });
        let refused = admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(body)).await;
        assert_eq!((refused.status, &refused.body["field"]), (400, &json!(field)), "{field}: {}", refused.body);
    }
    let dollars = Some(json!({"currency": "USD"}));
    let refused = admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], dollars).await;
    assert_eq!(refused.expect_problem(422, "invalid_value")["field"], "currency", "the shop has products");
    assert_eq!(admin.get("/v1/shop/settings").await.expect(200), before);
    assert_eq!(admin.get("/v1/audit-log").await.expect(200)["items"], json!([]));
}
