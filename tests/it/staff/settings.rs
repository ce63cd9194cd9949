//! The settings of the shop: changed on one node, in force on every node within two seconds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::nodes::fixture::Nodes;
use crate::support::shop::{Shop, id, key};
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
async fn retention_of_the_desk_holds_on_every_node_without_a_restart() {
    let nodes = Nodes::open().await;
    let admin = nodes.one.rest("root", "admin");
    let before = admin.get("/v1/shop/settings").await.expect(200);
    let flags = json!({"address_days": 30, "chat_days": 0, "mail_days": 30});
    let unset = json!({"address_days": null, "chat_days": null, "mail_days": null});
    assert_eq!((&before["kept_days"], &before["retention"]), (&flags, &unset), "the settings of the node hold");
    let patch = async |form: Value| {
        let form = Some(json!({ "retention": form }));
        admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], form).await
    };
    for (field, bad) in [("address_days", -1), ("chat_days", 3_651), ("mail_days", i64::MAX)] {
        let refused = patch(json!({ field: bad })).await.expect_problem(400, "bad_request");
        assert_eq!(refused["field"], format!("retention.{field}"));
    }
    let changed = patch(json!({"chat_days": 7, "address_days": 0})).await.expect(200);
    assert_eq!(changed["kept_days"], json!({"address_days": 0, "chat_days": 7, "mail_days": 30}));
    // The log of a show says since when the chat is kept: the other node knows it too.
    let log = format!("/v1/streams/{}/log", nodes.one.stream);
    let there = async || {
        let log = nodes.two.server.rest().get(&log).await.expect(200);
        log["messages_kept_from"].is_i64().then_some(())
    };
    until_some("retention on the other node", IN_FORCE_WITHIN, there).await;
}

#[tokio::test]
async fn market_of_the_desk_holds_on_every_node_without_a_restart() {
    let nodes = Nodes::open().await;
    let offer = nodes.two.on_sale(1, json!({})).await;
    let ann = nodes.two.rest("Ann", "viewer");
    let held = ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let address = format!("/v1/orders/{}/address", id(&held));
    let home = json!({"name": "Ann Example", "lines": ["Hauptstr. 1"], "city": "Berlin", "country": "DE"});
    ann.put(&address, home.clone()).await.expect(200);
    let market = Some(json!({"market": {"countries": ["SA"]}}));
    nodes.one.rest("root", "admin").send(reqwest::Method::PATCH, "/v1/shop/settings", &[], market).await.expect(200);
    let refused = async || {
        let answer = ann.put(&address, home.clone()).await;
        (answer.status == 422).then_some(answer)
    };
    let refused = until_some("market on the other node", IN_FORCE_WITHIN, refused).await;
    assert_eq!(refused.expect_problem(422, "country_not_served")["countries"], json!(["SA"]));
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
        ("policies", json!({"terms": {"fr": "Bonjour"}})),
        ("policies", json!({"terms": {"en": "x".repeat(20_001)}})),
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

#[tokio::test]
async fn policy_is_read_in_the_language_of_the_reader_and_its_markup_is_safe() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let guest = shop.server.rest();
    guest.get("/v1/policies/terms").await.expect_problem(404, "no_such_policy");
    let write = async |policies: Value| {
        let change = Some(json!({ "policies": policies }));
        admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], change).await.expect(200)
    };
    let text = "# Terms\n\nWe ship **fast**. <script>alert(1)</script> [Mail](javascript:alert(1))";
    write(json!({"terms": {"en": text, "ar": "نشحن بسرعة"}})).await;
    let settings = write(json!({"privacy": {"en": "We keep little."}})).await;
    assert_eq!(settings["policies"]["terms"]["en"], text, "the other policies stay");
    assert_eq!(guest.get("/v1/shop").await.expect(200)["policies"], json!(["terms", "privacy"]));
    let english = guest.get("/v1/policies/terms?lang=en").await.expect(200);
    let html = english["html"].as_str().unwrap();
    assert!(html.contains("<strong>fast</strong>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("href=\"javascript"), "{html}");
    let read = async |query: &str| {
        let policy = guest.get(&format!("/v1/policies/{query}")).await.expect(200);
        policy["language"].as_str().unwrap().to_owned()
    };
    assert_eq!(read("terms?lang=ar").await, "ar");
    assert_eq!(read("privacy?lang=ar").await, "en", "it is written in no other language");
    guest.get("/v1/policies/nothing").await.expect_problem(404, "no_such_policy");
    write(json!({"terms": {"en": " ", "ar": ""}})).await;
    assert_eq!(guest.get("/v1/shop").await.expect(200)["policies"], json!(["privacy"]));
}
