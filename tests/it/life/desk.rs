//! The seller's desk: from the list of orders to the parcel.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{hold, pay};
use crate::support::SOON;
use crate::support::shop::{Shop, id, key};

fn home() -> Value {
    json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA"})
}

async fn listed(shop: &Shop, query: &str) -> Vec<String> {
    let page = shop.host.get(&format!("/v1/shop/orders?{query}")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn seller_finds_a_paid_order_sends_it_and_every_step_is_in_the_audit_log() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let (held, paid) = (hold(&mut live, &offer, 1).await, hold(&mut live, &offer, 2).await);
    let ann = shop.rest("Ann", "viewer");
    ann.put(&format!("/v1/orders/{}/address", id(&paid)), home()).await.expect(200);
    live.ask(pay(&id(&paid), "ok", &key())).await.unwrap();
    let order = id(&paid);

    assert_eq!(listed(&shop, "").await, [order.clone(), id(&held)], "newest first");
    assert_eq!(listed(&shop, "fulfilment=unfulfilled").await, std::slice::from_ref(&order));
    assert_eq!(listed(&shop, "status=held&search=ann").await, [id(&held)]);
    let of_show = shop.host.get(&shop.path("orders?limit=1")).await.expect(200);
    assert_eq!((&of_show["items"][0]["id"], &of_show["next"]), (&json!(order), &json!(order)));
    assert_eq!(of_show["items"][0]["buyer_name"], "Ann");

    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    assert_eq!(
        (&detail["address"]["name"], &detail["fulfilment_status"]),
        (&json!("Ann Example"), &json!("unfulfilled"))
    );
    assert_eq!(
        (&detail["payments"][0]["status"], &detail["payments"][0]["provider"]),
        (&json!("captured"), &json!("test"))
    );

    let path = |step: &str| format!("/v1/orders/{order}/{step}");
    shop.host.put(&path("delivered"), json!({})).await.expect_problem(409, "wrong_status");
    shop.host.put(&path("packed"), json!({})).await.expect(200);
    let sent = shop.host.put(&path("sent"), json!({"carrier": " Aramex ", "tracking": "A-1"})).await.expect(200);
    assert_eq!((&sent["carrier"], &sent["tracking"]), (&json!("Aramex"), &json!("A-1")));
    shop.host.delete(&path("packed")).await.expect_problem(409, "wrong_status");
    shop.host.put(&path("sent"), json!({"carrier": "c".repeat(61)})).await.expect_problem(400, "bad_request");
    shop.host.put(&path("delivered"), json!({})).await.expect(200);
    assert_eq!(listed(&shop, "fulfilment=delivered").await, std::slice::from_ref(&order));
    shop.host.delete(&path("delivered")).await.expect(200);
    let held_order = format!("/v1/orders/{}/packed", id(&held));
    shop.host.put(&held_order, json!({})).await.expect_problem(409, "not_paid");

    let note = path(&format!("notes/{}", Uuid::now_v7()));
    for _ in 0..2 {
        shop.host.put(&note, json!({"text": "Call before you send it."})).await.expect(200);
    }
    let tags = shop.host.put(&path("tags/gift%20wrap"), json!({})).await.expect(200);
    assert_eq!(tags["tags"], json!(["gift wrap"]));
    assert_eq!(listed(&shop, "tag=gift%20wrap").await, std::slice::from_ref(&order));
    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    assert_eq!(detail["notes"].as_array().unwrap().len(), 1, "a retry adds a note once");
    assert_eq!((&detail["tags"], &detail["fulfilment_status"]), (&json!(["gift wrap"]), &json!("sent")));

    let own = ann.get(&format!("/v1/orders/{order}")).await.expect(200);
    assert!(own.get("notes").is_none() && own.get("tags").is_none(), "the buyer sees neither");
    let expected = ["undo_fulfilment", "delivered", "sent", "packed", "read_address"];
    testkit::until_some("the audit log has every step", SOON, async || {
        let log = shop.host.get(&shop.path("audit-log")).await.expect(200);
        let kinds: Vec<&str> =
            log["items"].as_array().unwrap().iter().filter_map(|entry| entry["kind"].as_str()).collect();
        expected.iter().all(|kind| kinds.contains(kind)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn filters_of_the_list_that_are_not_valid_are_refused_by_name() {
    let shop = Shop::demo(&[]).await;
    for (query, field) in
        [("status=lost", "status"), ("fulfilment=x", "fulfilment"), ("since=soon", "since"), ("buyer=%20", "buyer")]
    {
        let problem = shop.host.get(&format!("/v1/shop/orders?{query}")).await.expect_problem(400, "bad_request");
        assert!(problem.to_string().contains(field), "{query}: {problem}");
    }
}

#[tokio::test]
async fn export_of_orders_has_their_addresses_and_is_in_the_audit_log() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let (first, second) = (hold(&mut live, &offer, 1).await, hold(&mut live, &offer, 1).await);
    let mut address = home();
    address["name"] = json!("=cmd|' /C calc'!A0");
    shop.rest("Ann", "viewer").put(&format!("/v1/orders/{}/address", id(&first)), address).await.expect(200);
    let text = shop.host.get("/v1/shop/export/orders.csv").await.expect(200);
    let text = text.as_str().expect("a text").trim_start_matches('\u{feff}').to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(&id(&second)) && lines[2].contains(&id(&first)), "newest first: {text}");
    assert!(lines[2].contains("12 King Fahd Rd") && lines[2].contains("\"'=cmd"), "{text}");
    let one = shop.host.get(&format!("/v1/shop/export/orders.jsonl?search={}", id(&first))).await.expect(200);
    assert_eq!((&one["city"], &one["id"]), (&json!("Riyadh"), &json!(id(&first))));
    shop.host.get("/v1/shop/export/orders.pdf").await.expect_problem(400, "bad_request");
    shop.rest("Ann", "viewer").get("/v1/shop/export/orders.csv").await.expect_problem(403, "forbidden");
    let admin = shop.rest("Root", "admin");
    testkit::until_some("the export in the audit log", SOON, async || {
        let log = admin.get("/v1/audit-log").await.expect(200);
        log["items"].as_array().unwrap().iter().any(|entry| entry["kind"] == "export_orders").then_some(())
    })
    .await;
}
